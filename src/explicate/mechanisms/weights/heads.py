"""The weights of all attention heads as factors: what each reads, attends by, and writes.

Row vectors throughout: with x the normed stream, a head attends with score x_q W_QK x_k' / sqrt(head width) and writes
the sum over k of A_qk x_k W_OV, where W_QK = W_Q W_K' and W_OV = W_V W_O. Both have the rank of a head's width at most,
so their factors are kept and never multiplied out. With rotary positions W_QK depends on how far back the key is:
W_Q R W_K', R the rotation by the offset. Source: Elhage et al. (2021), "A Mathematical Framework for Transformer
Circuits"; for grouped keys and values see Ainslie et al. (2023), for rotary positions Su et al. (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.capabilities import Floats
from explicate.errors import InputError, SiteError
from explicate.mechanisms import runs
from explicate.mechanisms.weights.folding import fold_norms
from explicate.mechanisms.weights.layouts import block_maps, norm_kind, weight_layout_of
from explicate.mechanisms.weights.low_rank import Components, LowRank, root
from explicate.models.language import LanguageModel

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class HeadWeights:
    """The folded weights of every head, as factors.

    Attributes
    ----------
    query : W_Q, (layer, head, width, head width). key : W_K, (layer, key/value head, width, head width).
    value : W_V, alike. output : W_O, (layer, head, head width, width); behind a post-norm with that norm's gain.
    frequencies : how far positions turn queries and keys, radians a position for each pair of coordinates (the first
        and the second half of a head's), (layer, pair); None without rotary positions.
    model : the model's name. norm : what the norms take out, "none", "rms" (the scale) or "layer" (also the mean).
    qk_norm : whether queries and keys are normed, so that W_QK is no bilinear form and stands for the raw weights.
    post_norm : whether a norm follows the heads' output, whose scale depends on the token and cannot be folded.
    tied : whether the unembedding is the embedding, so that copying looks strong by construction.
    """

    query: Floats
    key: Floats
    value: Floats
    output: Floats
    frequencies: Floats | None
    model: str
    norm: str
    qk_norm: bool
    post_norm: bool
    tied: bool

    @classmethod
    def of(cls, model: LanguageModel) -> HeadWeights:
        """Read the weights, norms folded; see `fold_norms` for the errors."""
        layout = weight_layout_of(model)
        folded = fold_norms(model)
        maps = [block_maps(folded, layer) for layer in range(folded.layer_count)]
        outputs = [_array(each.output) for each in maps]
        if layout.post_norm:
            gains = [_array(layout.gain(block.get_submodule(layout.post_norm))) for block in model.blocks]
            outputs = [output * gain for output, gain in zip(outputs, gains, strict=True)]
        embedding, unembedding = model.module.get_input_embeddings(), model.module.get_output_embeddings()
        return cls(
            np.stack([_array(each.query) for each in maps]),
            np.stack([_array(each.key) for each in maps]),
            np.stack([_array(each.value) for each in maps]),
            np.stack(outputs),
            _frequencies(model),
            model.name,
            norm_kind(model.blocks[0].get_submodule(layout.norm_attention)),
            bool(layout.query_norm),
            bool(layout.post_norm),
            unembedding.weight is embedding.weight,
        )

    @property
    def layers(self) -> int:
        """Number of layers."""
        return int(self.query.shape[0])

    @property
    def heads(self) -> int:
        """Query heads in a layer."""
        return int(self.query.shape[1])

    @property
    def groups(self) -> int:
        """Key/value heads in a layer; each is shared by `heads / groups` query heads."""
        return int(self.key.shape[1])

    @property
    def width(self) -> int:
        """Width of the stream."""
        return int(self.query.shape[2])

    @property
    def head_width(self) -> int:
        """Width of a head."""
        return int(self.query.shape[3])

    def group(self, head: int) -> int:
        """The key/value head that a query head uses."""
        return head // (self.heads // self.groups)

    def sharing(self, head: int) -> tuple[int, ...]:
        """The query heads that share keys and values with one, itself included: a change of W_K or W_V changes all."""
        size = self.heads // self.groups
        first = self.group(head) * size
        return tuple(range(first, first + size))

    def check(self, layer: int, head: int) -> None:
        """Refuse a head that is not there."""
        if not (0 <= layer < self.layers and 0 <= head < self.heads):
            raise SiteError(
                f"L{layer}.H{head}: {self.model!r} has layers 0 to {self.layers - 1} and heads 0 to {self.heads - 1}"
            )

    def ov(self, layer: int, head: int) -> LowRank:
        """W_OV = W_V W_O: what a head writes where it attends to a row."""
        self.check(layer, head)
        return LowRank(self.value[layer, self.group(head)], self.output[layer, head])

    def qk(self, layer: int, head: int, offset: int = 0) -> LowRank:
        """W_QK = W_Q R W_K' for a key so many positions back: the form by which a head attends."""
        self.check(layer, head)
        return LowRank(self.turned(layer, offset)[head], self.key[layer, self.group(head)].T)

    def turned(self, layer: int, offset: int = 0) -> Floats:
        """W_Q R of a layer's heads, (head, width, head width); W_Q itself without rotary positions."""
        query = self.query[layer]
        if self.frequencies is None or offset == 0:
            return query
        angles = self.frequencies[layer] * offset
        half = len(angles)
        cosine, sine = (f(angles).astype(query.dtype) for f in (np.cos, np.sin))
        first, second = query[..., :half], query[..., half : 2 * half]
        turned = [first * cosine - second * sine, second * cosine + first * sine, query[..., 2 * half :]]
        return np.concatenate(turned, axis=-1)

    def svd_components(self, layer: int, head: int) -> Components:
        """W_OV as a sum of rank-one parts, each reading one direction and writing another."""
        return self.ov(layer, head).components()

    @cached_property
    def written(self) -> tuple[Floats, Floats]:
        """The sizes (layer, head, component) and written directions (layer, head, component, width) of all heads."""
        gram = np.swapaxes(self.value, -1, -2).astype(np.float64) @ self.value
        half = np.repeat(root(gram), self.heads // self.groups, axis=1)
        right, inner = np.linalg.qr(np.swapaxes(self.output, -1, -2).astype(np.float64))
        _, sizes, inside = np.linalg.svd(half @ np.swapaxes(inner, -1, -2))
        return sizes, inside @ np.swapaxes(right, -1, -2)


def _frequencies(model: LanguageModel) -> Floats | None:
    """Radians a position, from the rotation that the model's own blocks are given at position 1."""
    ids = np.zeros((1, 2), dtype=np.int64)
    found = []
    for arguments in runs.run(model, ids, cache=False).arguments:
        rotation = arguments.get("position_embeddings")
        if rotation is None:
            return None
        cosine, sine = (_array(part[0, 1]).astype(np.float64) for part in rotation)
        angles = np.arctan2(sine, cosine)
        half = len(angles) // 2
        if not np.allclose(angles[:half], angles[half:]):
            raise InputError(
                f"{model.name!r} does not turn the first half of a head's coordinates with the second; its W_QK at an "
                "offset is not known"
            )
        found.append(angles[:half])
    together = np.stack(found)
    return together if np.any(together) else None


def _array(tensor: torch.Tensor) -> Floats:
    return np.asarray(tensor.detach().float().cpu().numpy())
