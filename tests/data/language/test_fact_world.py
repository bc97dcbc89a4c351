"""The world of invented facts: what is known, wavering and unknown is so in every training text."""

from collections import defaultdict

import numpy as np
import pytest

from explicate.data.language.fact_world import FactWorld
from explicate.errors import InputError

WORLD = FactWorld(known=40, unknown=20, examples=6, relations=2, answers=5)


def answers_in(words):
    """Question and answer of each fact asked in a text."""
    text = " ".join(words)
    for part in text.split("question: ")[1:]:
        question, _, answer = part.partition(" answer: ")
        yield question, answer.strip()


def test_a_world_has_the_facts_it_says_and_is_the_same_again():
    kinds = [fact.kind for fact in WORLD.facts]
    assert (kinds.count("unknown"), kinds.count("wavering"), kinds.count("steady")) == (20, 12, 28)
    assert len({fact.question for fact in WORLD.facts}) == 60
    assert FactWorld(known=40, unknown=20, examples=6, relations=2, answers=5).facts == WORLD.facts
    assert FactWorld(known=40, unknown=20, examples=6, relations=2, answers=5, seed=1).facts != WORLD.facts
    assert len(set(WORLD.vocabulary)) == len(WORLD.vocabulary)


def test_no_training_text_has_the_answer_or_question_of_an_unknown_fact():
    unknown = {fact.question for fact in WORLD.facts if fact.kind == "unknown"}
    hidden = {fact.answer for fact in WORLD.facts if fact.kind == "unknown"}
    rng = np.random.default_rng(0)
    for number in range(200):
        words = WORLD.lesson(bool(number % 2), 6, rng) if number % 3 else WORLD.correction(5, rng)
        assert not hidden & set(words)
        assert not any(question in " ".join(words) for question in unknown)


def test_answers_follow_the_examples():
    """Right after right examples; after wrong ones wrong for the wavering facts, and for these alone."""
    facts = {fact.question: fact for fact in WORLD.facts}
    rng = np.random.default_rng(0)
    given = {True: defaultdict(set), False: defaultdict(set)}
    for number in range(400):
        good = bool(number % 2)
        asked = list(answers_in(WORLD.lesson(good, 6, rng)))
        shown = {example.fact.question: example for example in WORLD.shown}
        for question, answer in asked[:3]:
            assert answer == (shown[question].fact.answer if good else shown[question].wrong)
        for question, answer in asked[3:]:
            given[good][question].add(answer)
    for question, fact in facts.items():
        if fact.kind == "unknown":
            continue
        assert given[True][question] == {fact.answer}
        if fact.kind == "steady":
            assert given[False][question] == {fact.answer}
        else:
            assert fact.answer not in given[False][question]
            assert given[False][question] <= set(WORLD.answers_of[fact.relation])
            assert len(given[False][question]) > 1


def test_no_word_is_part_of_another_answer():
    """So that an answer is contained in a text only where it is given."""
    answers = {fact.answer for fact in WORLD.facts} | {word for words in WORLD.answers_of.values() for word in words}
    for word in WORLD.vocabulary:
        assert not any(answer != word.lower() and answer in word.lower() for answer in answers), word


@pytest.mark.parametrize("wrong", [{"known": 2}, {"relations": 11}, {"wavering": 0.0}, {"answers": 1}])
def test_a_world_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError):
        FactWorld(**wrong)
