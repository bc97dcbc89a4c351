import numpy as np
import pandas as pd
import pytest

import explicate as ex
from explicate.attribution.kernel_shap import KernelShap
from explicate.attribution.missingness import Marginal
from explicate.attribution.missingness.tables import Conditional
from explicate.errors import InputError

RNG = np.random.Generator(np.random.PCG64(0))


def correlated(count: int, correlation: float) -> np.ndarray:
    """Two standard normal columns that go together."""
    first = RNG.standard_normal(count)
    return np.stack([first, correlation * first + np.sqrt(1 - correlation**2) * RNG.standard_normal(count)], axis=1)


def test_it_estimates_the_conditional_mean_of_normal_columns():
    rows = correlated(1000, 0.9)
    model = ex.TabularModel(lambda x: x[:, 1], rows)
    fill = Conditional(neighbours=25).bind(model, np.array([1.0, 5.0]), RNG)
    filled = fill(np.array([[True, False]]))
    assert (filled[:, 0] == 1.0).all()
    assert filled[:, 1].mean() == pytest.approx(0.9, abs=5 * np.sqrt(1 - 0.9**2) / np.sqrt(25))
    marginal = Marginal(rows=0).bind(model, np.array([1.0, 5.0]), RNG)(np.array([[True, False]]))
    assert abs(marginal[:, 1].mean()) < 0.2


def test_an_ignored_feature_shares_with_the_one_that_it_goes_along_with():
    """For x_2 alone: phi_1 = rho x_1 / 2 and phi_2 = x_2 - rho x_1 / 2 where the columns are normal."""
    rows = correlated(4000, 0.9)
    model = ex.TabularModel(lambda x: x[:, 1], rows)
    sample = np.array([[1.0, 1.2]])
    found = KernelShap(missingness=Conditional(neighbours=200)).explain(model, sample).values[0]
    deviation = np.sqrt((1 + 1 - 0.9**2) / 200) / 2  # of the mean of 200 rows with nobody, and with x_1 alone, present
    assert found == pytest.approx([0.45, 0.75], abs=5 * deviation)
    assert KernelShap(missingness=Marginal(rows=0)).explain(model, sample).values[0, 0] == pytest.approx(0, abs=1e-12)


def test_categories_are_equal_or_not():
    frame = pd.DataFrame({"colour": ["red", "blue", "green"] * 20, "size": np.arange(60.0)})
    model = ex.TabularModel(lambda f: f["size"].to_numpy(), frame)
    sample = model.encode(pd.DataFrame({"colour": ["red"], "size": [0.0]}))[0]
    filled = Conditional(neighbours=20).bind(model, sample, RNG)(np.array([[True, False]]))
    assert sorted(filled[:, 1]) == list(range(0, 60, 3))  # all the red ones, not the codes next to red


def test_nobody_present_gives_rows_drawn_by_the_seed_and_everybody_the_sample():
    rows = correlated(200, 0.5)
    model = ex.TabularModel(lambda x: x[:, 0], rows)
    sample = np.array([3.0, 3.0])
    one, two = (Conditional(10, seed=seed).bind(model, sample, RNG) for seed in (0, 1))
    nobody, everybody = np.zeros((1, 2), dtype=bool), np.ones((1, 2), dtype=bool)
    assert not np.array_equal(one(nobody), two(nobody))
    assert np.array_equal(one(nobody), Conditional(10, seed=0).bind(model, sample, RNG)(nobody))
    assert (one(everybody) == 3.0).all()


def test_more_neighbours_than_rows_are_refused():
    model = ex.TabularModel(lambda x: x[:, 0], np.ones((5, 2)))
    with pytest.raises(InputError, match="6 neighbours among 5"):
        KernelShap(missingness=Conditional(6)).explain(model, np.ones((1, 2)))
