"""Comparisons on tables whose best model is known beforehand."""

import json

import numpy as np
import pandas as pd
import pytest

from explicate.core import registry
from explicate.core.features import features_of
from explicate.data.table import Table
from explicate.errors import InputError, RunError, UnknownNameError
from explicate.evaluation.glassboxes import compare_glassboxes, contestants, verdict
from explicate.evaluation.glassboxes.measures import scored
from explicate.glassbox.decision_tree import DecisionTree
from explicate.runtime.statistics import area_under_curve

BLACK = "gradient-boosting"
QUICK = ["decision-tree", "logistic-regression", BLACK]


def labelled(frame, labels, names=("no", "yes")):
    return Table("planted", frame, labels, "classification", names, features_of(frame))


def rule_world(rows=600):
    """One rule, a tenth of the labels turned; a constant column and one without any value."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    frame["word"] = pd.Categorical(rng.choice(["x", "y"], rows), categories=["x", "y", "never seen"])
    frame["same"], frame["empty"] = 1.0, np.nan
    truth = (frame["a"] > 0.3) & (frame["word"] == "x")
    return labelled(frame, (truth.to_numpy() ^ (rng.random(rows) < 0.1)).astype(int))


def wave_world(rows=1500):
    """What no small tree and no straight line can say."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(-3, 3, size=(rows, 2)), columns=["a", "b"])
    return labelled(frame, (np.sin(4 * frame["a"]) * np.sin(2 * frame["b"]) > 0).to_numpy().astype(int))


@pytest.fixture(scope="module")
def rules():
    return compare_glassboxes(rule_world(), QUICK)


def test_a_readable_model_is_taken_where_the_world_is_readable(rules):
    said = verdict(rules)
    assert said.choice == "decision-tree"
    assert "leaves" in said.headline
    planted = (rules.table.frame["a"] > 0.3) & (rules.table.frame["word"] == "x")
    possible = (planted.astype(int) == rules.table.labels).mean()
    assert possible - 0.05 <= rules.standing("decision-tree").values["accuracy"].value <= possible + 0.01
    assert rules.standing("decision-tree").behind["accuracy"].high >= 0
    assert rules.standing("logistic-regression").behind["accuracy"].value < 0
    assert rules.control.values["balanced-accuracy"].value == pytest.approx(0.5)
    assert rules.control.values["auc"].value == pytest.approx(0.5)
    assert set(rules.explanations) == {"decision-tree", "logistic-regression"}


def test_what_matters_to_the_black_box_is_what_was_planted(rules):
    found = rules.standing(BLACK).importance
    assert set(sorted(found, key=found.get)[-2:]) == {"a", "word"}
    assert found["same"] == found["empty"] == 0


def test_the_price_of_reading_is_told_where_there_is_one():
    said = verdict(compare_glassboxes(wave_world(), QUICK, folds=3))
    assert said.choice is None
    assert said.headline.startswith("Reading costs something here")
    assert "of 1,000 decisions" in said.headline


def test_differences_are_paired_over_the_rows(rules):
    one, best = rules.standing("decision-tree"), rules.reference
    gap = one.behind["accuracy"]
    assert gap.value == pytest.approx(one.values["accuracy"].value - best.values["accuracy"].value)
    alone = one.values["accuracy"].standard_error ** 2 + best.values["accuracy"].standard_error ** 2
    assert gap.standard_error**2 < alone


def test_a_killed_comparison_goes_on(tmp_path):
    first = compare_glassboxes(rule_world(), QUICK, folds=2, folder=tmp_path)
    log = tmp_path / "units.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:3]))  # as after a kill
    (tmp_path / "results.json").unlink()
    (tmp_path / "models" / "decision-tree.nc").unlink()
    again = compare_glassboxes(rule_world(), QUICK, folds=2, folder=tmp_path)
    assert again.to_frame().equals(first.to_frame())
    assert log.read_text().splitlines(keepends=True)[:3] == lines[:3]
    assert json.loads((tmp_path / "glassboxes.json").read_text())["best_black_box"] == BLACK
    with pytest.raises(RunError, match="folds: 2, now 3"):
        compare_glassboxes(rule_world(), QUICK, folds=3, folder=tmp_path)


def test_a_new_glass_box_takes_part_by_itself(monkeypatch):
    class Stump(DecisionTree):
        """One question."""

        def __init__(self, depth=1, least=0.005, random_state=0, features=None):
            super().__init__(depth, least, random_state, features)

    registry.names("glassboxes")
    monkeypatch.setitem(registry._found["glassboxes"], "stump", Stump)
    Stump.name = "stump"
    found = compare_glassboxes(rule_world(300), ["stump", BLACK], folds=2)
    assert found.standing("stump").length == "2 leaves, 1 condition"


def test_who_takes_part_depends_on_the_classes():
    two, three = ({one.name for one in contestants(500, classes)} for classes in (2, 3))
    assert {"fold-se", "fold-se-m", "decision-tree", "logistic-regression", "multi-layer-perceptron"} <= two
    assert "fold-se" not in three
    assert "fold-se-m" in three
    with pytest.raises(UnknownNameError, match="did you mean 'decision-tree'"):
        contestants(500, 2, ["decision-trees", BLACK])
    with pytest.raises(InputError, match="a readable model"):
        contestants(500, 2, [BLACK])


def test_a_model_that_refuses_the_table_says_why(monkeypatch):
    def refuse(self, X, y):
        raise InputError("not on a Sunday")

    monkeypatch.setattr(DecisionTree, "fit", refuse)
    found = compare_glassboxes(rule_world(300), QUICK, folds=2)
    assert found.standing("decision-tree").reason == "not on a Sunday"
    assert "decision-tree does not apply: not on a Sunday" in str(found)


def test_measures_are_those_of_the_field():
    rng = np.random.default_rng(0)
    labels = (rng.random(200) < 0.2).astype(int)
    chance = np.clip(labels * 0.3 + rng.random(200) * 0.7, 0, 1)
    predicted = (chance > 0.5).astype(int)
    folds = np.arange(200) % 2
    found = scored(labels, [folds], [predicted], [np.column_stack([1 - chance, chance])])
    recalls = [(predicted[labels == code] == code).mean() for code in (0, 1)]
    areas = [
        area_under_curve(chance[(folds == f) & (labels == 0)], chance[(folds == f) & (labels == 1)]) for f in (0, 1)
    ]
    assert found.interval("accuracy").value == pytest.approx((predicted == labels).mean())
    assert found.interval("balanced-accuracy").value == pytest.approx(np.mean(recalls))
    assert found.interval("auc").value == pytest.approx(np.mean(areas))


def test_repeats_do_not_count_as_rows():
    once = compare_glassboxes(rule_world(300), QUICK, folds=2)
    twice = compare_glassboxes(rule_world(300), QUICK, folds=2, repeats=2)
    errors = [one.standing("decision-tree").values["accuracy"].standard_error for one in (once, twice)]
    assert errors[1] > errors[0] / 1.3


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"labels": np.zeros(600, dtype=int)}, {}, "one class only, 'no'"),
        ({"labels": (np.arange(600) < 7).astype(int)}, {}, "class 'yes' has 7 rows; 5 folds need 10"),
        ({"class_names": ("same", "same")}, {}, "two classes are called 'same'"),
        ({"labels": np.zeros(0), "task": "unlabelled", "class_names": ()}, {}, "no classes to predict"),
        ({}, {"folds": 1}, "folds is 1"),
        ({}, {"repeats": 0}, "repeats is 0"),
        ({}, {"by": "luck"}, "by is 'luck'"),
    ],
)
def test_bad_input_is_refused(change, options, said):
    import dataclasses

    with pytest.raises(InputError, match=said):
        compare_glassboxes(dataclasses.replace(rule_world(), **change), QUICK, **options)
