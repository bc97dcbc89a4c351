"""Intervals that cover what they claim, tests that equal their closed forms, and no answer where there is none."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from explicate.errors import InputError
from explicate.runtime.statistics import (
    Interval,
    bootstrap_interval,
    clustered_error,
    design_effect,
    holm,
    mcnemar,
    paired_difference,
    proportion_interval,
    t_interval,
    unpaired_difference,
    wilcoxon_signed_rank,
    wilson_interval,
)

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=10, max_size=40)
PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def mean_of(values: Any) -> float:
    """The mean under another name, so that it takes the path of any statistic."""
    return float(np.mean(values))


def f1(pairs: Any) -> float:
    predicted, true = pairs[:, 0], pairs[:, 1]
    return float(2 * (predicted * true).sum() / (predicted.sum() + true.sum()))


def clustered_benchmark(rng: np.random.Generator) -> tuple[Any, Any]:
    """50 clusters of 4 values with mean 0 and intra-cluster correlation 0.5."""
    labels = np.repeat(np.arange(50), 4)
    return math.sqrt(0.5) * (rng.normal(size=50)[labels] + rng.normal(size=200)), labels


def test_cluster_interval_covers_what_it_claims_and_the_naive_one_does_not() -> None:
    covered = naive = 0
    for benchmark in range(300):
        values, labels = clustered_benchmark(np.random.default_rng(benchmark))
        interval = bootstrap_interval(values, clusters=labels, resamples=500, seed=benchmark)
        alone = bootstrap_interval(values, resamples=500, seed=benchmark)
        covered += interval.low <= 0 <= interval.high
        naive += alone.low <= 0 <= alone.high
    assert 0.90 <= covered / 300 <= 0.97
    assert naive / 300 < 0.88


def test_t_interval_covers_with_few_clusters_where_percentiles_do_not() -> None:
    student = percentile = 0
    for benchmark in range(400):
        rng = np.random.default_rng(benchmark)
        labels = np.repeat(np.arange(5), 4)
        values = rng.normal(size=5)[labels] + 0.3 * rng.normal(size=20)
        by_t = t_interval(values, clusters=labels)
        by_bootstrap = bootstrap_interval(values, mean_of, clusters=labels, resamples=100, seed=benchmark)
        student += by_t.low <= 0 <= by_t.high
        percentile += by_bootstrap.low <= 0 <= by_bootstrap.high
    assert 0.92 <= student / 400 <= 0.98
    assert percentile / 400 < 0.90


@settings(max_examples=30, deadline=None)
@given(values=NUMBERS, seed=st.integers(0, 1000), data=st.data())
def test_fast_path_of_the_mean_equals_the_general_one(values: list[float], seed: int, data: st.DataObject) -> None:
    labels = data.draw(st.permutations([*range(10), *[number % 10 for number in range(len(values) - 10)]]))
    fast = bootstrap_interval(values, clusters=labels, resamples=50, seed=seed)
    assert fast == bootstrap_interval(values, np.mean, clusters=labels, resamples=50, seed=seed)
    slow = bootstrap_interval(values, mean_of, clusters=labels, resamples=50, seed=seed)
    scale = max(map(abs, values)) + 1e-300
    assert np.allclose([fast.value, fast.low, fast.high], [slow.value, slow.low, slow.high], rtol=0, atol=1e-9 * scale)


@settings(max_examples=30, deadline=None)
@given(values=NUMBERS, shift=st.floats(-1e3, 1e3), seed=st.integers(0, 1000))
def test_interval_moves_with_the_values(values: list[float], shift: float, seed: int) -> None:
    still = bootstrap_interval(values, resamples=50, seed=seed)
    moved = bootstrap_interval(np.array(values) + shift, resamples=50, seed=seed)
    assert np.allclose([moved.low - shift, moved.high - shift], [still.low, still.high], atol=1e-6)
    assert min(values) - 1e-6 <= still.low <= still.high <= max(values) + 1e-6
    assert still == bootstrap_interval(values, resamples=50, seed=seed)


def test_whole_metric_is_computed_again_for_each_resample() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 200)
    predicted = np.where(rng.random(200) < 0.8, true, 1 - true)
    pairs = np.stack([predicted, true], axis=1)
    interval = bootstrap_interval(pairs, f1, resamples=2000, seed=1)
    peer = stats.bootstrap(
        (predicted, true),
        lambda one, two: f1(np.stack([one, two], axis=1)),
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=2000,
        rng=2,
    )
    assert interval.value == f1(pairs)
    assert np.allclose([interval.low, interval.high], peer.confidence_interval, atol=0.01)
    assert interval.standard_error == pytest.approx(peer.standard_error, rel=0.1)


def test_copied_values_in_clusters_give_the_interval_of_the_originals() -> None:
    values = np.random.default_rng(0).normal(size=30)
    once = bootstrap_interval(values, seed=4)
    copied = bootstrap_interval(np.repeat(values, 3), clusters=np.repeat(np.arange(30), 3).tolist(), seed=4)
    assert np.allclose([copied.low, copied.high, copied.standard_error], [once.low, once.high, once.standard_error])
    assert (copied.n, copied.clusters, once.n, once.clusters) == (90, 30, 30, 30)
    assert bootstrap_interval(np.repeat(values, 3), seed=4).high < once.high


def test_strata_take_out_the_spread_between_them() -> None:
    rng = np.random.default_rng(0)
    strata = np.repeat(["easy", "hard"], 30)
    values = np.where(strata == "easy", 10.0, 0.0) + rng.normal(size=60)
    mixed = bootstrap_interval(values, seed=1)
    apart = bootstrap_interval(values, strata=strata.tolist(), seed=1)
    assert apart.value == mixed.value
    assert apart.high - apart.low < 0.3 * (mixed.high - mixed.low)
    general = bootstrap_interval(values, mean_of, strata=strata.tolist(), seed=1)
    assert (general.high - general.low) == pytest.approx(apart.high - apart.low, rel=0.15)


def test_level_widens_the_interval() -> None:
    values = np.random.default_rng(0).normal(size=40)
    for make in (bootstrap_interval, t_interval):
        narrow, wide = make(values, level=0.5), make(values, level=0.99)
        assert wide.low < narrow.low < narrow.high < wide.high


def test_clustered_error_by_hand() -> None:
    assert clustered_error([1, 2, 3, 6], list("aabb")) == pytest.approx(math.sqrt(2 / 1 * (9 + 9)) / 4)
    values = np.random.default_rng(0).normal(size=25)
    assert clustered_error(values) == pytest.approx(values.std(ddof=1) / 5)
    assert clustered_error(values, [str(n) for n in range(25)]) == pytest.approx(clustered_error(values))


def test_design_effect() -> None:
    effects = []
    for benchmark in range(40):
        values, labels = clustered_benchmark(np.random.default_rng(benchmark))
        effects.append(design_effect(values, labels))
    assert np.mean(effects) == pytest.approx(1 + (4 - 1) * 0.5, rel=0.1)
    assert design_effect([2, 2, 2, 2], list("aabb")) == 1


def test_t_interval_equals_scipy() -> None:
    values = np.random.default_rng(0).normal(size=12)
    interval = t_interval(values, level=0.9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    clustered = t_interval([1, 2, 3, 6], clusters=list("aabb"))
    assert clustered.high - 3 == pytest.approx(stats.t.ppf(0.975, 1) * math.sqrt(36) / 4)


def test_few_clusters_give_the_t_interval_and_a_warning() -> None:
    values, labels = np.arange(20.0), np.arange(20) % 9
    with pytest.warns(UserWarning, match="only 9 clusters"):
        assert bootstrap_interval(values, clusters=labels.tolist()) == t_interval(values, clusters=labels.tolist())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bootstrap_interval(values, clusters=(np.arange(20) % 10).tolist()).method == "bootstrap"


@settings(deadline=None)
@given(n=st.integers(1, 300), data=st.data(), level=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_wilson_equals_scipy(n: int, data: st.DataObject, level: float) -> None:
    successes = data.draw(st.integers(0, n))
    interval = wilson_interval(successes, n, level)
    expected = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.low < interval.high


def test_proportions_choose_their_interval() -> None:
    assert proportion_interval([1] * 50) == wilson_interval(50, 50)
    assert proportion_interval([0, 1] * 10) == wilson_interval(10, 20)
    assert proportion_interval([0, 1] * 20).method == "bootstrap"
    clusters = np.repeat(np.arange(10), 5).tolist()
    sure = proportion_interval([1] * 50, clusters=clusters)
    assert (sure.low, sure.n, sure.clusters) == (wilson_interval(10, 10).low, 50, 10)  # 50 copies of 10 answers
    with pytest.warns(UserWarning, match="only 3 clusters"):
        few = proportion_interval([1, 1, 1, 1, 1, 0], clusters=list("aabbcc"))
    assert (few.method, few.high) == ("t", 1.0)


def test_pairs_take_out_what_the_samples_share() -> None:
    rng = np.random.default_rng(0)
    difficulty = rng.normal(size=100) * 5
    one, two = difficulty + 0.3 + rng.normal(size=100) * 0.5, difficulty + rng.normal(size=100) * 0.5
    paired = paired_difference(one, two, seed=3)
    assert paired == bootstrap_interval(one - two, seed=3)
    assert paired.excludes_zero
    assert not (bootstrap_interval(one).low > bootstrap_interval(two).high)
    mirrored = paired_difference(two, one, seed=3)
    assert (mirrored.low, mirrored.high) == pytest.approx((-paired.high, -paired.low))
    assert not paired_difference(one, one[::-1]).excludes_zero


def test_paired_difference_of_any_metric() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 150)
    good, bad = (np.where(rng.random(150) < right, true, 1 - true) for right in (0.9, 0.7))
    one, two = np.stack([good, true], axis=1), np.stack([bad, true], axis=1)
    interval = paired_difference(one, two, f1, resamples=400)
    assert interval.value == pytest.approx(f1(one) - f1(two))
    assert interval.excludes_zero
    same = paired_difference(one, one, f1, resamples=50)
    assert (same.low, same.value, same.high) == (0, 0, 0)


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_the_exact_test_of_the_discordant_pairs(pairs: list[tuple[bool, bool]]) -> None:
    first, second = zip(*pairs, strict=True)
    only_first = sum(one and not two for one, two in pairs)
    discordant = sum(one != two for one, two in pairs)
    expected = stats.binomtest(only_first, discordant).pvalue if discordant else 1.0
    assert mcnemar(first, second) == pytest.approx(expected)
    assert mcnemar(first, second) == pytest.approx(mcnemar(second, first))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.2]) == pytest.approx([0.2])


@given(p_values=PROBABILITIES)
def test_holm_never_helps_and_keeps_the_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert (corrected >= p_values).all()
    assert (corrected <= np.minimum(np.array(p_values) * len(p_values), 1) + 1e-12).sum() >= 1
    assert (np.diff(corrected[np.argsort(p_values, kind="stable")]) >= 0).all()
    smallest = int(np.argmin(p_values))
    assert corrected[smallest] == min(1.0, p_values[smallest] * len(p_values))


def test_wilcoxon_by_hand() -> None:
    assert wilcoxon_signed_rank([1, 2, 3, 4, 5], [0, 0, 0, 0, 0]) == pytest.approx(2 / 2**5)  # all 5 signs alike
    assert wilcoxon_signed_rank([1, 2], [1, 2]) == 1


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((0.1234, 0.1, 0.14), "0.12 [0.10, 0.14]"),
        ((0.1234, 0.1229, 0.1243), "0.1234 [0.1229, 0.1243]"),
        ((1234.5, 1200, 1300), "1234.50 [1200.00, 1300.00]"),
        ((1, 1, 1), "1.00 [1.00, 1.00]"),
        ((-0.5, -0.75, -0.25), "-0.50 [-0.75, -0.25]"),
    ],
)
def test_interval_reads_well(interval: tuple[float, float, float], text: str) -> None:
    value, low, high = interval
    assert str(Interval(value, low, high, 0.1, 10, 10, "bootstrap")) == text


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "make",
    [
        bootstrap_interval,
        t_interval,
        clustered_error,
        proportion_interval,
        holm,
        lambda values: design_effect(values, list("aabb")),
        lambda values: mcnemar(values, [0, 1, 0, 1]),
        lambda values: wilcoxon_signed_rank([0, 1, 0, 1], values),
        lambda values: paired_difference([0, 1, 0, 1], values),
    ],
)
def test_undefined_values_are_refused(make: Any, bad: float) -> None:
    with pytest.raises(InputError, match="value 2 is NaN or infinite"):
        make([0.0, 1.0, bad, 1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval([]), "no values"),
        (lambda: bootstrap_interval([1.0]), "at least 2 independent values"),
        (lambda: t_interval([1.0]), "at least 2 independent values"),
        (lambda: bootstrap_interval([1, 2, 3], clusters=list("aaa")), "at least 2 independent values"),
        (lambda: bootstrap_interval([1, 2, 3], clusters=list("ab")), "2 cluster labels for 3 values"),
        (lambda: bootstrap_interval([1, 2, 3], clusters=["a", None, "b"]), "value 1 has no cluster label"),
        (lambda: bootstrap_interval(range(20), strata=list("ab")), "2 strata for 20 values"),
        (
            lambda: bootstrap_interval(range(20), clusters=[n // 2 for n in range(20)], strata=["a", "b"] * 10),
            "a cluster lies in the strata a, b",
        ),
        (lambda: bootstrap_interval(range(20), level=95), "level is 95"),
        (lambda: bootstrap_interval(range(20), resamples=1), "resamples is 1"),
        (lambda: t_interval(range(20), level=0), "level is 0"),
        (lambda: t_interval([[1, 2], [3, 4]]), r"the values have shape \(2, 2\)"),
        (lambda: wilson_interval(3, 2), "3 successes of 2"),
        (lambda: wilson_interval(0, 0), "0 successes of 0"),
        (lambda: proportion_interval([0, 0.5]), "values 0 and 1"),
        (lambda: bootstrap_interval([0] * 19 + [1], lambda v: 1 / v.sum() if v.sum() else math.nan), "undefined for"),
        (lambda: bootstrap_interval(range(20), lambda values: math.nan), "statistic of these values is undefined"),
        (lambda: paired_difference([1, 2], [1, 2, 3]), "there are 2 and 3"),
        (lambda: paired_difference([1, 2], [1, 2], ids=(["a", "b"], ["a", "c"])), "b is in one only"),
        (lambda: paired_difference([1, 2], [1, 2], ids=(["a", "b"], ["b", "a"])), "their order differs"),
        (lambda: paired_difference([1, 2], [1, 2], ids=(["a"], ["a"])), "1 ids for 2 values"),
        (lambda: mcnemar([0, 1], [0, 1, 1]), "there are 2 and 3"),
        (lambda: mcnemar([0, 2], [0, 1]), "values 0 and 1"),
        (lambda: wilcoxon_signed_rank([0], [0, 1]), "there are 1 and 2"),
        (lambda: holm([0.1, 1.2]), "between 0 and 1"),
    ],
)
def test_what_has_no_answer_is_refused(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_an_unpaired_difference_has_the_two_samples_own_errors():
    rng = np.random.Generator(np.random.PCG64(1))
    one, two = rng.normal(1.0, 1.0, 400), rng.normal(0.5, 2.0, 100)
    found = unpaired_difference(one, two)
    assert found.value == pytest.approx(one.mean() - two.mean())
    expected = math.sqrt(one.var() / 400 + two.var() / 100)
    assert found.standard_error == pytest.approx(expected, rel=0.1)
    mirrored = unpaired_difference(two, one)
    assert mirrored.value == pytest.approx(-found.value)


def test_an_unpaired_difference_resamples_clusters_whole():
    one, two = np.repeat([0.0, 1.0, 2.0, 3.0], 25), np.repeat([0.0, 1.0, 2.0, 3.0], 25)
    names = [str(value) for value in one]
    loose = unpaired_difference(one, two)
    tight = unpaired_difference(one, two, clusters=(names, names))
    assert tight.clusters == 8
    assert tight.high - tight.low > 3 * (loose.high - loose.low)
    with pytest.raises(InputError, match="cluster labels"):
        unpaired_difference(one, two, clusters=(names[1:], names))


def test_resampling_by_kinds_is_the_bootstrap_of_single_values() -> None:
    """Of n values 0 and 1 the resampled means are binomial: with n = 20,000 the quantiles have a closed form."""
    values = (np.arange(20_000) % 5 == 0).astype(float)
    found = bootstrap_interval(values, resamples=20_000)
    exact = stats.binom.ppf([0.025, 0.975], len(values), 0.2) / len(values)
    assert [found.low, found.high] == pytest.approx(exact, abs=2e-4)
    strata = (np.arange(20_000) >= 10_000).astype(int)
    within = bootstrap_interval(strata.astype(float), strata=strata.tolist(), resamples=100)
    assert within.low == within.high == 0.5  # each stratum holds one value alone
