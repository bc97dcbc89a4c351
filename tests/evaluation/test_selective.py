"""Areas and false-discovery curves, against counting every pair and every threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.errors import InputError
from explicate.evaluation.selective import auc_bootstrap, auc_delong, fdr_curve, ranked, roc


def cases(seed, n=60, levels=10):
    rng = np.random.default_rng(seed)
    unsound = np.concatenate([[True, True, False, False], rng.random(n) < 0.4])
    scores = np.clip(np.round(rng.random(len(unsound)) * levels - 3 * unsound), 0, levels) / levels
    return unsound, scores


@given(st.integers(0, 5000))
def test_the_area_is_the_share_of_pairs_with_ties_as_halves(seed):
    unsound, scores = cases(seed)
    wins = [(a < b) + 0.5 * (a == b) for a in scores[unsound] for b in scores[~unsound]]
    found = auc_delong(unsound, scores)
    assert found.value == pytest.approx(np.mean(wins))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.method == "delong"


def test_area_and_curve_are_those_of_scikit_learn():
    from sklearn.metrics import auc, roc_auc_score

    unsound, scores = cases(3)
    curve = roc(unsound, scores)
    assert auc(curve.false_positive, curve.true_positive) == pytest.approx(auc_delong(unsound, scores).value)
    assert roc_auc_score(unsound, 1 - scores) == pytest.approx(auc_delong(unsound, scores).value)
    for place, threshold in enumerate(curve.threshold):
        assert curve.true_positive[place] == pytest.approx(np.mean(scores[unsound] <= threshold))
        assert curve.false_positive[place] == pytest.approx(np.mean(scores[~unsound] <= threshold))


def test_the_interval_is_that_of_the_variances_of_the_placements():
    unsound = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=bool)
    badness = np.array([1, 2, 3, 5, 4, 6, 7, 8.0])
    found = auc_delong(unsound, -badness)
    assert found.value == 0.9375
    above = np.array([0.75, 1, 1, 1])  # share of sound cases below each unsound one
    below = np.array([1, 1, 1, 0.75])
    variance = above.var(ddof=1) / 4 + below.var(ddof=1) / 4
    assert found.low == pytest.approx(0.9375 - 1.959964 * np.sqrt(variance), abs=1e-6)
    assert found.high == 1.0


def test_rounding_errors_make_no_difference_where_there_is_a_tie():
    unsound = np.array([True, True, False, False])
    tied = np.array([0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2])
    assert auc_delong(unsound, tied).value == 0.5
    assert len(fdr_curve(unsound, tied).threshold[~fdr_curve(unsound, tied).extended]) == 1


def test_the_bootstrap_interval_is_near_delongs_and_seeded():
    unsound, scores = cases(1, n=300)
    one, other = auc_bootstrap(unsound, scores, resamples=400), auc_delong(unsound, scores)
    assert one.value == pytest.approx(other.value)
    assert one.low == pytest.approx(other.low, abs=0.02)
    assert one.high == pytest.approx(other.high, abs=0.02)
    again = auc_bootstrap(unsound, scores, resamples=400)
    assert (again.low, again.high) == (one.low, one.high)


def test_a_score_is_compared_with_another_over_the_same_cases():
    unsound, scores = cases(2)
    gap = ranked(unsound, scores).less(ranked(unsound, 1 - scores))
    assert gap.value == pytest.approx(2 * auc_delong(unsound, scores).value - 1)


@given(st.integers(0, 5000))
def test_the_curve_is_what_every_threshold_keeps(seed):
    unsound, scores = cases(seed)
    curve = fdr_curve(unsound, scores)
    exact = ~curve.extended
    for kept, false, threshold in zip(curve.kept[exact], curve.false[exact], curve.threshold[exact], strict=True):
        above = scores > threshold
        assert kept == pytest.approx(above.mean())
        assert false == pytest.approx(unsound[above].mean())
    assert curve.kept[-1] == 1
    assert curve.false[-1] == pytest.approx(unsound.mean())
    assert (np.diff(curve.kept) > 0).all()
    assert curve.start == pytest.approx((scores == scores.max()).mean())


def test_below_the_top_tie_the_curve_goes_on_with_subsamples():
    unsound = np.array([True] * 30 + [False] * 70 + [True] * 100)
    scores = np.array([1.0] * 100 + [0.0] * 100)
    curve = fdr_curve(unsound, scores, subsamples=4000)
    assert curve.start == 0.5
    assert curve.extended.sum() == 20
    few = curve.false[curve.extended]
    assert few == pytest.approx(np.full(20, 0.3), abs=0.03)  # a random part of the tie has the tie's share
    assert (curve.low[curve.extended][1:] < 0.3).all()
    assert (curve.high[curve.extended] > 0.3).all()
    assert curve.at(0.5) == pytest.approx(0.3)
    assert curve.at(1.0) == pytest.approx(0.65)
    assert curve.at(0.75) == pytest.approx((0.3 + 0.65) / 2)
    one = fdr_curve(unsound, np.arange(200.0))
    assert not one.extended.any()


@pytest.mark.parametrize(
    ("unsound", "scores", "said"),
    [
        ([], [], "one score per case"),
        ([True, False], [0.1], "one score per case"),
        ([True, False], [0.1, np.nan], "1 of 2 scores are undefined"),
    ],
)
def test_bad_input_is_refused(unsound, scores, said):
    for measure in (auc_delong, fdr_curve, roc, auc_bootstrap):
        with pytest.raises(InputError, match=said):
            measure(unsound, scores)


def test_an_area_needs_both_kinds():
    with pytest.raises(InputError, match="two cases of each group"):
        auc_delong([True, True, True], [0.1, 0.2, 0.3])
    with pytest.raises(InputError, match="cannot be kept"):
        fdr_curve([True, False], [0.1, 0.2]).at(0)
