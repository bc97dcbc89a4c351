"""What each head's own words to the logits are worth, prefix by prefix of whole texts.

The loss of the next token when a head's contribution to the last state is replaced by its mean over the texts, and all
else is as it was: no later head or MLP hears of it. The final norm is taken anew. Source: Gould, Ong, Ogden, Conmy
(2023), "Successor Heads", section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import measure
from explicate.core.kinds import Effects
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.errors import CapabilityError, InputError
from explicate.mechanisms.restart import require_causal
from explicate.mechanisms.results import prompts, provenance
from explicate.mechanisms.weights import HeadWeights, fold_norms
from explicate.models.language import LanguageModel, tokens
from explicate.runtime.progress import bar

if TYPE_CHECKING:
    import torch

NUMBERS_AT_ONCE = 1 << 25


@dataclass(frozen=True)
class DirectLosses(Parameterised):
    """The change of the loss at each prefix when one head's direct contribution is replaced by its mean.

    Parameters
    ----------
    positions : where prefixes end, from the start (0, 1, ...) or the end (-2, ...; -1 has no next token); None: all.
    """

    name: ClassVar[str] = "direct-losses"

    positions: tuple[int, ...] | None = None

    def run(self, model: LanguageModel, texts: Any, reference: Any = None) -> Effects:
        """Measure all heads at all prefixes.

        Parameters
        ----------
        reference : texts over which means are taken; default: `texts` themselves.

        Returns
        -------
        Effects : `effect` (sample, layer, head), in nats, above 0 where the head helps. A sample is a prefix: `text`
            and `position` (sample,) say which, `target` is the next token, `base_score` the loss as it is.

        Raises
        ------
        CapabilityError : a norm follows the heads' outputs, so that their contributions do not add up.
        """
        require_causal(model, self.name)
        if model.architecture.head_sum != "attn_out":
            raise CapabilityError(f"in {model.name!r} a norm follows the heads, so none has a contribution of its own")
        ids = prompts(model, texts)
        rows = self._prefixes(ids)
        with measure() as cost:
            folded = fold_norms(model)
            mixed, states = _captured(folded, ids, rows)
            means = mixed.mean(axis=0) if reference is None else _means(folded, prompts(model, reference))
            targets = ids[rows[:, 0], rows[:, 1] + 1]
            change, loss = _changes(folded, mixed - means, states, targets)
        data = xr.Dataset(
            {
                "effect": (("sample", "layer", "head"), change),
                "base_score": (("sample",), loss),
                "target": (("sample",), targets),
                "target_name": (("sample",), np.array([model.token_text(int(i)) for i in targets], dtype=object)),
                "text": (("sample",), rows[:, 0]),
                "position": (("sample",), rows[:, 1]),
            },
            coords={"layer": np.arange(change.shape[1]), "head": np.arange(change.shape[2])},
            attrs={"part": "head_out", "metric": "loss", "model_kind": "text"},
        )
        return Effects(data, provenance(self, model, ids, cost))

    def _prefixes(self, ids: Array) -> Array:
        """(text, position) of every prefix that has a next token: int (prefix, 2)."""
        found = []
        for text, length in enumerate(tokens.lengths_of(ids)):
            wanted = (
                range(length - 1) if self.positions is None else [p % length for p in self.positions if -length <= p]
            )
            found += [(text, position) for position in wanted if position < length - 1]
        if not found:
            raise InputError("no prefix of the texts has a next token; give longer texts or other positions")
        return np.array(found, dtype=np.int64)


def winning_heads(effects: Effects) -> tuple[Array, Array]:
    """The head with the largest direct effect at each prefix: layers (sample,), heads (sample,)."""
    values = effects.values
    layers, heads = np.unravel_index(values.reshape(len(values), -1).argmax(axis=1), values.shape[1:])
    return np.asarray(layers), np.asarray(heads)


def _captured(model: LanguageModel, ids: Array, rows: Array) -> tuple[Floats, Floats]:
    """Mixed values (prefix, layer, head, head width) and last states before the final norm (prefix, width)."""
    layers = range(model.layer_count)
    wanted = [*(Site("z", layer) for layer in layers), Site("resid_post", model.layer_count - 1)]
    found = model.capture(ids, wanted)
    text, position = rows.T
    mixed = np.stack([found[Site("z", layer)][text, :, position] for layer in layers], axis=1)
    return mixed, found[wanted[-1]][text, position]


def _means(model: LanguageModel, ids: Array) -> Floats:
    """Mean mixed values over all tokens: (layer, head, head width)."""
    there = np.argwhere(ids >= 0)
    return np.asarray(_captured(model, ids, there)[0].mean(axis=0))


def _changes(model: LanguageModel, deviations: Floats, states: Floats, targets: Array) -> tuple[Floats, Floats]:
    """Change of the loss (prefix, layer, head), and the loss (prefix,), from a model with folded norms."""
    import torch

    weights = HeadWeights.of(model)
    unembedding = model.module.get_output_embeddings()
    final = model.architecture.final_norm
    norm = model.module.base_model.get_submodule(final) if final else torch.nn.Identity()
    change = np.empty(deviations.shape[:3])
    loss = np.empty(len(states))
    size = max(1, NUMBERS_AT_ONCE // model.output_count)
    progress = bar(-(-len(states) // size) * weights.layers, "direct losses")
    with torch.no_grad():
        table = unembedding.weight.float()
        bias = 0.0 if unembedding.bias is None else unembedding.bias
        for start in range(0, len(states), size):
            part = slice(start, start + size)
            last = torch.as_tensor(states[part])
            wanted = torch.as_tensor(targets[part])
            plain = last @ table.T
            whole = _losses(plain, _scale(norm, last), bias, wanted)
            loss[part] = whole.double().numpy()
            for layer in range(weights.layers):
                for head in range(weights.heads):
                    own = torch.as_tensor(deviations[part, layer, head])
                    output = torch.as_tensor(weights.output[layer, head])
                    scale = _scale(norm, last - own @ output)
                    less = torch.linalg.multi_dot([own, output, table.T])  # in the order that is cheapest
                    without = _losses(plain - less, scale, bias, wanted)
                    change[part, layer, head] = (without - whole).double().numpy()
                progress.update(1)
    progress.close()
    return change, loss


def _scale(norm: Any, states: torch.Tensor) -> torch.Tensor:
    """What a norm without gain multiplies states (row, width) by: (row, 1)."""
    import torch

    if isinstance(norm, torch.nn.Identity):
        return states.new_ones(len(states), 1)
    centred = states - states.mean(-1, keepdim=True) if isinstance(norm, torch.nn.LayerNorm) else states
    epsilon = getattr(norm, "variance_epsilon", getattr(norm, "eps", 0.0))
    return (centred.square().mean(-1, keepdim=True) + epsilon).rsqrt()


def _losses(plain: torch.Tensor, scale: torch.Tensor, bias: Any, targets: torch.Tensor) -> torch.Tensor:
    import torch.nn.functional as F

    return F.cross_entropy(plain * scale + bias, targets, reduction="none")


def direct_losses(
    model: LanguageModel, texts: Any, *, positions: Sequence[int] | None = None, reference: Any = None
) -> Effects:
    """What each head's own contribution is worth at each prefix; see `DirectLosses`."""
    return DirectLosses(None if positions is None else tuple(int(p) for p in positions)).run(model, texts, reference)
