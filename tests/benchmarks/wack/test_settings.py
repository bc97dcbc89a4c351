"""What stands before a question, and that it leaves the question alone."""

import pytest

from explicate.benchmarks.wack import EASY_FACTS, AliceBob, BadShots, GoodShots, Item, Shots, prompts
from explicate.errors import InputError

ITEMS = [Item(f"What is number {number}?", ("yes",)) for number in range(60)]


def test_bad_examples_are_the_good_ones_with_other_answers():
    shots = Shots()
    for item in ITEMS:
        good, bad = GoodShots(shots)(item), BadShots(shots)(item)
        asked = [line for line in good.split("\n") if line.startswith("question:")]
        assert asked == [line for line in bad.split("\n") if line.startswith("question:")]
        assert len(set(asked)) == 3
        told = [(a, b) for a, b in zip(good.split("\n"), bad.split("\n"), strict=True) if a.startswith("answer:")]
        assert all(a != b for a, b in told)


def test_the_story_has_one_example_the_first_and_its_right_answer():
    shots = Shots()
    for item in ITEMS[:5]:
        text = AliceBob(shots)(item)
        assert text.endswith(shots.of(item)[0].text(good=True))
        assert text.count("question:") == 1


def test_an_items_examples_do_not_depend_on_other_items():
    assert [Shots().of(item) for item in ITEMS] == [Shots().of(item) for item in reversed(ITEMS)][::-1]
    assert len({Shots().of(item) for item in ITEMS}) > 40


def test_items_of_different_folds_share_no_example():
    shots = Shots(folds=3)
    seen = [set(), set(), set()]
    for item in ITEMS:
        seen[shots.fold(item)] |= set(shots.of(item))
    assert all(len(each) >= 6 for each in seen)
    assert sum(len(each) for each in seen) == len(seen[0] | seen[1] | seen[2])


def test_few_draws_let_many_items_begin_alike():
    shots = Shots(folds=3, draws=4)
    prefixes = {GoodShots(shots)(item) for item in ITEMS}
    assert 6 < len(prefixes) <= 12
    assert {shots.fold(item) for item in ITEMS} == {0, 1, 2}
    with pytest.raises(InputError, match="draws is 0"):
        Shots(draws=0)


def test_an_item_is_never_its_own_example():
    own = EASY_FACTS[0]
    item = Item(own.question, (own.right,))
    assert own not in Shots().of(item)


def test_too_many_folds_are_refused():
    with pytest.raises(InputError, match="fewer folds"):
        Shots(folds=7)


def test_any_function_is_a_setting(smollm2):
    texts = prompts(lambda item: "Answer in one word.\n", ITEMS[:3], smollm2)
    assert texts == [f"Answer in one word.\n{item.prompt}" for item in ITEMS[:3]]
    assert prompts(lambda item: "Be brief.\n" + item.prompt, ITEMS[:2]) == [f"Be brief.\n{i.prompt}" for i in ITEMS[:2]]


def test_a_setting_that_changes_the_question_is_found_out():
    def louder(item):
        return item.prompt.replace("What is", "WHAT IS")

    with pytest.raises(InputError, match="'louder' changes the question"):
        prompts(louder, ITEMS)


def test_a_prefix_that_grows_together_with_the_question_is_found_out(smollm2):
    with pytest.raises(InputError, match="end the prefix with a new line"):
        prompts(lambda item: "Tell me a re", ITEMS[:1], smollm2)


def test_a_setting_that_gives_no_text_is_refused():
    with pytest.raises(InputError, match="give a text"):
        prompts(lambda item: None, ITEMS[:1])
