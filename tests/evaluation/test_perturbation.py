import numpy as np
import pytest

from explicate.attribution import lfa
from explicate.core.cost import measure
from explicate.errors import InputError
from explicate.evaluation.perturbation import perturbation_test
from explicate.models.tabular import TabularModel

ROWS = np.array([[1.0, 0.5, 0.2], [0.4, 0.9, 1.0]])
WEIGHTS = np.array([1.0, -4.0, 8.0])


@pytest.fixture
def model():
    return TabularModel(lambda x: x @ WEIGHTS, np.random.default_rng(0).uniform(size=(30, 3)))


@pytest.fixture
def explanation(model):
    return lfa.occlusion().explain(model, ROWS)


def test_binary_changes_are_the_sums_of_the_contributions(model, explanation):
    found = perturbation_test(explanation, model, kinds=["binary"])["change"].sel(kind="binary")
    parts = WEIGHTS * ROWS  # [1, -2, 1.6], [0.4, -3.6, 8]
    assert np.allclose(found.sel(order="bottom"), [[1, 2.6, 0.6], [0.4, 3.2, 4.8]])
    assert np.allclose(found.sel(order="top"), [[2, 0.4, 0.6], [8, 4.4, 4.8]])
    assert np.allclose(found.isel(count=-1), np.abs(parts.sum(axis=1)))


def test_continuous_changes_are_those_of_a_normal_variable(model, explanation):
    found = perturbation_test(explanation, model, kinds=["continuous"], draws=20_000)
    mean = np.sqrt(2 / np.pi) * 0.1
    first, last = np.abs(WEIGHTS)[[0, 0]], np.linalg.norm(WEIGHTS)
    change = found["change"].sel(kind="continuous", order="bottom")
    assert np.allclose(change.isel(count=0), mean * first, rtol=0.03)
    assert np.allclose(change.isel(count=-1), mean * last, rtol=0.03)
    assert np.allclose(found["mean_change"], found["change"].mean("count"))


def test_the_right_order_beats_its_reverse_in_both_kinds_and_orders(model):
    right = lfa.c_lime(n=200).explain(model, ROWS)
    wrong = type(right)(right.data.assign(attribution=1 / right["attribution"]), right.provenance)
    good, bad = (
        perturbation_test(item, model)["mean_change"].sel(kind="continuous").mean("sample") for item in (right, wrong)
    )
    assert good.sel(order="bottom") < bad.sel(order="bottom")
    assert good.sel(order="top") > bad.sel(order="top")


def test_both_kinds_are_reported_unless_asked_otherwise(model, explanation):
    with measure() as cost:
        found = perturbation_test(explanation, model, draws=10)
    assert found["change"].dims == ("kind", "order", "sample", "count")
    assert list(found["kind"].values) == ["binary", "continuous"]
    assert cost.evaluations == 2 * 2 * ((3 + 1) + (3 * 10 + 1))


def test_methods_share_the_noise_so_equal_rankings_give_equal_changes(model, explanation):
    other = lfa.lime().explain(model, ROWS)  # a linear model: the same weights
    assert np.allclose(
        perturbation_test(explanation, model, seed=1)["change"], perturbation_test(other, model, seed=1)["change"]
    )


def test_what_cannot_be_tested_is_refused(model, explanation):
    import pandas as pd

    for options, message in (
        ({"kinds": ["noise"]}, "binary, continuous"),
        ({"orders": []}, "bottom, top"),
        ({"counts": [0]}, "between 1 and 3"),
        ({"counts": [4]}, "between 1 and 3"),
        ({"scale": 0.0}, "above 0"),
        ({"draws": 0}, "above 0"),
    ):
        with pytest.raises(InputError, match=message):
            perturbation_test(explanation, model, **options)
    frame = pd.DataFrame({"job": ["cook", "pilot", "cook"], "age": [1.0, 2.0, 3.0]})
    named = TabularModel(lambda rows: (rows["job"] == "pilot") * 2.0 + rows["age"], frame)
    found = lfa.occlusion().explain(named, frame)
    with pytest.raises(InputError, match="'job'"):
        perturbation_test(found, named)
    assert np.allclose(
        perturbation_test(found, named, kinds=["binary"])["change"].sel(order="top", count=1), [[1, 2, 3]]
    )
