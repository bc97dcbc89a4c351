"""Reading and writing what flows between the parts of a torch network, by hooks that always come off again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Floats, Targets
from explicate.core.cost import spend
from explicate.core.interventions import Edit, Intervention, Project, Steer, Together
from explicate.core.sites import Site
from explicate.errors import InputError, ModelError, SiteError
from explicate.models.base import model_errors

if TYPE_CHECKING:
    import torch

ScoreFunction = Callable[["torch.Tensor"], "torch.Tensor"]
"""(sample, ...) -> (sample,), differentiable."""
INPUT = ":input"
MOST_NAMED = 6  # convolutions that an error lists


@dataclass(frozen=True, eq=False)
class SiteGradients:
    """What `VisionModel.activation_gradients` found.

    Attributes
    ----------
    activations, gradients : by site, (sample, ...).
    scores : (sample,), what was differentiated.
    """

    activations: dict[Site, Floats]
    gradients: dict[Site, Floats]
    scores: Floats

    @classmethod
    def joined(cls, parts: Sequence[SiteGradients]) -> SiteGradients:
        """Several chunks as one."""
        if len(parts) == 1:
            return parts[0]
        sites = parts[0].activations
        return cls(
            {site: np.concatenate([part.activations[site] for part in parts]) for site in sites},
            {site: np.concatenate([part.gradients[site] for part in parts]) for site in sites},
            np.concatenate([part.scores for part in parts]),
        )


def module_sites(module: torch.nn.Module) -> tuple[Site, ...]:
    """Paths of convolutions, then of all other parts; of poolings also what goes in."""
    from torch import nn

    convolutions = [name for name, part in module.named_modules() if isinstance(part, nn.Conv2d) and name]
    others = []
    for name, part in module.named_modules():
        if name and not isinstance(part, nn.Conv2d):
            others += [name, name + INPUT] if isinstance(part, _pools()) else [name]
    return tuple(Site(name) for name in (*convolutions, *others))


def last_maps(module: torch.nn.Module, probe: torch.Tensor, name: str) -> Site:
    """The last feature maps of more than one place; see `VisionModel.map_site`."""
    import torch
    from torch import nn

    seen: list[tuple[str, Any, tuple[int, ...], tuple[int, ...]]] = []
    handles = []
    try:
        for path, part in module.named_modules():
            if path and not list(part.children()):

                def note(part: Any, inputs: Any, output: Any, path: str = path) -> None:
                    before = tuple(inputs[0].shape) if inputs and hasattr(inputs[0], "shape") else ()
                    seen.append((path, part, before, tuple(getattr(output, "shape", ()))))

                handles.append(part.register_forward_hook(note))
        with torch.no_grad(), model_errors(name, f"on inputs of shape {tuple(probe.shape)}"):
            module(probe)
    finally:
        for handle in handles:
            handle.remove()
    runs = [entry[0] for entry in seen]
    for path, part, before, after in reversed(seen):
        if runs.count(path) > 1 or isinstance(part, nn.Flatten | nn.Identity | nn.Dropout | nn.Dropout2d):
            continue
        if _is_map(before) and (isinstance(part, _pools()) or not _is_map(after)):
            return Site(path + INPUT)  # maps are sharpest before a pooling
        if _is_map(after):
            return Site(path)
    raise ModelError(f"the model {name!r} has no feature maps (sample, channel, row, column); name a site")


def _pools() -> tuple[type, ...]:
    from torch.nn.modules import pooling

    kinds = ("_AdaptiveAvgPoolNd", "_AdaptiveMaxPoolNd", "_AvgPoolNd", "_MaxPoolNd")
    return tuple(getattr(pooling, kind) for kind in kinds)


def captured(model: Any, tensor: torch.Tensor, sites: Sequence[Site]) -> dict[Site, Floats]:
    """Activations of one chunk."""
    import torch

    found: dict[Site, Any] = {}

    def keep(site: Site, activation: torch.Tensor) -> None:
        found[site] = _first(site, found, activation).detach().clone()

    with torch.no_grad(), _watched(model, sites, keep):
        model.called(model.module, tensor)
    spend(evaluations=len(tensor))
    _complete(model, sites, found)
    return {site: found[site].cpu().numpy() for site in sites}


def site_gradients(
    model: Any,
    tensor: torch.Tensor,
    sites: Sequence[Site],
    targets: Targets,
    function: ScoreFunction | None,
    at: Site | None,
) -> SiteGradients:
    """Activations of one chunk, and the gradients of its scores with respect to them."""
    import torch

    found: dict[Site, torch.Tensor] = {}

    def keep(site: Site, activation: torch.Tensor) -> torch.Tensor:
        _first(site, found, activation)
        # The first site met becomes a leaf: nothing before it takes part in the backward pass.
        own = activation if activation.requires_grad else activation.detach().clone().requires_grad_(True)
        found[site] = own
        return own.clone()  # a part that works in place must not write into what was captured

    watched = list(sites) + ([at] if at is not None and at not in sites else [])
    with torch.enable_grad(), _watched(model, watched, keep):
        logits = model.called(model.module, tensor)
        _complete(model, watched, found)
        scores = _scores(model, logits, targets, function, None if at is None else found[at])
        total = scores.sum()
        wanted = [found[site] for site in sites]
        if not total.requires_grad:
            raise InputError(f"the score does not depend on {', '.join(map(str, sites))}; name an earlier site")
        with model_errors(model.name, f"when asked for gradients at inputs of shape {tuple(tensor.shape)}"):
            gradients = torch.autograd.grad(total, wanted, allow_unused=True)
    spend(gradients=len(tensor))
    missing = [str(site) for site, gradient in zip(sites, gradients, strict=True) if gradient is None]
    if missing:
        raise InputError(f"the score does not depend on {', '.join(missing)}; name an earlier site")
    return SiteGradients(
        {site: found[site].detach().cpu().numpy() for site in sites},
        {site: gradient.cpu().numpy() for site, gradient in zip(sites, gradients, strict=True)},
        scores.detach().cpu().numpy(),
    )


def _scores(
    model: Any, logits: torch.Tensor, targets: Targets, function: ScoreFunction | None, activation: Any
) -> torch.Tensor:
    import torch

    if function is not None:
        scores = function(logits if activation is None else activation)
        if not isinstance(scores, torch.Tensor) or tuple(scores.shape) != (len(logits),):
            shape = tuple(getattr(scores, "shape", ()))
            raise InputError(f"the target function gave {shape} for {len(logits)} pictures; it must give (sample,)")
        return scores
    if activation is not None:
        raise InputError("a target site needs a target function that makes a score of its activation")
    rows, chosen = torch.arange(len(logits)), torch.as_tensor(targets)
    if chosen.ndim == 1:
        return logits[rows, chosen]
    return logits[rows, chosen[:, 0]] - logits[rows, chosen[:, 1]]


@contextmanager
def intervened(model: Any, interventions: Sequence[Intervention | Together]) -> Iterator[None]:
    """Hooks and weight edits, undone on exit."""
    import torch

    parts = [p for item in interventions for p in (item.parts if isinstance(item, Together) else (item,))]
    with ExitStack() as undo:
        for part in parts:
            if isinstance(part, Edit):
                weight = _weight(model, part.address.kind)
                before = weight.detach().clone()
                undo.callback(_restore, weight, before)
                with torch.no_grad():
                    weight.copy_(part.apply(weight.detach()))
                continue

            def change(_: Site, activation: torch.Tensor, part: Intervention = part) -> torch.Tensor:
                if isinstance(part, Steer | Project) and activation.ndim == 4:
                    changed: torch.Tensor = part.apply(activation.movedim(1, -1)).movedim(-1, 1)
                    return changed
                return part.apply(activation)  # type: ignore[no-any-return]

            undo.enter_context(_watched(model, [part.address], change))
        yield


@contextmanager
def _watched(model: Any, sites: Sequence[Site], visit: Callable[[Site, Any], Any]) -> Iterator[None]:
    """Call `visit(site, activation)` whenever a site is passed; what it returns, if anything, takes its place."""
    handles = []
    try:
        for site in sites:
            path, at_input = _path(site)
            part = _part(model, site, path)
            if at_input:
                handles.append(part.register_forward_pre_hook(_before(site, visit)))
            else:
                handles.append(part.register_forward_hook(_after(site, visit)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _before(site: Site, visit: Callable[[Site, Any], Any]) -> Any:
    def hook(_: Any, inputs: tuple[Any, ...]) -> Any:
        changed = visit(site, inputs[0])
        return None if changed is None else (changed, *inputs[1:])

    return hook


def _after(site: Site, visit: Callable[[Site, Any], Any]) -> Any:
    def hook(_: Any, inputs: Any, output: Any) -> Any:
        if not isinstance(output, tuple):
            return visit(site, output)
        changed = visit(site, output[0])
        return None if changed is None else (changed, *output[1:])

    return hook


def _path(site: Site) -> tuple[str, bool]:
    text = site.kind
    return (text[: -len(INPUT)], True) if text.endswith(INPUT) else (text, False)


def _part(model: Any, site: Site, path: str) -> Any:
    parts = dict(model.module.named_modules())
    if not site.is_module or path not in parts or not path or site.positions is not None:
        from torch import nn

        convolutions = [name for name, part in parts.items() if isinstance(part, nn.Conv2d)]
        shown = convolutions
        if len(convolutions) > MOST_NAMED:
            near = get_close_matches(path, convolutions, n=MOST_NAMED - 1, cutoff=0)
            shown = [*(name for name in convolutions if name in near), "..."]
        raise SiteError(
            f"the model {model.name!r} has no site {str(site)!r}; its convolutions are "
            f"{', '.join(shown) or 'none'}; `sites()` lists all"
        )
    return parts[path]


def _weight(model: Any, path: str) -> Any:
    weights = dict(model.module.named_parameters())
    if path not in weights:
        raise SiteError(f"the model {model.name!r} has no weight {path!r}; it has {', '.join(list(weights)[:20])}, ...")
    return weights[path]


def _restore(weight: Any, before: Any) -> None:
    import torch

    with torch.no_grad():
        weight.copy_(before)


def _first(site: Site, found: dict[Site, Any], activation: Any) -> Any:
    if site in found:
        raise SiteError(f"the part at {str(site)!r} runs more than once in a forward pass; name a part that runs once")
    if not hasattr(activation, "detach"):
        raise SiteError(f"the part at {str(site)!r} gives a {type(activation).__name__}, not a tensor")
    return activation


def _complete(model: Any, sites: Sequence[Site], found: dict[Site, Any]) -> None:
    for site in sites:
        if site not in found:
            raise SiteError(f"the part at {str(site)!r} did not run in a forward pass of {model.name!r}")


def _is_map(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[2] * shape[3] > 1
