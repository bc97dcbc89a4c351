"""A faster copy of a convolutional network that gives the same scores: batch norms folded, pixels' channels together.

In evaluation mode a batch norm after a convolution is a linear map, so both become one convolution:
w' = w g / sqrt(v + eps), b' = (b - m) g / sqrt(v + eps) + beta. Zeros that a convolution adds around its input in a
step of its own become its padding, and activations after a convolution write over what it gave, which saves memory
traffic. The copy serves scores and gradients with respect to inputs; the original serves everything that looks inside.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx, nn

LEAVES = (nn.Conv2d, nn.Linear, nn.modules.batchnorm._BatchNorm)
IN_PLACE = (nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.LeakyReLU, nn.Hardswish, nn.SiLU)


class _Tracer(fx.Tracer):
    """Keeps convolutions whole also where a subclass adds its own padding."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, LEAVES) or super().is_leaf_module(module, name)


def fast_copy(module: nn.Module) -> nn.Module:
    """A copy with batch norms folded where they follow a convolution, parameters constant, memory channels last.

    What cannot be traced is copied without folding. The caller must compare both modules' outputs before trusting it:
    a subclass of a convolution may do what no convolution does.
    """
    twin = copy.deepcopy(module).eval()
    for parameter in twin.parameters():
        parameter.requires_grad_(False)
    try:
        _pad_inside(twin)
        graph = _Tracer().trace(twin)
        folded: nn.Module = _folded(fx.GraphModule(twin, graph))
    except Exception:  # control flow on values, unknown operations: anything may come from a user's module
        folded = twin
    return folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def has_hooks(module: nn.Module) -> bool:
    """Whether any part of the module runs somebody's hooks, which a traced copy would lose."""
    return any(
        part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks
        for part in module.modules()
    )


def state_of(module: nn.Module) -> tuple[Any, ...]:
    """A cheap summary of all weights: it changes when they are replaced, or written to in whatever way."""
    weights: list[torch.Tensor] = [p for p in module.parameters() if p.is_floating_point() and p.numel()]
    places = tuple((tensor.data_ptr(), tensor._version) for tensor in (*module.parameters(), *module.buffers()))
    if not weights:
        return (places,)
    with torch.no_grad():  # writing through `.data` leaves place and version alone, so look at the numbers too
        norms = torch.stack([norm.cpu() for norm in torch._foreach_norm(weights)])
        entries = torch.stack([weight.reshape(-1)[weight.numel() // 3].float().cpu() for weight in weights])
    return (places, norms.numpy().tobytes(), entries.numpy().tobytes())


def _folded(module: fx.GraphModule) -> fx.GraphModule:
    parts = dict(module.named_modules())
    calls = [node.target for node in module.graph.nodes if node.op == "call_module"]
    for node in list(module.graph.nodes):
        if node.op != "call_module" or not isinstance(parts[node.target], nn.BatchNorm2d) or not node.args:
            continue
        before = node.args[0]
        if (
            before.op != "call_module"
            or type(parts[before.target]) is nn.ConvTranspose2d
            or not isinstance(parts[before.target], nn.Conv2d)
            or len(before.users) != 1
            or calls.count(before.target) != 1
            or calls.count(node.target) != 1
            or parts[node.target].running_var is None
        ):
            continue
        _fold(parts[before.target], parts[node.target])
        node.replace_all_uses_with(before)
        module.graph.erase_node(node)
    _overwrite(module, parts)
    module.recompile()
    return module


def _pad_inside(module: nn.Module) -> None:
    """Replace convolutions of a subclass that pads with zeros, equally on opposite sides, by plain ones that pad."""
    for path, part in list(module.named_modules()):
        pads = [child for child in part.children() if isinstance(child, nn.ZeroPad2d)]
        if not path or not isinstance(part, nn.Conv2d) or len(list(part.children())) != 1 or len(pads) != 1:
            continue
        left, right, top, bottom = pads[0].padding
        if left != right or top != bottom or any(part.padding) or part.padding_mode != "zeros":
            continue
        plain = nn.Conv2d(
            part.in_channels, part.out_channels, part.kernel_size, tuple(part.stride), (top, left), part.dilation,  # type: ignore[arg-type]
            part.groups, part.bias is not None, dtype=part.weight.dtype, device=part.weight.device,
        ).eval()  # fmt: skip
        plain.weight, plain.bias = part.weight, part.bias
        side = 2 * max(part.kernel_size) * max(part.dilation)
        probe = torch.ones((1, part.in_channels, side, side), dtype=part.weight.dtype, device=part.weight.device)
        with torch.no_grad():
            one, other = part(probe), plain(probe)
        if one.shape == other.shape and torch.equal(one, other):
            parent, _, name = path.rpartition(".")
            setattr(module.get_submodule(parent), name, plain)


def _overwrite(module: fx.GraphModule, parts: dict[str, nn.Module]) -> None:
    """Let activations work in place where all their inputs are convolutions' outputs that nothing else reads."""
    calls: dict[str, list[fx.Node]] = {}
    for node in module.graph.nodes:
        if node.op == "call_module" and isinstance(parts[node.target], IN_PLACE):
            calls.setdefault(node.target, []).append(node)
    for path, nodes in calls.items():
        inputs = [node.args[0] for node in nodes if node.args]
        if len(inputs) == len(nodes) and all(
            isinstance(before, fx.Node)
            and before.op == "call_module"
            and isinstance(parts[str(before.target)], nn.Conv2d)
            and len(before.users) == 1
            for before in inputs
        ):
            parts[path].inplace = True  # type: ignore[assignment]


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_var is not None  # the caller has looked
    assert norm.running_mean is not None
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    bias = -norm.running_mean.double() * scale
    if norm.bias is not None:
        bias = bias + norm.bias.double()
    if convolution.bias is not None:
        bias = bias + convolution.bias.double() * scale
    weight = convolution.weight
    convolution.weight = nn.Parameter((weight.double() * scale[:, None, None, None]).to(weight.dtype), False)
    convolution.bias = nn.Parameter(bias.to(weight.dtype), False)
