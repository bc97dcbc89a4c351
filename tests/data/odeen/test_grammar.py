import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.odeen.grammar import (
    LONGEST,
    OBJECTS,
    WORDS,
    connected_rules,
    is_rule,
    parse,
    relational_rules,
    simple_rules,
)
from explicate.errors import InputError

RULES = (*simple_rules(), *relational_rules(), *connected_rules())


def test_the_counts_of_the_paper():
    assert len(OBJECTS) == 14
    assert len(simple_rules()) == 98
    assert len(relational_rules()) == 5_488
    assert len(connected_rules()) == 19_208
    assert len(set(map(str, RULES))) == 24_794
    assert len(WORDS) == 18
    assert max(len(str(rule).split()) for rule in RULES) == LONGEST == 11


def test_every_rule_is_read_back():
    for rule in RULES:
        assert parse(str(rule)) == rule


@given(st.lists(st.sampled_from(WORDS), max_size=LONGEST))
def test_any_words_are_a_rule_exactly_if_they_are_on_the_list(words):
    text = " ".join(words)
    assert is_rule(text) == (text in TEXTS)


TEXTS = frozenset(map(str, RULES))


@pytest.mark.parametrize(
    ("text", "token", "found"),
    [
        ("", 0, "the end"),
        ("red", 0, "'red'"),
        ("at_least red", 1, "'red'"),
        ("zero 1 red", 1, "'1'"),
        ("at_least 1 pyramid red", 3, "'red'"),
        ("at_least 1 red block touching", 5, "the end"),
        ("zero red touching blue and zero red", 4, "'and'"),
        ("zero red and zero blue touching red", 5, "'touching'"),
        ("zero red and zero blue or zero block", 5, "'or'"),
        ("exactly 1 red block pointing_up", 4, "'pointing_up'"),
    ],
)
def test_what_is_outside_is_refused_with_the_index_of_its_token(text, token, found):
    with pytest.raises(InputError, match=f"token {token} is {found}"):
        parse(text)
