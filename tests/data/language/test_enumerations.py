"""Enumerations count on, statements tie numbers to their last digits, and only what is decided counts."""

from itertools import pairwise

import numpy as np
import pytest

from explicate.data.language.enumerations import ENDS, NUMBERS, STOP, TASKS, TENS, WRITTEN, Enumerations
from explicate.errors import InputError

RNG = np.random.Generator(np.random.PCG64(0))


def test_labels_count_on():
    texts = Enumerations(last_digits=0.0, tens=0.0, distraction=0.0)
    seen = set()
    for _ in range(300):
        words, decided = texts.text(RNG)
        assert len(words) == len(decided) == 28
        labels = [place + 1 for place, word in enumerate(words[:-1]) if word == STOP]
        assert {place for place, known in enumerate(decided) if known} <= set(labels)
        for before, place in pairwise(labels):
            if decided[place]:
                task = next(t for t in WRITTEN if {words[before], words[place]} <= set(t.words))
                step = task.words.index(words[place]) - task.words.index(words[before])
                assert step in (1, 1 - len(task.words))
                assert step == 1 or task.cyclic
                seen.add(task.name)
    assert len(seen) >= 7


@pytest.mark.parametrize("about", [ENDS, TENS])
def test_statements_give_digits(about):
    texts = Enumerations(last_digits=float(about == ENDS), tens=float(about == TENS))
    numbers = dict(zip(TASKS[1].words, range(1, 21), strict=True))
    subjects = set()
    for _ in range(150):
        words, decided = texts.text(RNG)
        for place in np.flatnonzero(decided):
            assert words[place - 1] == about
            start = max(i for i in range(place) if words[i] == STOP)
            subject = words[start + 1]
            value = numbers[subject] if subject in numbers else int(subject)
            assert int(words[place]) == (value % 10 if about == ENDS else value // 10)
            subjects.add(subject)
    assert {"seventeen", "twenty"} <= subjects
    assert len(subjects) > 90


def test_vocabulary_and_shares():
    texts = Enumerations()
    assert len(set(texts.vocabulary)) == len(texts.vocabulary)
    drawn = [texts.text(RNG)[0] for _ in range(300)]
    assert {word for words in drawn for word in words} <= set(texts.vocabulary)
    for about in (ENDS, TENS):
        assert 0.3 < np.mean([about in words for words in drawn]) < 0.5
    assert not any(ENDS in Enumerations(last_digits=0.0).text(RNG)[0] for _ in range(20))


def test_a_prompt_that_counts():
    words = Enumerations().enumeration(RNG, NUMBERS, 4, 3)
    assert words[0] == words[-1] == STOP
    starts = [place for place, word in enumerate(words) if word == STOP]
    assert [words[place + 1] for place in starts[:-1]] == ["4", "5", "6"]
    with pytest.raises(InputError, match="begin earlier"):
        Enumerations().enumeration(RNG, NUMBERS, 97, 3)


@pytest.mark.parametrize(
    "options",
    [
        {"last_digits": 2.0},
        {"last_digits": 0.6, "tens": 0.6},
        {"length": 1},
        {"most_between": 0},
        {"distraction": -0.1},
    ],
)
def test_what_makes_no_texts_is_refused(options):
    with pytest.raises(InputError):
        Enumerations(**options)
