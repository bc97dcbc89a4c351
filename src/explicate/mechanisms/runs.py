"""The untouched run of some prompts, kept for restarts: residual stream, keys and values, arguments of the blocks.

The run is one forward pass of the model itself, so what is kept is what the model computes.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.cost import spend
from explicate.core.sites import Site
from explicate.errors import ExplicateError, ModelError, NonFiniteScoreError
from explicate.models.language import LanguageModel, sites
from explicate.models.language.positions import Selection
from explicate.models.language.tokens import ABSENT

if TYPE_CHECKING:
    import torch

CACHES = ("past_key_values", "layer_past")  # what blocks call the keys and values of earlier passes


@dataclass(eq=False)
class Runs:
    """One pass over prompts of equal length.

    Attributes
    ----------
    model : the handle. ids : (sample, token), without gaps.
    stream : for each layer the input of its block, (sample, token, width).
    keys, values : for each layer as the cache holds them, (sample, key/value head, token, head width); empty where the
        pass kept none.
    arguments : for each layer the other arguments of its block, for one prompt.
    state : after the last block and the final norm at the last token, (sample, width).
    recorded : activations asked for, (sample, [head,] position, width).
    """

    model: LanguageModel
    ids: Array
    stream: list[torch.Tensor] = field(default_factory=list)
    keys: list[torch.Tensor] = field(default_factory=list)
    values: list[torch.Tensor] = field(default_factory=list)
    arguments: list[dict[str, Any]] = field(default_factory=list)
    state: Any = None
    recorded: dict[Site, torch.Tensor] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Length of the prompts."""
        return int(self.ids.shape[1])

    @property
    def layers(self) -> int:
        """Number of blocks."""
        return self.model.layer_count

    def part(self, samples: slice) -> Runs:
        """Some of the prompts; what was recorded goes with them."""
        return Runs(
            self.model,
            self.ids[samples],
            [x[samples] for x in self.stream],
            [x[samples] for x in self.keys],
            [x[samples] for x in self.values],
            self.arguments,
            self.state[samples],
            {site: x[samples] for site, x in self.recorded.items()},
        )


def run(model: LanguageModel, ids: Array, record: Sequence[Site] = (), cache: bool = True, masks: bool = False) -> Runs:
    """Send prompts of equal length through the model and keep what restarts need.

    Parameters
    ----------
    ids : (sample, token), without gaps.
    record : sites whose activations are kept too, on the model's device.
    cache : whether keys and values are kept.
    masks : whether the blocks' arguments must hold attention masks, which torch's own kernel does without.
    """
    import torch

    found = Runs(model, ids)
    try:
        with ExitStack() as stack, torch.no_grad():
            for site in record:
                sites.attach(model, site, _keeper(found.recorded, site), stack)
            if masks:
                sites.attach(model, Site("q", 0), lambda activation, selection: None, stack)
            for block in model.blocks:
                hook = block.register_forward_pre_hook(_watcher(found), with_kwargs=True)
                stack.callback(hook.remove)
            batch = model.batch(ids)
            stack.enter_context(model.framed(batch.frame))
            kept = _cache() if cache else None
            options = {"past_key_values": kept, "use_cache": cache}
            outputs = model.module.base_model(inputs_embeds=model.embeddings(batch), attention_mask=None, **options)
            found.state = outputs.last_hidden_state[:, -1]
            if kept is not None:
                found.keys = [layer.keys for layer in kept.layers]
                found.values = [layer.values for layer in kept.layers]
    except ExplicateError:
        raise
    except Exception as error:
        raise ModelError(
            f"the model {model.name!r} failed on {len(ids)} prompts: {type(error).__name__}: {error}"
        ) from error
    spend(evaluations=len(ids))
    if not bool(torch.isfinite(found.state).all()):
        row = int((~torch.isfinite(found.state).all(dim=1)).nonzero()[0])
        raise NonFiniteScoreError(f"the model {model.name!r} gave a state that is NaN or infinite for prompt {row}")
    return found


def compact(ids: Array, rows: Sequence[int] | Array) -> Array:
    """Prompts of equal length without the padding of longer ones: (sample, token)."""
    return np.stack([ids[row][ids[row] != ABSENT] for row in rows])


def _cache() -> Any:
    from transformers import DynamicCache

    return DynamicCache()


def _keeper(recorded: dict[Site, torch.Tensor], site: Site) -> Any:
    def keep(activation: torch.Tensor, selection: Selection) -> None:
        recorded[site] = activation.detach().clone()

    return keep


def _watcher(found: Runs) -> Any:
    def watch(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        names = list(inspect.signature(module.forward).parameters)[: len(args)]  # GPT-2 gives some by their place
        others = {**dict(zip(names, args, strict=False)), **kwargs}
        stream = others.pop(names[0] if names else "hidden_states")
        found.stream.append(stream.detach())
        alone = {name: _for_one(value, len(found.ids)) for name, value in others.items()}
        found.arguments.append({**alone, **{name: None for name in CACHES if name in alone}, "use_cache": False})

    return watch


def _for_one(value: Any, samples: int) -> Any:
    """An argument for one prompt, where it has an axis for prompts; they all have the same length."""
    if isinstance(value, tuple):
        return tuple(_for_one(item, samples) for item in value)
    return value[:1] if hasattr(value, "ndim") and value.ndim > 1 and value.shape[0] == samples else value
