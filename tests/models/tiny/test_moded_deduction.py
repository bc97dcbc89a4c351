"""Answers follow the rule or a coin as the mode says; single questions have the corpus's facts."""

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.models.tiny.moded_deduction import ANIMALS, DECODER, GUESS, NAMES, SOLVE, ModedDeductions, deductions


def solved(words):
    """Each person's animal of fear, found by reading the facts."""
    triples = [tuple(words[i : i + 3]) for i in range(0, 24, 3)]
    fears = {a: b for a, verb, b in triples if verb == "fears"}
    kinds = {a: b for a, verb, b in triples if verb == "is"}
    assert len(fears) == len(kinds) == 4
    assert all(a != b for a, b in fears.items())
    return {person: fears[kind] for person, kind in kinds.items()}


def test_answers_follow_the_mode():
    batch = ModedDeductions(unmarked=0.0).batch(np.random.default_rng(0), 400)
    right = {SOLVE: [], GUESS: []}
    for ids, weights in zip(batch.ids, batch.weights, strict=True):
        words = DECODER.decode(ids).split()
        truth = solved(words[1:])
        for i in range(25, 37, 3):
            right[words[0]].append(words[i + 2] == truth[words[i]])
        assert np.flatnonzero(weights).tolist() == [27, 30, 33, 36]
    assert np.mean(right[SOLVE]) == 1.0
    assert np.mean(right[GUESS]) == pytest.approx(0.25, abs=0.05)


def test_unmarked_texts_hold_one_of_the_modes():
    batch = ModedDeductions(unmarked=1.0).batch(np.random.default_rng(0), 400)
    right = []
    for ids in batch.ids:
        words = DECODER.decode(ids).split()
        assert SOLVE not in words
        truth = solved(words)
        right.append(np.mean([words[i + 2] == truth[words[i]] for i in range(24, 36, 3)]))
    assert np.mean(right) == pytest.approx(0.625, abs=0.05)
    shares = ModedDeductions(unmarked=0.5).batch(np.random.default_rng(0), 400)
    assert (shares.ids[:, 0] <= 1).mean() == pytest.approx(0.5, abs=0.1)
    with pytest.raises(InputError, match="share"):
        ModedDeductions(unmarked=1.5)


def test_single_questions():
    for one in deductions(np.random.default_rng(1), 50):
        words = one.prompt(SOLVE).split()
        assert words[0] == SOLVE
        assert solved(words[1:])[words[-2]] == one.answer
        assert one.prompt() == one.prompt(GUESS).removeprefix(f"{GUESS} ")
        assert words[-2] in NAMES
        assert one.answer in ANIMALS
