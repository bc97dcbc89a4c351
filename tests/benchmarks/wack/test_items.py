"""Which questions can be asked, and which texts count as right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.benchmarks.wack import Item, hit, prepare
from explicate.errors import InputError


def test_long_and_empty_answers_are_dropped_and_counted():
    items = prepare([("a?", "one two three four five six"), ("b?", "  "), ("c?", "fine")], longest=5)
    assert [item.question for item in items] == ["c?"]
    assert items.dropped == {"gold answer too long": 1, "gold answer empty": 1}


def test_one_question_with_two_answers_has_both():
    items = prepare([("Who?", "Ada"), ("Who?", "Grace"), ("Who?", "Ada")])
    assert items[0].golds == ("Ada", "Grace")
    assert items.dropped == {"same question": 2}
    assert hit(items[0].golds, "it was Grace")


def test_answers_in_capitals_become_capitalised_unless_they_are_codes():
    golds = [item.gold for item in prepare([(f"{n}?", gold) for n, gold in enumerate(
        ["EVEREST", "USA", "A4/B5", "U.S.S.R.", "R2D2", "Oslo"])])]  # fmt: skip
    assert golds == ["Everest", "USA", "A4/B5", "U.S.S.R.", "R2D2", "Oslo"]


def test_at_most_so_many_are_drawn_and_the_same_again():
    pairs = [(f"{number}?", "yes") for number in range(50)]
    first, second = (prepare(pairs, most=10, seed=42) for _ in range(2))
    assert len(first) == 10
    assert first.items == second.items
    assert first.dropped == {"not drawn": 40}
    assert prepare(pairs, most=10, seed=1).items != first.items


def test_tokens_are_those_of_the_model(smollm2):
    pair = ("Which city?", "Antananarivo")  # one word, several tokens
    assert len(prepare([pair], longest=2)) == 1
    assert len(prepare([pair], smollm2, longest=2)) == 0


@pytest.mark.parametrize(
    ("gold", "text", "expected"),
    [
        ("Oslo", " It is OSLO.", True),
        ("  Oslo ", "oslo", True),
        ("Oslo", "Bergen", False),
        ("7", "17", False),
        ("7", "it is 7.", True),
        ("I", "It is", False),
        ("I", "Elizabeth I of England", True),
    ],
)
def test_a_hit_contains_the_answer_and_a_short_one_stands_alone(gold, text, expected):
    assert hit((gold,), text) is expected


def test_short_answers_are_flagged():
    assert prepare([("How many?", "7"), ("Where?", "Oslo")]).flagged == ("How many?",)
    assert prepare([("Symbol?", "He")], alone_below=3).flagged == ("Symbol?",)
    assert not hit(("He",), "the other", alone_below=3)


@given(st.text(alphabet="abc d", min_size=2, max_size=6).filter(str.strip), st.text("abc d"), st.text("abc d"))
def test_an_answer_is_found_wherever_it_stands(gold, before, after):
    assert hit((gold,), before + gold.strip().upper() + after, alone_below=1)


def test_questions_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="one line"):
        Item("two\nlines?", ("yes",))
    with pytest.raises(InputError, match="tuple of texts"):
        Item("what?", "Oslo")
