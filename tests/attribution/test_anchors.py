"""Anchors against rules that are known, and the bounds against their definition."""

import numpy as np
import pytest
from scipy.special import rel_entr

from explicate.attribution.anchors import Anchor, kl_lower, kl_upper
from explicate.errors import InputError
from explicate.evaluation.simulatability.planted import additive_table, rule_table


def test_the_conditions_of_a_rule_model_are_found_exactly():
    planted = rule_table(rows=400)
    rows = planted.test.values()[:40]
    found = Anchor().explain(planted.model, rows, seed=0)
    both = (rows[:, :2] == 0).all(axis=1)
    for sample, row in enumerate(rows):
        columns = found["literal_column"].values[found["literal_rule"].values == sample].tolist()
        if both[sample]:
            assert columns == ["Part 1", "Part 2"]
        else:
            assert len(columns) == 1
            assert row[int(columns[0][-1]) - 1] != 0
            assert columns[0] in ("Part 1", "Part 2")
    assert both.any()
    assert found["reached"].values.all()
    background = planted.model.background
    expected = ((background[:, 0] == 0) & (background[:, 1] == 0)).mean()
    assert found["coverage"].values[both] == pytest.approx(expected)


def test_an_anchor_that_is_not_precise_enough_is_kept_and_says_so():
    planted = additive_table(rows=300)
    found = Anchor(most=1).explain(planted.model, planted.test.values()[:6])
    assert not found["reached"].values.all()
    missed = ~found["reached"].values
    assert (found["precision"].values[missed] < 0.95).all()
    assert len(found) == 6


def test_the_precision_is_that_of_fresh_rows_with_the_conditions_in_them():
    planted = additive_table(rows=2000)
    row = planted.test.values()[:1]
    found = Anchor().explain(planted.model, row)
    columns = [int(name.split()[1]) - 1 for name in found["literal_column"].values]
    fresh = planted.development.values().copy()
    fresh[:, columns] = row[0, columns]
    own = planted.model.predict(row).argmax()
    assert (planted.model.predict(fresh).argmax(axis=1) == own).mean() >= 0.93


@pytest.mark.parametrize(("share", "level"), [(0.0, 0.1), (0.3, 0.02), (0.5, 0.5), (0.95, 0.01), (1.0, 0.2)])
def test_bounds_lie_where_the_divergence_equals_the_level(share, level):
    for bound, side in ((kl_upper(share, level), 1), (kl_lower(share, level), -1)):
        assert side * (bound - share) >= 0
        if 1e-4 < bound < 1 - 1e-4:
            found = rel_entr(share, bound) + rel_entr(1 - share, 1 - bound)
            assert found == pytest.approx(level, rel=0.02, abs=1e-3)


@pytest.mark.parametrize("wrong", [{"precision": 1.0}, {"delta": 0.0}, {"beam": 0}, {"batch": 0}, {"tolerance": 0.0}])
def test_parameters_out_of_their_range_are_refused(wrong):
    with pytest.raises(InputError, match="anchor"):
        Anchor(**wrong)


def test_equal_seeds_give_equal_anchors():
    planted = additive_table(rows=300)
    first, second = (Anchor().explain(planted.model, planted.test.values()[:3], seed=1) for _ in range(2))
    assert first.data.identical(second.data)
    assert np.array_equal(first["draws"].values, second["draws"].values)
