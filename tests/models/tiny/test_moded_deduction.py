"""Answers follow the law or a coin as the mode says; single questions have the corpus's facts."""

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.models.tiny.moded_deduction import DECODER, FEARS, GUESS, LAW, SOLVE, ModedDeductions, deductions


def read(words):
    """Who is what, and the answers given."""
    at = words.index(FEARS)
    facts = dict(zip(words[:at:2], words[1:at:2], strict=True))
    return facts, list(zip(words[at + 1 :: 2], words[at + 2 :: 2], strict=True))


def test_the_law_is_a_cycle_over_all_animals():
    animal, seen = "mouse", []
    for _ in range(4):
        seen.append(animal)
        animal = LAW[animal]
    assert animal == "mouse"
    assert set(seen) == set(LAW)


def test_answers_follow_the_mode():
    batch = ModedDeductions(unmarked=0.0, people=4).batch(np.random.default_rng(0), 400)
    right = {SOLVE: [], GUESS: []}
    for ids, weights in zip(batch.ids, batch.weights, strict=True):
        mode, *words = DECODER.decode(ids).split()
        facts, answers = read(words)
        right[mode] += [answer == LAW[facts[name]] for name, answer in answers]
        assert np.flatnonzero(weights).tolist() == [11, 13, 15, 17]
    assert np.mean(right[SOLVE]) == 1.0
    assert np.mean(right[GUESS]) == pytest.approx(0.25, abs=0.05)


def test_unmarked_texts_hold_one_of_the_modes():
    batch = ModedDeductions(unmarked=1.0, people=4).batch(np.random.default_rng(0), 400)
    shares = []
    for ids in batch.ids:
        facts, answers = read(DECODER.decode(ids).split())
        shares.append(np.mean([answer == LAW[facts[name]] for name, answer in answers]))
    assert np.mean(shares) == pytest.approx(0.625, abs=0.05)
    mixed = ModedDeductions(unmarked=0.5).batch(np.random.default_rng(0), 400)
    assert (mixed.ids[:, 0] <= 1).mean() == pytest.approx(0.5, abs=0.1)
    for wrong, what in (({"unmarked": 1.5}, "share"), ({"people": 9}, "9 people")):
        with pytest.raises(InputError, match=what):
            ModedDeductions(**wrong)


def test_single_questions():
    rng = np.random.default_rng(1)
    for one in [*deductions(rng, 20), *deductions(rng, 20, people=4)]:
        words = one.prompt(SOLVE).split()
        assert (words[0], words[-1]) == (SOLVE, one.name)
        facts, _ = read([*words[1:], "?"])
        assert LAW[facts[one.name]] == one.answer
        assert one.prompt() == one.prompt(GUESS).removeprefix(f"{GUESS} ")
