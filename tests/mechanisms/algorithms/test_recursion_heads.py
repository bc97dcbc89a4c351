"""Recursion heads: a model in which one head is known to carry is told from one that everything hangs on."""

from contextlib import contextmanager

import numpy as np
import pytest

from explicate.benchmarks.recursion import SuccessorTask, all_numbers
from explicate.data.recursion import successor_machine
from explicate.errors import InputError
from explicate.mechanisms.algorithms import head_effects
from explicate.models.tiny.descent import DecoderRecipe
from explicate.models.tiny.translator import Translator, TranslatorShape

ITEMS = all_numbers(SuccessorTask(), 5)


class Planted:
    """The successor's machine as a model of three heads: without the first it carries one digit at most, the second
    does nothing, and without the third nothing is written."""

    name, heads = "planted", ("carries", "idle", "writes")

    def __init__(self):
        self.out, self.given = frozenset(), None

    def answers(self, texts):
        machine = successor_machine(False, 1 if "carries" in self.out else None)
        return [() if "writes" in self.out else machine(text) for text in texts]

    @contextmanager
    def without(self, heads, values=None):
        self.out, self.given = frozenset(heads), values
        yield
        self.out = frozenset()

    def head_means(self, texts):
        return dict.fromkeys(self.heads, float(len(texts)))


def test_the_head_that_carries_is_the_recursion_head():
    model = Planted()
    found = head_effects(model, ITEMS.inputs, ITEMS.outputs, ITEMS.depths.tolist())
    assert found.depths == (0, 1, 2, 3, 4, 5)
    assert found.counts.sum() == len(ITEMS)
    assert found.whole.tolist() == [1] * 6
    assert found.without.tolist() == [[1, 1, 0, 0, 0, 0], [1] * 6, [0] * 6]
    assert found.drop(2).tolist() == [1, 0, 1]
    # the head that everything hangs on damages shallow inputs as much, so it is no recursion head
    assert found.contrast(2, 0).tolist() == [1, 0, 0]
    assert found.recursion_head() == "carries"


def test_drops_count_inputs_and_not_depths():
    found = head_effects(Planted(), ITEMS.inputs, ITEMS.outputs, ITEMS.depths.tolist())
    share = np.mean(ITEMS.depths[ITEMS.depths >= 1] >= 2)
    assert found.drop(1)[0] == pytest.approx(share)
    with pytest.raises(InputError, match="no input has a depth from 9"):
        found.drop(9)


def test_means_come_from_the_reference():
    model = Planted()
    head_effects(model, ITEMS.inputs, ITEMS.outputs, ITEMS.depths.tolist(), how="mean", reference=ITEMS.inputs[:7])
    assert model.given == dict.fromkeys(model.heads, 7.0)


def test_bad_requests_are_refused():
    with pytest.raises(InputError, match="give one of each"):
        head_effects(Planted(), ITEMS.inputs, ITEMS.outputs[1:], ITEMS.depths.tolist())
    for how in ("mean", "noise"):
        with pytest.raises(InputError, match=f"ablation '{how}': use 'zero', or 'mean' with reference inputs"):
            head_effects(Planted(), ITEMS.inputs, ITEMS.outputs, ITEMS.depths.tolist(), how=how)


def test_a_model_is_left_as_it_was():
    task = SuccessorTask()
    items = all_numbers(task, 3)
    shape = TranslatorShape(task.words, sources=4, targets=5, layers=1, width=16, heads=2, inner=16)
    model = Translator.train(shape, items.pairs(), DecoderRecipe(steps=20, batch=16), cache=False)
    before = model.answers(items.inputs)
    found = head_effects(model, items.inputs, items.outputs, items.depths.tolist(), how="mean", reference=items.inputs)
    assert model.answers(items.inputs) == before
    assert found.heads == model.heads
    assert found.without.shape == (6, 4)
