"""Areas under ROC curves, against counting pairs and the published variance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.errors import InputError
from explicate.runtime.ranking import ranked_area
from explicate.runtime.statistics import area_under_curve


def delong_variance(truth, one, other):
    """The paired variance of the paper, from all pairs."""
    covariances = []
    for scores in (one, other):
        above, below = scores[truth], scores[~truth]
        wins = (above[:, None] > below).astype(float) + 0.5 * (above[:, None] == below)
        covariances.append((wins.mean(axis=1), wins.mean(axis=0)))
    parts = []
    for side, count in ((0, truth.sum()), (1, (~truth).sum())):
        matrix = np.cov(covariances[0][side], covariances[1][side])
        parts.append((matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1]) / count)
    return sum(parts)


@given(st.integers(0, 10_000))
def test_value_and_paired_variance_are_those_of_all_pairs(seed):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([[True, True, False, False], rng.random(int(rng.integers(0, 40))) < 0.4])
    one, other = (np.round(rng.normal(size=len(truth)) + truth * shift, 1) for shift in (1.0, 0.3))  # with ties
    first, second = ranked_area(truth, one), ranked_area(truth, other)
    assert first.value == pytest.approx(area_under_curve(one[~truth], one[truth]))
    gap = first.less(second)
    assert gap.value == pytest.approx(first.value - second.value)
    assert gap.standard_error**2 == pytest.approx(delong_variance(truth, one, other))


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        truth = np.arange(120) < 50
        found = ranked_area(truth, rng.normal(size=120) + truth).interval()
        inside += found.low <= 0.7602499389 <= found.high  # the normal distribution function at 1 / sqrt(2)
    assert 0.92 <= inside / 400 <= 0.98


def test_a_score_is_level_with_itself():
    truth = np.arange(10) % 2 == 0
    found = ranked_area(truth, np.arange(10.0))
    gap = found.less(found)
    assert (gap.value, gap.low, gap.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("truth", "scores", "said"),
    [
        ([1, 0, 0], [1, 2, 3], "two cases of each group; there are 1 and 2"),
        ([1, 1, 0, 0], [1, 2, np.nan, 3], "one finite score per case"),
        ([1, 1, 0, 0], [1, 2, 3], "one finite score per case"),
    ],
)
def test_what_has_no_area_is_refused(truth, scores, said):
    with pytest.raises(InputError, match=said):
        ranked_area(truth, scores)


def test_other_cases_are_no_pairs():
    one, other = ranked_area([1, 1, 0, 0], [1, 2, 3, 4]), ranked_area([1, 1, 0, 0, 0], [1, 2, 3, 4, 5])
    with pytest.raises(InputError, match="there are 4 and 5"):
        one.less(other)
