import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from explicate.benchmarks.odeen import equivalent, true_reader
from explicate.data.odeen import TableMaker, all_structures, language
from explicate.errors import InputError
from explicate.glassbox.explanatory import Conjecture, criticise
from explicate.glassbox.explanatory.criticism import checked_table, choice

RULES = language("small")
READ = true_reader(RULES)


def table_of(rule, seed=0):
    """A table that leaves one meaning."""
    row = RULES.places[rule]
    ids = TableMaker(RULES, np.random.default_rng(seed), 128).informative(row)
    return all_structures()[ids].astype(np.int64), RULES.tags(np.array(row), ids)


def conjectures(*texts):
    return [Conjecture(text, -float(place)) for place, text in enumerate(texts)]


def test_the_first_without_contradiction_is_stated():
    table = table_of("at_least 1 red touching blue")
    ours = conjectures("zero red", "at_least 1 blue touching red", "at_least 1 red touching blue")
    for nearest in (True, False):
        found = criticise(READ, ours, *table, find_nearest=nearest)
        assert found.rule == "at_least 1 blue touching red"  # the same meaning, and likelier
        assert found.distance == 0
        assert found.contradictions[0] > 0


def test_without_a_survivor_the_strict_way_abstains_and_the_other_takes_the_nearest():
    table = table_of("exactly 1 red touching blue")
    ours = conjectures("zero red", "at_least 1 red touching blue", "zero blue")
    assert criticise(READ, ours, *table, find_nearest=False).rule is None
    found = criticise(READ, ours, *table)
    assert found.contradictions[1] == (READ([ours[1].text], table[0])[0] != table[1]).sum()
    assert found.distance == min(found.contradictions) > 0
    assert found.rule == ours[int(np.argmin(found.contradictions))].text


def test_malformed_conjectures_are_never_stated_and_counted():
    table = table_of("zero red")
    found = criticise(READ, conjectures("red zero", "zero", "zero red", "zero red red"), *table)
    assert found.rule == "zero red"
    assert found.usable.tolist() == [False, False, True, False]
    assert criticise(READ, conjectures("red zero"), *table).rule is None


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=8))
def test_the_choice_is_the_nearest_and_of_several_the_first(given):
    wrong = np.array([number for number, _ in given], dtype=int)
    usable = np.array([use for _, use in given], dtype=bool)
    best = min((number for number, use in given if use), default=None)
    first = None if best is None else next(i for i, (number, use) in enumerate(given) if use and number == best)
    assert choice(wrong, usable) == first
    assert choice(wrong, usable, find_nearest=False) == (first if best == 0 else None)


def test_with_true_meaning_more_conjectures_never_hurt():
    """A table that leaves one meaning, and the first conjectures of one list: once right, always right."""
    rng = np.random.default_rng(0)
    for rule in ("at_least 2 blue touching red block", "exactly 1 red surrounded_by block"):
        table = table_of(rule)
        texts = [RULES.texts[row] for row in rng.choice(len(RULES), 300, replace=False)]
        texts.insert(150, rule)
        right = [
            equivalent(criticise(READ, conjectures(*texts[:width]), *table).rule, rule)
            for width in (1, 10, 30, 100, 151, 301)
        ]
        assert right == sorted(right)
        assert right[-1]


def test_a_contradictory_table_is_refused_unless_noise_is_allowed():
    codes = np.array([[0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]])
    with pytest.raises(ValueError, match="observation 2: the same structure has both tags"):
        checked_table(codes, [True, False, False], allow_noise=False)
    assert checked_table(codes, [1, 0, 0], allow_noise=True).tolist() == [True, False, False]
    assert checked_table(codes, [True, False, True], allow_noise=False).tolist() == [True, False, True]
    with pytest.raises(InputError, match="3 structures and 2 tags"):
        checked_table(codes, [True, False], allow_noise=False)
    with pytest.raises(InputError, match="'yes' is neither"):
        checked_table(codes, ["yes", True, False], allow_noise=False)
