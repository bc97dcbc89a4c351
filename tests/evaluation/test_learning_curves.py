"""The regression is that of its closed form, and changes tell what levels do not."""

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.evaluation.learning_curves import curve_fit

RNG = np.random.default_rng(0)


def test_a_line_is_found_with_its_closed_form():
    x = RNG.random(12)
    y = 2 * x + 0.1 * RNG.standard_normal(12)
    found = curve_fit(x, y)
    slope = np.cov(x, y)[0, 1] / np.var(x, ddof=1)
    assert found.slope == pytest.approx(slope)
    assert found.intercept == pytest.approx(y.mean() - slope * x.mean())
    assert found.correlation == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found.r_squared == pytest.approx(found.correlation**2)
    assert found.changes == pytest.approx(np.corrcoef(np.diff(x), np.diff(y))[0, 1])
    assert found.p_value < 1e-5
    assert found.checkpoints == 12


def test_two_curves_that_only_both_rise_correlate_but_their_changes_do_not():
    trend = np.linspace(0, 1, 400)
    first, second = trend + 0.01 * RNG.standard_normal(400), trend + 0.01 * RNG.standard_normal(400)
    found = curve_fit(first, second)
    assert found.correlation > 0.99
    assert abs(found.changes) < 0.15
    assert np.isnan(curve_fit(trend[:5].round(2) * 0 + np.arange(5), first[:5]).changes)


def test_curves_that_say_nothing_are_refused():
    for first, second in (([1, 2, 3], [1, 2, 3]), ([1, 1, 1, 1], [1, 2, 3, 4]), ([1, 2, 3, 4], [1, 2, 3])):
        with pytest.raises(InputError):
            curve_fit(first, second)
    with pytest.raises(InputError, match="finite"):
        curve_fit([1, 2, 3, np.nan], [1, 2, 3, 4])
