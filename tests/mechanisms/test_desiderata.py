"""Masks over heads: the loss and its gradient by the definition, and a planted head that the mask must find."""

import numpy as np
import pytest
import torch

from explicate.core.interventions import Patch
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.desiderata import (
    Blend,
    DesiderataMask,
    MaskedPairs,
    _Blended,
    chosen_heads,
    patching_accuracy,
)

HEADS = [(0, 1), (1, 0), (1, 3), (2, 2)]


def pairs(count=12, tokens=8, seed=0):
    rng = np.random.default_rng(seed)
    ids, source = rng.integers(5, 200, (2, count, tokens))
    return MaskedPairs(
        ids, source, rng.integers(3, tokens, count), rng.integers(3, tokens, count), rng.integers(5, 200, count)
    )


def test_a_blend_is_between_its_two_ends():
    own, other = np.array([[1.0, 2.0]]), np.array([[5.0, 0.0]])
    np.testing.assert_array_equal(Blend("L0.z", other, 1.0).apply(own), own)
    np.testing.assert_array_equal(Blend("L0.z", other, 0.0).apply(own), other)
    np.testing.assert_array_equal(Blend("L0.z", other, 0.25).apply(own), [[4.0, 0.5]])


@pytest.mark.parametrize("way", ["fused", "own blocks"])
def test_logits_and_gradient_by_the_definition(causal, way, monkeypatch):
    """Mixed outputs follow the current ones, so a later head's own part already feels the earlier heads."""
    if way == "own blocks":
        monkeypatch.setattr("explicate.mechanisms.fused.SHAPES", ())
    data = pairs(3)
    mask = torch.tensor([0.3, 0.9, 0.0, 0.6], requires_grad=True)
    found = _Blended(causal, HEADS, data, way).logits(mask, np.arange(3))
    for row in range(3):
        column, read = int(data.columns[row]), int(data.source_columns[row])
        parts = []
        for (layer, head), share in zip(HEADS, mask.tolist(), strict=True):
            there = Site("z", layer, head, (read,))
            value = causal.capture(data.source[row : row + 1], [there])[there]
            parts.append(Blend(Site("z", layer, head, (column,)), torch.as_tensor(value), share))
        with causal.intervene(*parts):
            expected = causal.predict(data.ids[row : row + 1])[0, data.targets[row]]
        assert float(found[row].detach()) == pytest.approx(expected, abs=1e-4)
    found.sum().backward()
    for i in range(4):
        step = torch.zeros(4)
        step[i] = 1e-2
        with torch.no_grad():
            blended = _Blended(causal, HEADS, data, way)
            up, down = (blended.logits(mask + sign * step, np.arange(3)).sum() for sign in (1, -1))
        assert float(mask.grad[i]) == pytest.approx(float(up - down) / 2e-2, abs=2e-2)


def test_a_planted_head_is_found_and_the_others_are_left(small):
    """Only head 1.3 reaches the answer; the wanted answers are those that its patching gives."""
    model = small("llama")
    with torch.no_grad():
        for layer, block in enumerate(model.blocks):
            block.self_attn.o_proj.weight[:, :24].zero_()
            if layer != 1:
                block.self_attn.o_proj.weight.zero_()
        model.blocks[1].self_attn.o_proj.weight.mul_(8)
    rng = np.random.default_rng(0)
    ids, source = rng.integers(5, 200, (2, 96, 8))
    targets = []
    for row in range(96):
        there = Site("z", 1, 3, (-1,))
        value = model.capture(source[row : row + 1], [there])[there]
        with model.intervene(Patch(there, value)):
            targets.append(int(model.predict(ids[row : row + 1])[0].argmax()))
    last = np.full(96, 7)
    data = MaskedPairs(ids, source, last, last, np.array(targets))
    every = [(layer, head) for layer in range(3) for head in range(4)]
    found = DesiderataMask(epochs=6, batch=16).fit(model, every, data.take(slice(48)), data.take(slice(48, 72)))
    assert chosen_heads(found) == ((1, 3),)
    assert found["validation"].values[-1] == 1.0
    assert patching_accuracy(model, [(1, 3)], data.take(slice(72, None))) == 1.0
    others = [head for head in every if head != (1, 3)]
    own = (model.predict(ids[72:]).argmax(axis=1) == data.targets[72:]).mean()
    assert patching_accuracy(model, others, data.take(slice(72, None))) == own < 1.0
    again = DesiderataMask(epochs=6, batch=16).fit(model, every, data.take(slice(48)), data.take(slice(48, 72)))
    np.testing.assert_array_equal(again["loss"], found["loss"])


def test_of_equal_masks_the_one_with_more_heads_is_kept(small):
    """Nothing reaches the answers, so all masks do equally well; heads are free."""
    model = small("llama")
    with torch.no_grad():
        for block in model.blocks:
            block.self_attn.o_proj.weight.zero_()
    found = DesiderataMask(penalty=-0.5, epochs=3, batch=12, learning_rate=0.3).fit(
        model, HEADS, pairs(), pairs(seed=1)
    )
    assert found["validation"].values.tolist() == [found["validation"].values[0]] * 3
    assert len(chosen_heads(found)) == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: {"targets": d.targets[:3]}, "equally many prompts"),
        (lambda d: {"ids": np.where(np.arange(8) < np.arange(12)[:, None] + 5, d.ids, -1)}, "numbers of tokens"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(change, words):
    data = pairs()
    fields = {name: getattr(data, name) for name in ("ids", "source", "columns", "source_columns", "targets")}
    with pytest.raises(InputError, match=words):
        MaskedPairs(**{**fields, **change(data)})


def test_an_empty_group_is_refused(llama):
    with pytest.raises(InputError, match="no heads to choose from"):
        DesiderataMask().fit(llama, [], pairs(), pairs())
