"""Norms folded into the weights that read behind them, so that products of weights mean what they say.

An RMS norm is a scale that depends on the token, times a gain; the gain goes into the rows of every matrix that reads
the normed stream. A layer norm also takes out the mean, so everything that writes to the stream is centred, and its
shift goes into the biases of the readers. The scale of each token stays: it is no matter of the weights. Source:
Elhage et al. (2021), "A Mathematical Framework for Transformer Circuits", "Handling Layer Normalization".
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.interventions import Edit
from explicate.core.sites import Site
from explicate.errors import FoldingError, InputError
from explicate.mechanisms.weights.layouts import WeightLayout, norm_kind, weight_layout_of
from explicate.models.language import LanguageModel
from explicate.models.language.sites import linear_weight
from explicate.runtime.seeds import generator

if TYPE_CHECKING:
    import torch

CLOSE = 1e-4  # how far the folded copy's logits may be from the model's, absolute below 10 and relative above
STREAM = 1e-3  # of the stream's largest entry: where a layer counts as different
LOGIT_SIZE = 10.0


def fold_norms(model: LanguageModel, prompts: Any = None) -> LanguageModel:
    """A copy of a model that gives the same logits and whose norms have no gain and no shift.

    Gains of norms that stand behind a projection (Gemma's post-norms, norms of queries and keys) cannot be folded and
    stay. Weights that are not changed are shared with the model, which itself stays as it is.

    Parameters
    ----------
    prompts : what the copy is checked on; default: a few random tokens.

    Raises
    ------
    FoldingError : the copy's logits differ by more than 1e-4; the message names the first layer that does.
    CapabilityError : an architecture whose weights are not known.
    InputError : interventions on activations are in force.
    """
    layout = weight_layout_of(model)
    if any(not isinstance(part, Edit) for part in model.in_force):
        raise InputError(f"the norms of {model.name!r} cannot be folded while interventions are in force; leave them")
    folded = _copied(model)
    _fold(folded, layout)
    ids = _random_prompts(model) if prompts is None else model.encode(prompts)
    _check(model, folded, ids)
    return folded


def _copied(model: LanguageModel) -> LanguageModel:
    """A handle on a copy of the module that shares the tensors that are in force now."""
    import torch

    shared: dict[int, Any] = {id(each): torch.nn.Parameter(each.data, False) for each in model.module.parameters()}
    shared |= {id(each): each for each in model.module.buffers()}
    module = copy.deepcopy(model.module, shared)
    return LanguageModel(module, model.tokenizer, name=f"{model.name} with folded norms", score=model.score)


def _fold(model: LanguageModel, layout: WeightLayout) -> None:
    import torch

    base, final = model.module.base_model, model.architecture.final_norm
    with torch.no_grad():
        norms = [_norms(block, layout) for block in model.blocks]
        last = base.get_submodule(final) if final else torch.nn.Identity()
        if any(norm_kind(norm) == "layer" for norm in (*(norm for pairs in norms for norm, _ in pairs), last)):
            _centre(model, layout)
        for pairs in norms:
            for norm, readers in pairs:
                _fold_one(norm, readers, layout)
        unembedding = model.module.get_output_embeddings()
        if unembedding.weight is model.module.get_input_embeddings().weight:
            model.module.config.tie_word_embeddings = False
        _fold_one(last, [unembedding], layout)


def _norms(block: Any, layout: WeightLayout) -> list[tuple[Any, list[Any]]]:
    """A block's foldable norms, each with the maps that read behind it."""
    mlp = [part for part in (_found(block, path) for path in layout.mlp_inputs) if part is not None]
    return [
        (block.get_submodule(layout.norm_attention), [block.get_submodule(path) for path in layout.maps]),
        (block.get_submodule(layout.norm_mlp), mlp),
    ]


def _fold_one(norm: Any, readers: Sequence[Any], layout: WeightLayout) -> None:
    """Move a norm's gain and shift into its readers; new tensors take the places of the old ones."""
    import torch

    if norm_kind(norm) == "none":
        return
    gain, shift = layout.gain(norm), getattr(norm, "bias", None)
    for reader in readers:
        weight = linear_weight(reader)
        if shift is not None:
            _set_bias(reader, weight @ shift + (0.0 if reader.bias is None else reader.bias))
        _set_weight(reader, weight * gain)
    norm.weight = torch.nn.Parameter(gain.new_full(gain.shape, 0.0 if layout.gain_from_one else 1.0), False)
    if shift is not None:
        norm.bias = torch.nn.Parameter(torch.zeros_like(shift), False)


def _centre(model: LanguageModel, layout: WeightLayout) -> None:
    """Take the mean over the stream out of everything that writes to it."""
    import torch

    base = model.module.base_model
    embeddings = [model.module.get_input_embeddings()]
    if layout.positions:
        embeddings.append(base.get_submodule(layout.positions))
    unembedding = model.module.get_output_embeddings()
    if unembedding.weight is embeddings[0].weight:
        unembedding.weight = torch.nn.Parameter(unembedding.weight.detach().clone(), False)
        model.module.config.tie_word_embeddings = False
    for embedding in embeddings:
        table = embedding.weight
        embedding.weight = torch.nn.Parameter(table - table.mean(dim=1, keepdim=True), False)
    for writer in _writers(model, layout):
        weight = linear_weight(writer)
        _set_weight(writer, weight - weight.mean(dim=0, keepdim=True))
        if writer.bias is not None:
            _set_bias(writer, writer.bias - writer.bias.mean())


def _writers(model: LanguageModel, layout: WeightLayout) -> Iterator[Any]:
    for block in model.blocks:
        for path in (model.architecture.output_projection, layout.mlp_output):
            part = _found(block, path)
            if part is not None and hasattr(part, "weight"):
                yield part


def _found(block: Any, path: str) -> Any:
    return dict(block.named_modules()).get(path)


def _set_weight(part: Any, weight: torch.Tensor) -> None:
    import torch

    own = weight if linear_weight(part) is part.weight else weight.T.contiguous()
    part.weight = torch.nn.Parameter(own.detach(), False)


def _set_bias(part: Any, bias: torch.Tensor) -> None:
    import torch

    part.bias = torch.nn.Parameter(bias.detach(), False)


# -- the check ---------------------------------------------------------------------------------------------------------


def _random_prompts(model: LanguageModel) -> Any:
    return generator(0, "folding").integers(0, model.output_count, (2, 12))


def _check(model: LanguageModel, folded: LanguageModel, ids: Any) -> None:
    """Compare the copy with the model; name the first layer that differs where they do."""
    before, after = (each.capture(ids, [Site("logits")])[Site("logits")] for each in (model, folded))
    difference = float(np.abs(before - after).max())
    if difference <= CLOSE * max(1.0, float(np.abs(before).max()) / LOGIT_SIZE):
        return
    sites = [Site("resid_post", layer) for layer in range(model.layer_count)]
    own, new = model.capture(ids, sites), folded.capture(ids, sites)
    where = next((f"layer {site.layer}" for site in sites if _differs(own[site], new[site])), "the unembedding")
    raise FoldingError(
        f"with its norms folded {model.name!r} gives logits that differ by {difference:.2g}, first at {where}; check "
        "its entry in register_weight_layout"
    )


def _differs(own: Any, new: Any) -> bool:
    """Whether two streams differ by more than a mean that a layer norm takes out anyway."""
    gap = own - new
    if np.abs(new.mean(-1)).max() < STREAM * np.abs(new).max():
        gap = gap - gap.mean(-1, keepdims=True)
    return bool(np.abs(gap).max() > STREAM * np.abs(own).max())
