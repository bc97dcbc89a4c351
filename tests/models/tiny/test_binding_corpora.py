"""Corpora of binding: each text is read word by word, and what counts is what can be known."""

from itertools import pairwise

import numpy as np
import pytest

from explicate.data.language.boxes import BoxesPrompt
from explicate.errors import InputError
from explicate.models.tiny.binding_corpora import (
    VOCABULARY,
    Assignments,
    BoxesAccuracy,
    BoxesText,
    Mixture,
    RandomText,
    Repeats,
)
from explicate.models.tiny.decoder import Decoder

DECODER = Decoder(VOCABULARY, layers=1, width=16, heads=2, mlp_width=16)


def rng(seed=0):
    return np.random.default_rng(seed)


def words(batch):
    return [DECODER.decode(row).split() for row in batch.ids]


def test_boxes_begin_as_the_prompts_do_and_ask_for_every_box():
    batch = BoxesText().batch(rng(), 6)
    for told, weights in zip(words(batch), batch.weights, strict=True):
        start = told.index(".") + 1
        segments = " ".join(told[: start - 1]).split(" , ")
        inside = {segment.split()[-1]: segment.split()[1] for segment in segments}
        prompt = BoxesPrompt(tuple(inside.values()), tuple(inside), told[start + 1])
        assert " ".join(told[: start + 4]) == prompt.text(spaced=True)
        counted = np.flatnonzero(weights)
        assert [told[i] for i in counted] == [inside[told[i - 3]] for i in counted]
        assert sorted(told[i - 3] for i in counted) == sorted(inside)


@pytest.mark.parametrize(("between", "after"), [(0, 0), (2, 1), (0, 2)])
def test_boxes_in_short_bind_the_same(between, after):
    corpus = BoxesText(3, 5, between, after, rounds=2)
    batch = corpus.batch(rng(), 4)
    for told, weights in zip(words(batch), batch.weights, strict=True):
        counted = np.flatnonzero(weights)
        boxes = len(counted) // 2
        inside = {told[i * (2 + between) + 1 + between]: told[i * (2 + between)] for i in range(boxes)}
        assert [told[i] for i in counted] == [inside[told[i - 1 - after]] for i in counted]


def test_assignments_are_answered_as_they_were_made():
    batch = Assignments().batch(rng(), 5)
    for told, weights in zip(words(batch), batch.weights, strict=True):
        values = {told[i - 1]: told[i + 1] for i, word in enumerate(told) if word == "="}
        counted = np.flatnonzero(weights)
        assert [told[i] for i in counted] == [values[told[i - 2]] for i in counted]
        assert "Box" not in told


def test_repeats_have_periods_that_differ():
    batch = Repeats().batch(rng(), 40)
    periods = set()
    for ids, weights in zip(batch.ids, batch.weights, strict=True):
        first = int(np.flatnonzero(weights)[0]) - 1
        periods.add(first)
        assert len(set(ids[:first].tolist())) == first
        np.testing.assert_array_equal(ids[first:], ids[: len(ids) - first])
    assert len(periods) > 10
    assert min(periods) >= 6
    assert max(periods) <= 24


def test_random_text_follows_its_grammar_and_nothing_more():
    batch = RandomText(length=200).batch(rng(), 50)
    following = {}
    for row in batch.ids:
        for word, after in pairwise(row):
            following.setdefault(int(word), set()).add(int(after))
    assert max(map(len, following.values())) <= 4
    assert batch.weights is None
    other = RandomText(length=200, language=1).batch(rng(), 50)
    assert not np.array_equal(other.ids, batch.ids)


def test_a_mixture_draws_as_often_as_it_says():
    mixture = Mixture((Assignments(), RandomText()), (0.25, 0.75))
    draws = rng()
    shares = [mixture.batch(draws, 1).weights is None for _ in range(400)]
    assert np.mean(shares) == pytest.approx(0.75, abs=0.07)
    with pytest.raises(InputError, match="do not fit 2 corpora"):
        Mixture((Assignments(), RandomText()), (0.5, 0.6))


def test_an_untrained_decoder_is_not_good_enough():
    model = DECODER.handle(DECODER.build(0))
    stop = BoxesAccuracy(prompts=40)
    assert stop.measured(model) < 0.2
    assert not stop.reached(model)
    assert BoxesAccuracy(accuracy=0.0, prompts=10).reached(model)
