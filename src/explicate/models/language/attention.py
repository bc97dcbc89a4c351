"""An attention function whose queries, keys, values, scores and pattern can be read and written, head by head.

It is registered in transformers' attention interface and selected only inside a context that asks for one of those
sites; everywhere else the model keeps the kernel that it was loaded with. Keys and values are repeated to all query
heads first, so that one head's key can be changed although several heads share the weights.

Scores are shown scaled, before the causal and padding masks are added; the masks are added after any change, so no
intervention on scores can make a token see its future. Setting a score to minus infinity cuts that connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.models.language.positions import Frame, Handler, visit, visit_pairs

if TYPE_CHECKING:
    import torch

NAME = "explicate-sites"
KINDS = ("q", "k", "v", "scores", "pattern")

Visitors = dict[str, list[tuple[Site, Handler, Callable[[], Frame | None]]]]
_visitors: dict[Any, Visitors] = {}


@contextmanager
def watched(
    module: Any, attention: Any, site: Site, handler: Handler, frame: Callable[[], Frame | None]
) -> Iterator[None]:
    """Let `handler` visit `site` in the attention module `attention` of `module`; the kernel is restored on exit."""
    _make_known()
    configs = {id(part.config): part.config for part in module.modules() if hasattr(part, "config")}
    before = {key: config._attn_implementation for key, config in configs.items()}
    visitors = _visitors.setdefault(attention, {})
    entry = (site, handler, frame)
    visitors.setdefault(site.kind, []).append(entry)
    try:
        for config in configs.values():
            config._attn_implementation = NAME
        yield
    finally:
        for key, config in configs.items():
            config._attn_implementation = before[key]
        visitors[site.kind].remove(entry)
        if not any(visitors.values()):
            _visitors.pop(attention, None)


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Softmax attention in plain arithmetic: (sample, head, token, width) -> (sample, token, head, width)."""
    import torch

    visitors = _visitors.get(module, {})
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    query, key, value = (_visited(visitors, kind, x) for kind, x in (("q", query), ("k", key), ("v", value)))
    scores = torch.matmul(query, key.transpose(2, 3)) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    scores = _visited(visitors, "scores", scores)
    if attention_mask is not None:
        masked = scores + attention_mask
        if visitors.get("scores"):
            _some_key_left(masked, attention_mask, visitors["scores"])
        scores = masked
    elif visitors.get("scores"):
        _some_key_left(scores, None, visitors["scores"])
    pattern = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    pattern = _visited(visitors, "pattern", pattern)
    return torch.matmul(pattern, value).transpose(1, 2).contiguous(), pattern


def _visited(visitors: Visitors, kind: str, activation: torch.Tensor) -> torch.Tensor:
    for site, handler, frame in visitors.get(kind, ()):
        here = frame() or Frame.full(activation)
        visitor = visit_pairs if kind in ("scores", "pattern") else visit
        activation = visitor(activation, site, here, handler)
    return activation


def _some_key_left(scores: torch.Tensor, mask: torch.Tensor | None, entries: list[Any]) -> None:
    import torch

    lowest = torch.finfo(scores.dtype).min
    dead = (scores <= lowest / 2).all(dim=-1)
    if mask is not None:  # a padding token sees nothing in the first place
        dead &= ~(mask <= lowest / 2).all(dim=-1)
    if bool(dead.any()):
        row, head, token = (int(i) for i in dead.nonzero()[0])
        raise InputError(
            f"{entries[-1][0]}: sample {row}, head {head} has no key left to attend to at column {token}; "
            "keep at least one"
        )


def _make_known() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, eager_mask)
