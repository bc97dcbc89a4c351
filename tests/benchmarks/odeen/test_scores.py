import numpy as np
import pytest

from explicate.benchmarks.odeen import (
    equivalent,
    first_equivalent,
    nearest_rule_score,
    nearest_rules,
    probed_structures,
    random_floor,
    tag_scores,
    true_reader,
)
from explicate.data.odeen import all_structures, language
from explicate.errors import InputError

RULES = language("small")


@pytest.mark.parametrize(
    ("rule", "true_rule", "same"),
    [
        ("at_least 1 red touching blue", "at_least 1 blue touching red", True),
        ("at_least 1 red at_the_left_of blue", "at_least 1 blue at_the_right_of red", True),
        ("at_least 1 red at_the_left_of blue", "at_least 1 red at_the_right_of blue", False),
        ("exactly 1 red touching blue", "exactly 1 blue touching red", False),
        ("zero red and zero red", "zero red", True),  # outside the small language, and still read
        ("zero red zero", "zero red", False),
        (None, "zero red", False),
    ],
)
def test_meanings_are_compared_and_not_strings(rule, true_rule, same):
    assert equivalent(rule, true_rule) == same
    if rule is not None:
        assert first_equivalent(["red", "zero blue", rule], true_rule, RULES) == (2 if same else None)


def test_tags_are_read_as_the_nearest_rule():
    probes = probed_structures(0, 400)
    for rule in ("at_least 2 red", "exactly 1 blue touching red block"):
        row = RULES.places[rule]
        tags = RULES.tags(np.array(row), probes)
        assert row in nearest_rules(tags, probes, RULES)
        assert nearest_rule_score(tags, probes, rule, RULES)
        tags[:5] = ~tags[:5]
        assert nearest_rule_score(tags, probes, rule, RULES)
    assert not nearest_rule_score(tags, probes, "zero red", RULES)
    few = probes[:2]  # cannot tell one rule from another
    assert not nearest_rule_score(RULES.tags(np.array(row), few), few, rule, RULES)
    with pytest.raises(InputError, match="2 tags of 3"):
        nearest_rules(np.array([True, False]), probes[:3], RULES)


def test_scores_of_a_worked_example():
    found = tag_scores(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 1]))
    assert found == {"accuracy": 0.5, "f1": 0.5, "hamming": 2.0}
    assert tag_scores(np.zeros(3), np.zeros(3)) == {"accuracy": 1.0, "f1": 1.0, "hamming": 0.0}


def test_the_random_floor_is_the_share_of_equal_meanings():
    rules = ["zero red", "at_least 1 red touching blue"]
    expected = np.mean([(RULES.meaning == RULES.meaning[RULES.places[rule]]).mean() for rule in rules])
    assert random_floor(rules, RULES) == pytest.approx(expected)


def test_the_true_meaning_stands_in_for_an_interpreter():
    ids = probed_structures(1, 50)
    read = true_reader(RULES)(["zero red", "zero red and zero blue"], all_structures()[ids].astype(np.int64))
    assert np.array_equal(read[0], RULES.tags(np.array(RULES.places["zero red"]), ids))
    assert np.array_equal(read[1], (all_structures()[ids] == 0).all(axis=1))
