"""Putting a handler at a site: hooks on the modules that the architecture's table names, removed by the exit stack."""

from __future__ import annotations

import difflib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from explicate.core.sites import GLOBAL, HEADED, LAYERED, Site
from explicate.errors import CapabilityError, SiteError
from explicate.models.language import attention
from explicate.models.language.architectures import Tap
from explicate.models.language.positions import Frame, Handler, Selection, visit

if TYPE_CHECKING:
    import torch

    from explicate.models.language.token_model import TokenModel

CAUSAL_ORDER = ("embed", "resid_pre", "q", "k", "v", "scores", "pattern", "z", "head_out", "attn_out", "resid_mid",
                "mlp_act", "mlp_out", "resid_post")  # fmt: skip
"""Within a layer, what comes first; handlers given together are put on in this order."""


def all_sites(model: TokenModel) -> list[Site]:
    """Every named site of a model; with heads, positions or module paths there are more."""
    layers, kinds = range(model.layer_count), model.architecture.kinds
    return [Site("embed"), *(Site(kind, layer) for layer in layers for kind in kinds), Site("logits")]


def check(model: TokenModel, site: Site) -> Site:
    """Refuse a layer, head, kind of site or module path that the model does not have."""
    if site.is_module:
        known = dict(model.module.named_modules())
        if site.kind not in known:
            parameters = dict(model.module.named_parameters())
            if site.kind in parameters:
                raise SiteError(f"{site.kind!r} is a weight of {model.name!r}, not a module: change it with Edit")
            near = difflib.get_close_matches(site.kind, [*known, *LAYERED, *GLOBAL], n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SiteError(
                f"{model.name!r} has no site or module {site.kind!r}; {hint}named sites are "
                f"{', '.join(GLOBAL)} and L<layer>. with {', '.join(LAYERED)}"
            )
        return site
    if site.layer is not None and site.layer >= model.layer_count:
        raise SiteError(f"{site}: {model.name!r} has {model.layer_count} layers, 0 to {model.layer_count - 1}")
    if site.layer is not None and site.kind not in model.architecture.kinds:
        raise SiteError(f"{site}: {model.name!r} has {model.architecture.no_middle}")
    if site.head is not None and site.head >= model.head_count:
        raise SiteError(f"{site}: {model.name!r} has {model.head_count} query heads, 0 to {model.head_count - 1}")
    return site


def attach(model: TokenModel, site: Site, handler: Handler, stack: ExitStack) -> None:
    """Let `handler` see, and change, the activation at `site` in every pass until `stack` closes."""
    check(model, site)
    if site.kind in GLOBAL:
        entry = (site, handler)
        entries = model.embed_handlers if site.kind == "embed" else model.logit_handlers
        entries.append(entry)
        stack.callback(entries.remove, entry)
    elif site.is_module:
        module = model.module.get_submodule(site.kind)
        stack.callback(module.register_forward_hook(_output_hook(model, site, handler)).remove)
    else:
        _attach_layered(model, site, handler, stack)


def _attach_layered(model: TokenModel, site: Site, handler: Handler, stack: ExitStack) -> None:
    layout = model.architecture
    block = model.blocks[site.layer or 0]
    if site.kind in attention.KINDS:
        part = block.get_submodule(layout.attention)
        stack.enter_context(attention.watched(model.module, part, site, handler, lambda: model.frame))
        return
    if site.kind == "head_out":
        entries = model.head_handlers.setdefault(site.layer or 0, [])
        if not entries:
            projection = block.get_submodule(layout.output_projection)
            stack.callback(projection.register_forward_hook(_head_hook(model, entries), prepend=True).remove)
        entries.append((site, handler))
        stack.callback(entries.remove, (site, handler))
        return
    tap = layout.tap(site.kind)
    module = block.get_submodule(tap.path) if tap.path else block
    if tap.side == "output":
        stack.callback(module.register_forward_hook(_output_hook(model, site, handler)).remove)
    else:
        hook = module.register_forward_pre_hook(_input_hook(model, site, handler, tap), with_kwargs=True)
        stack.callback(hook.remove)


def _frame(model: TokenModel, activation: torch.Tensor) -> Frame:
    return model.frame or Frame.full(activation)


def _output_hook(model: TokenModel, site: Site, handler: Handler) -> Any:
    """A decoder block gives a tensor, an attention module a tuple: both are treated here and nowhere else."""

    def hook(module: Any, args: Any, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        if not hasattr(first, "ndim") or first.ndim != 3:
            raise CapabilityError(
                f"{site}: the module's output is no tensor (sample, token, width); name a module whose output is"
            )
        changed = visit(first, site, _frame(model, first), handler)
        if changed is first:
            return None
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    return hook


def _input_hook(model: TokenModel, site: Site, handler: Handler, tap: Tap) -> Any:
    import torch

    def changed(first: torch.Tensor) -> torch.Tensor:
        headed = site.kind in HEADED
        shown = _split(first, model.head_count) if headed else first
        if tap.shared and torch.is_grad_enabled():
            shown = shown.clone()  # what autograd keeps of it must survive the write below
        new = visit(shown, site, _frame(model, first), handler)
        if new is shown:
            return first
        if tap.shared:  # the same tensor is the residual stream that the block adds to later
            return first.copy_(new)
        return _join(new) if headed else new

    def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (changed(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": changed(kwargs["hidden_states"])}

    return hook


def _head_hook(model: TokenModel, entries: list[tuple[Site, Handler]]) -> Any:
    """`head_out` is never computed by the model; a change is added to the projection's output as a difference."""
    import torch

    def hook(module: Any, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor | None:
        frame = _frame(model, output)
        weight = head_weights(linear_weight(module), model.head_count)
        written = torch.matmul(_split(args[0], model.head_count), weight.transpose(1, 2))
        new = written
        for site, handler in entries:
            new = visit(new, site, frame, handler)
        return None if new is written else output + (new - written).sum(dim=1)

    return hook


def linear_weight(module: Any) -> torch.Tensor:
    """The weight (output, input) of a linear map; GPT-2's own kind keeps it the other way round."""
    from transformers.pytorch_utils import Conv1D

    weight: torch.Tensor = module.weight
    return weight.T if isinstance(module, Conv1D) else weight


def head_weights(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """The output projection (width, head * head width) cut by heads: (head, width, head width)."""
    return weight.unflatten(1, (heads, -1)).transpose(0, 1)


def _split(joined: torch.Tensor, heads: int) -> torch.Tensor:
    return joined.view(*joined.shape[:2], heads, -1).transpose(1, 2)


def _join(split: torch.Tensor) -> torch.Tensor:
    return split.transpose(1, 2).flatten(2)


def recorder(parts: list[tuple[Any, Any]]) -> Handler:
    """A handler that keeps what it sees, and which of it are tokens."""

    def keep(activation: torch.Tensor, selection: Selection) -> None:
        parts.append((activation.detach().float().cpu().numpy().copy(), _numpy(selection.valid)))

    return keep


def _numpy(valid: torch.Tensor | None) -> Any:
    return None if valid is None else valid.cpu().numpy()


def unknown_parameter(name: str, path: str, known: list[str]) -> SiteError:
    """The error for a weight that is not there."""
    near = difflib.get_close_matches(path, known, n=1)
    return SiteError(f"{name!r} has no weight {path!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
