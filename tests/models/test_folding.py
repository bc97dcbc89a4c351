"""The fast copy gives the module's scores, and is given up where it would not."""

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from explicate.models.folding import fast_copy, has_hooks, state_of  # noqa: E402


def _network() -> nn.Module:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.BatchNorm2d(8, affine=False),
        nn.Conv2d(8, 4, 1),
        nn.Flatten(),
        nn.LazyLinear(5),
    )
    module(torch.randn(2, 3, 8, 8))
    for part in module:
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
            if part.affine:
                part.weight.data.normal_()
                part.bias.data.normal_()
    return module.eval()


def _norms(module: nn.Module) -> int:
    graph = getattr(module, "graph", None)
    parts = dict(module.named_modules())
    return sum(
        node.op == "call_module" and isinstance(parts[node.target], nn.BatchNorm2d)
        for node in (graph.nodes if graph is not None else ())
    )


def test_folding_takes_every_batch_norm_after_a_convolution_out_and_keeps_outputs_and_gradients():
    module = _network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    twin = fast_copy(module)
    assert hasattr(twin, "graph")
    assert _norms(twin) == 0
    x = torch.randn(3, 3, 8, 8, requires_grad=True)
    mine, other = module(x), twin(x)
    assert torch.allclose(mine, other, atol=1e-5)
    slopes = [torch.autograd.grad(out[:, 2].sum(), x)[0] for out in (mine, other)]
    assert torch.allclose(*slopes, atol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_a_norm_whose_convolution_is_used_twice_is_left_alone():
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x):
            return (self.norm(self.convolution(x)) + self.convolution(x)).mean(dim=(2, 3))

    module = Shared().eval()
    module.norm.running_mean.fill_(0.7)
    twin = fast_copy(module)
    assert _norms(twin) == 1
    x = torch.randn(2, 3, 4, 4)
    assert torch.allclose(module(x), twin(x), atol=1e-6)


def test_control_flow_on_values_is_copied_without_folding():
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, x):
            return self.linear(x if x.sum() > 0 else -x)

    module = Branch().eval()
    twin = fast_copy(module)
    assert not hasattr(twin, "graph")
    for sign in (1, -1):
        x = sign * torch.ones(1, 3)
        assert torch.equal(module(x), twin(x))


def test_state_changes_however_weights_are_written():
    module = _network()
    states = [state_of(module)]
    with torch.no_grad():
        module[0].weight.add_(1.0)
    states.append(state_of(module))
    module[0].weight.data.mul_(2.0)  # leaves the version counter alone
    states.append(state_of(module))
    module[0].weight.data = module[0].weight.data.flip(0).contiguous()
    states.append(state_of(module))
    assert len(set(states)) == 4
    assert state_of(module) == states[-1]


def test_hooks_are_noticed_at_any_depth():
    module = nn.Sequential(nn.Sequential(nn.Linear(2, 2)))
    assert not has_hooks(module)
    handle = module[0][0].register_forward_hook(lambda *_: None)
    assert has_hooks(module)
    handle.remove()
    assert not has_hooks(module)


class Padded(nn.Conv2d):
    """A convolution that pads in a step of its own."""

    def __init__(self, pads: tuple[int, int, int, int], **options) -> None:
        super().__init__(3, 4, 3, **options)
        self.static_padding = nn.ZeroPad2d(pads)

    def forward(self, x):
        return nn.functional.conv2d(self.static_padding(x), self.weight, self.bias, self.stride)


@pytest.mark.parametrize(("pads", "merged"), [((1, 1, 2, 2), True), ((0, 1, 0, 1), False)])
def test_equal_padding_becomes_the_convolutions_own(pads, merged):
    torch.manual_seed(0)
    module = nn.Sequential(Padded(pads, stride=1), nn.BatchNorm2d(4), nn.ReLU6(), nn.Conv2d(4, 2, 3)).eval()
    twin = fast_copy(module)
    x = torch.randn(2, 3, 9, 8)
    assert torch.allclose(module(x), twin(x), atol=1e-5)
    assert (type(twin.get_submodule("0")) is nn.Conv2d) == merged
    assert type(module[0]) is Padded
    assert twin.get_submodule("2").inplace
    assert not module[2].inplace


def test_an_activation_does_not_write_over_what_others_read():
    class Branched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.act, self.second = nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            before = self.first(x)
            return before + self.second(self.act(before))

    torch.manual_seed(0)
    module = Branched().eval()
    x = torch.randn(2, 3, 5, 5)
    assert torch.allclose(module(x), fast_copy(module)(x), atol=1e-6)
