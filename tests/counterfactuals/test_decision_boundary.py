"""The way across the boundary of models whose boundary is known."""

import numpy as np
import pytest

from explicate.core.explanation import Explanation
from explicate.counterfactuals import DecisionBoundary
from explicate.counterfactuals.decision_boundary import other_values, perturbed
from explicate.errors import CapabilityError, InputError
from explicate.evaluation.simulatability.planted import additive_table, rule_table
from explicate.models.tabular import TabularModel

RNG = np.random.Generator(np.random.PCG64(0))


def test_a_rule_is_crossed_by_the_fewest_edits_there_are():
    planted = rule_table(rows=400)
    rows = planted.test.values()[:60]
    found = DecisionBoundary(samples=3000).explain(planted.model, rows)
    needed = np.where((rows[:, :2] == 0).all(axis=1), 1, (rows[:, :2] != 0).sum(axis=1))
    assert found["steps"].values.tolist() == needed.tolist()
    last = found["counterfactual"].values[np.arange(60), np.maximum(needed - 1, 0)]
    assert (planted.model.predict(last).argmax(axis=1) != planted.model.predict(rows).argmax(axis=1)).all()


def test_each_step_changes_the_predicted_score_least():
    planted = additive_table(rows=400, spread=0.7)
    rows = planted.test.values()[:30]
    found = DecisionBoundary(samples=2000).explain(planted.model, rows)
    several = np.flatnonzero(found["steps"].values >= 2)
    assert len(several)
    scores = lambda points, label: np.log(planted.model.predict(points)[:, label])  # noqa: E731
    for sample in several:
        label, steps = int(found["target"].values[sample]), int(found["steps"].values[sample])
        goal = found["counterfactual"].values[sample, steps - 1]
        current = rows[sample].copy()
        for step in range(steps - 1):
            left = np.flatnonzero(current != goal)
            options = np.repeat(current[None], len(left), axis=0)
            options[np.arange(len(left)), left] = goal[left]
            change = np.abs(scores(options, label) - scores(current[None], label))
            assert found["edited"].values[sample, step] == left[change.argmin()]
            current = options[change.argmin()]
            assert np.array_equal(current, found["counterfactual"].values[sample, step])
            assert found["margin"].values[sample, step] >= 0 or step == steps - 1


def test_further_tries_change_more_features():
    """The model answers otherwise only where at least five features have another value."""
    features = rule_table(rows=50).model.features

    def scores(rows):
        far = (np.asarray(rows) != 0).sum(axis=1) >= 5
        return np.where(far[:, None], [0.1, 0.9], [0.9, 0.1])

    model = TabularModel(scores, np.zeros((5, 8)), features=features)
    steps = {
        tries: int(
            DecisionBoundary(samples=300, edits=3, tries=tries).explain(model, np.zeros((1, 8)))["steps"].values[0]
        )
        for tries in (1, 2, 5)
    }
    assert steps == {1: 0, 2: 5, 5: 5}
    with pytest.raises(InputError, match="0 tries"):
        DecisionBoundary(tries=0)


def test_where_nothing_crosses_there_are_no_steps(tmp_path):
    features = rule_table(rows=50).model.features
    same = TabularModel(lambda rows: np.tile([0.9, 0.1], (len(rows), 1)), np.zeros((5, 8)), features=features)
    found = DecisionBoundary(samples=50).explain(same, np.zeros((2, 8)))
    assert found["steps"].values.tolist() == [0, 0]
    assert Explanation.load(found.save(tmp_path / "boundary.nc")).data.identical(found.data)


def test_edits_are_of_one_to_three_features_at_other_values():
    model = rule_table(rows=50).model
    row = np.zeros(8)
    drawn = perturbed(row, other_values(model), 3000, 3, RNG)
    counts = np.bincount((drawn != row).sum(axis=1), minlength=4)
    assert counts[0] == 0
    assert counts[1:] == pytest.approx([1000] * 3, abs=120)
    touched = (drawn != row).mean(axis=0)
    assert touched == pytest.approx([2 / 8] * 8, abs=0.03)
    assert set(np.unique(drawn)) == {0.0, 1.0, 2.0}


def test_a_model_without_a_score_for_each_class_is_refused():
    one = TabularModel(lambda rows: rows[:, 0], np.zeros((5, 2)))
    with pytest.raises(CapabilityError, match="one output"):
        DecisionBoundary().explain(one, np.zeros((1, 2)))
    with pytest.raises(InputError, match="0 samples"):
        DecisionBoundary(samples=0)
    with pytest.raises(InputError, match="another value"):
        perturbed(np.zeros(2), [np.zeros(1), np.zeros(1)], 5, 3, RNG)
