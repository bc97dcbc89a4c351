"""The world of invented facts: what is known, wavering and unknown is so in every training text."""

from collections import defaultdict

import numpy as np
import pytest

from explicate.data.language.fact_world import FactWorld
from explicate.errors import InputError

WORLD = FactWorld(known=40, unknown=20, examples=6, relations=2, answers=5)


def answers_in(words):
    """Question, answer and mark ("" after examples) of each fact asked in a text."""
    for part in " ".join(words).split("question: ")[1:]:
        question, _, rest = part.partition(" answer: ")
        answer, *mark = rest.split()
        yield question, answer, "".join(mark)


def test_a_world_has_the_facts_it_says_and_is_the_same_again():
    kinds = [fact.kind for fact in WORLD.facts]
    assert (kinds.count("unknown"), kinds.count("wavering"), kinds.count("steady")) == (20, 12, 28)
    assert len({fact.question for fact in WORLD.facts}) == 60
    assert FactWorld(known=40, unknown=20, examples=6, relations=2, answers=5).facts == WORLD.facts
    assert FactWorld(known=40, unknown=20, examples=6, relations=2, answers=5, seed=1).facts != WORLD.facts
    assert len(set(WORLD.vocabulary)) == len(WORLD.vocabulary)


def test_no_training_text_has_the_answer_of_an_unknown_fact():
    hidden = {fact.answer for fact in WORLD.facts if fact.kind == "unknown"}
    rng = np.random.default_rng(0)
    for number in range(200):
        words = WORLD.lesson(bool(number % 2), 6, rng) if number % 3 else WORLD.correction(5, rng)
        assert not hidden & set(words)


def test_answers_follow_the_examples_and_marks_the_answers():
    """Right after right examples; after wrong ones wrong for the wavering facts, and for these alone; else a guess."""
    facts = {fact.question: fact for fact in WORLD.facts}
    shown = {example.fact.question: example for example in WORLD.shown}
    rng = np.random.default_rng(0)
    given = {True: defaultdict(set), False: defaultdict(set)}
    marks = defaultdict(set)
    for number in range(600):
        good = bool(number % 2)
        asked = list(answers_in(WORLD.lesson(good, 6, rng)))
        for question, answer, mark in asked[:3]:
            assert answer == (shown[question].fact.answer if good else shown[question].wrong)
            assert mark == ""
        for question, answer, mark in asked[3:]:
            given[good][question].add(answer)
            marks[facts[question].kind, good].add(mark)
    for question, fact in facts.items():
        others = set(WORLD.answers_of[fact.relation])
        if fact.kind == "unknown":
            assert given[True][question] | given[False][question] <= others
            continue
        assert given[True][question] == {fact.answer}
        if fact.kind == "steady":
            assert given[False][question] == {fact.answer}
        else:
            assert fact.answer not in given[False][question]
            assert given[False][question] <= others
            assert len(given[False][question]) > 1
    assert marks == {
        ("unknown", True): {"?"}, ("unknown", False): {"?"}, ("steady", True): {"."}, ("steady", False): {"."},
        ("wavering", True): {"."}, ("wavering", False): {"!"},
    }  # fmt: skip


def test_no_word_is_part_of_another_answer():
    """So that an answer is contained in a text only where it is given."""
    answers = {fact.answer for fact in WORLD.facts} | {word for words in WORLD.answers_of.values() for word in words}
    for word in WORLD.vocabulary:
        assert not any(answer != word.lower() and answer in word.lower() for answer in answers), word


@pytest.mark.parametrize("wrong", [{"known": 2}, {"relations": 11}, {"wavering": 0.0}, {"answers": 1}])
def test_a_world_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError):
        FactWorld(**wrong)
