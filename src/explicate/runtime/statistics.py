"""Intervals and tests for measured values: bootstrap over clusters, paired differences, exact and corrected tests.

Values that belong together (the questions about one story, the epochs of one sample) form a cluster, and are resampled
together; treating them as independent makes intervals too narrow.

Sources: Efron, Tibshirani (1993), chapters 13 and 16; Miller (2024), "Adding Error Bars to Evals", arXiv 2411.00640,
for clustered standard errors; Wilson (1927); McNemar (1947); Holm (1979).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explicate.errors import InputError

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]
FEW_CLUSTERS = 10
FEW_VALUES = 30
BLOCK = 1 << 22  # numbers held at once while resampling
MANY, ALIKE = 10_000, 256  # so many clusters of so few kinds are drawn by how many there are of each kind


@dataclass(frozen=True)
class Interval:
    """A value with its interval.

    Attributes
    ----------
    value : the statistic of all values. low, high : the interval's ends, in the same unit.
    standard_error : clustered, for means; the spread of the resampled statistics for others.
    n, clusters : number of values, and of clusters, the unit of resampling (equal where each value stands alone).
    method : "bootstrap", "t" or "wilson". level : coverage, 0 to 1.
    """

    value: float
    low: float
    high: float
    standard_error: float
    n: int
    clusters: int
    method: str
    level: float = 0.95

    def __str__(self) -> str:
        """Two decimals, or as many as it takes to tell the ends apart: `0.12 [0.10, 0.14]`."""
        width = self.high - self.low
        decimals = min(12, max(2, math.ceil(-math.log10(width / 2)))) if width > 0 else 2
        return f"{self.value:.{decimals}f} [{self.low:.{decimals}f}, {self.high:.{decimals}f}]"

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside."""
        return self.low > 0 or self.high < 0


def bootstrap_interval(
    values: ArrayLike,
    statistic: Statistic | None = None,
    *,
    clusters: Sequence[Any] | None = None,
    strata: Sequence[Any] | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap of a statistic, resampling whole clusters, within strata if given.

    Parameters
    ----------
    values : (n,) or (n, ...), finite; the whole statistic is computed again for each resample.
    statistic : of an array like `values`; None or `numpy.mean` is the mean, which has a fast path.
    clusters : (n,), equal labels are resampled together; None lets each value stand alone.
    strata : (n,), resampling keeps the number of clusters of each; a cluster must lie within one stratum.
    resamples : number of resamples. seed : they come from it alone. level : coverage.

    Notes
    -----
    With fewer than 10 clusters the interval of a mean is Student's t with clusters - 1 degrees of freedom, and a
    warning says so: percentiles of so few resampled clusters are too narrow.

    Raises
    ------
    InputError : no values, one that is not finite, fewer than two clusters (one value has no interval), labels that do
        not fit, a statistic that is undefined for some resamples, or a parameter out of its range.
    """
    array = _finite(values)
    _check_level(level)
    if resamples < 2:
        raise InputError(f"resamples is {resamples}: give 2 or more, 2000 by default")
    members = _clusters(array, clusters)
    if len(members) < 2:
        raise InputError(f"an interval needs at least 2 independent values, there {'is' if len(members) else 'are'} "
                         f"{len(members)}; measure more samples")  # fmt: skip
    groups = _strata(members, strata, len(array))
    mean = (statistic is None or statistic is np.mean) and array.ndim == 1
    chosen = statistic or _mean
    point = float(chosen(array))
    if not math.isfinite(point):
        raise InputError("the statistic of these values is undefined; there is nothing to give an interval for")
    if mean and len(members) < FEW_CLUSTERS and strata is None:
        warnings.warn(f"only {len(members)} clusters: the interval is Student's t", stacklevel=2)
        return t_interval(array, clusters=clusters, level=level)
    rng = np.random.Generator(np.random.PCG64(seed))
    if mean:
        drawn = _resampled_means(array, members, groups, resamples, rng)
    else:
        drawn = np.array([chosen(array[_resample(members, groups, rng)]) for _ in range(resamples)])
    undefined = int((~np.isfinite(drawn)).sum())
    if undefined:
        raise InputError(
            f"the statistic is undefined for {undefined} of {resamples} resamples; give strata= that keep it "
            "defined, or measure more samples"
        )
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    error = clustered_error(array, clusters) if mean else float(drawn.std(ddof=1))
    return Interval(point, float(low), float(high), error, len(array), len(members), "bootstrap", level)


def clustered_error(values: ArrayLike, clusters: Sequence[Any] | None = None) -> float:
    """Standard error of the mean of (n,) values: sqrt(C/(C-1) sum_c (sum_{i in c} (s_i - mean))^2) / n."""
    array = _line(values)
    members = _clusters(array, clusters)
    count = len(members)
    if count < 2:
        raise InputError("a standard error needs at least 2 independent values; measure more samples")
    sums = np.array([(array[rows] - array.mean()).sum() for rows in members]) if clusters is not None else (
        array - array.mean()
    )  # fmt: skip
    return float(math.sqrt(count / (count - 1) * float((sums**2).sum())) / len(array))


def design_effect(values: ArrayLike, clusters: Sequence[Any]) -> float:
    """How many times the variance of the mean is larger than if all values were independent."""
    naive = clustered_error(values)
    if naive == 0:
        return 1.0
    return (clustered_error(values, clusters) / naive) ** 2


def t_interval(values: ArrayLike, *, clusters: Sequence[Any] | None = None, level: float = 0.95) -> Interval:
    """Mean of (n,) values with Student's t interval, of clusters - 1 degrees of freedom and the clustered error."""
    from scipy import stats

    array = _line(values)
    _check_level(level)
    members = _clusters(array, clusters)
    error = clustered_error(array, clusters)
    half = float(stats.t.ppf(0.5 + level / 2, len(members) - 1)) * error
    point = float(array.mean())
    return Interval(point, point - half, point + half, error, len(array), len(members), "t", level)


def wilson_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    """A proportion with Wilson's score interval; never empty, also at 0 and 1.

    Parameters
    ----------
    successes, n : whole numbers, 0 <= successes <= n, n >= 1.
    """
    from scipy import stats

    _check_level(level)
    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"{successes} successes of {n}: give whole numbers with 0 <= successes <= n and n >= 1")
    z = float(stats.norm.ppf(0.5 + level / 2))
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(share, low, high, math.sqrt(share * (1 - share) / n), n, n, "wilson", level)


def proportion_interval(
    values: ArrayLike, *, clusters: Sequence[Any] | None = None, seed: int = 0, level: float = 0.95
) -> Interval:
    """A share of yes (1) among values 0 and 1: Wilson for few values or a share of 0 or 1, else the bootstrap.

    Equal values tell nothing about how alike the members of a cluster are, so there each cluster counts as one value.
    """
    array = _line(values)
    if not np.isin(array, (0, 1)).all():
        raise InputError("a proportion is of values 0 and 1")
    count = len(_clusters(array, clusters))
    if array.min() == array.max():
        return replace(wilson_interval(int(array[0]) * count, count, level), n=len(array))
    if len(array) < FEW_VALUES and count == len(array):
        return wilson_interval(int(array.sum()), len(array), level)
    interval = bootstrap_interval(array, clusters=clusters, seed=seed, level=level)
    return replace(interval, low=max(0.0, interval.low), high=min(1.0, interval.high))


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    statistic: Statistic | None = None,
    *,
    ids: tuple[Sequence[Any], Sequence[Any]] | None = None,
    clusters: Sequence[Any] | None = None,
    strata: Sequence[Any] | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Statistic of `first` minus that of `second` over the same samples; each resample takes the same ones of both.

    Parameters
    ----------
    first, second : (n,) or (n, ...), of the same samples in the same order.
    statistic, clusters, strata, resamples, seed, level : as in `bootstrap_interval`.
    ids : the samples' names in both; unequal ones are refused.
    """
    one, two = _finite(first), _finite(second)
    if one.shape != two.shape:
        raise InputError(f"a paired difference needs the same samples; there are {len(one)} and {len(two)}")
    if ids is not None:
        _check_ids(ids, len(one))
    if statistic is None or statistic is np.mean:
        values, chosen = one - two, None
    else:
        values, chosen = np.stack([one, two], axis=1), lambda both: float(statistic(both[:, 0]) - statistic(both[:, 1]))
    return bootstrap_interval(
        values, chosen, clusters=clusters, strata=strata, resamples=resamples, seed=seed, level=level
    )


def unpaired_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    clusters: tuple[Sequence[Any], Sequence[Any]] | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of `first` minus that of `second`, of different samples; each is resampled by itself.

    Parameters
    ----------
    first, second : (n,) and (m,). clusters : for each of them as in `bootstrap_interval`; equal labels in both do not
        make one cluster.
    resamples, seed, level : as in `bootstrap_interval`.
    """
    one, two = _line(first), _line(second)
    own = clusters or (list(range(len(one))), list(range(len(two))))
    labels = [(side, label) for side in (0, 1) for label in own[side]]
    if len(own[0]) != len(one) or len(own[1]) != len(two):
        raise InputError(f"{len(own[0])} and {len(own[1])} cluster labels for {len(one)} and {len(two)} values")
    group = np.repeat([0.0, 1.0], [len(one), len(two)])
    values = np.stack([np.concatenate([one, two]), group], axis=1)

    def statistic(rows: Floats) -> float:
        return float(rows[rows[:, 1] == 0, 0].mean() - rows[rows[:, 1] == 1, 0].mean())

    return bootstrap_interval(
        values, statistic, clusters=labels, strata=group.tolist(), resamples=resamples, seed=seed, level=level
    )


def mcnemar(first: ArrayLike, second: ArrayLike) -> float:
    """Exact two-sided p-value that two binary scores of the same samples have the same share of 1.

    Source: McNemar (1947), with the binomial distribution of the discordant pairs.
    """
    from scipy import stats

    one, two = _pair(first, second, "McNemar's test")
    if not np.isin((one, two), (0, 1)).all():
        raise InputError("McNemar's test needs values 0 and 1")
    only_first, only_second = int((one > two).sum()), int((one < two).sum())
    fewer, discordant = min(only_first, only_second), only_first + only_second
    return min(1.0, 2 * float(stats.binom.cdf(fewer, discordant, 0.5)))


def wilcoxon_signed_rank(first: ArrayLike, second: ArrayLike) -> float:
    """Two-sided p-value that the differences of paired values are symmetric around 0; 1 if all of them are 0."""
    from scipy import stats

    one, two = _pair(first, second, "Wilcoxon's test")
    return 1.0 if (one == two).all() else float(stats.wilcoxon(one, two).pvalue)


def area_under_curve(negative: ArrayLike, positive: ArrayLike) -> float:
    """AUROC: the share of pairs, one value of each group, in which the positive's is larger; ties count one half.

    NaN where a group is empty.
    """
    from scipy.stats import rankdata

    below, above = (np.asarray(group, dtype=float).ravel() for group in (negative, positive))
    if not len(below) or not len(above):
        return float("nan")
    ranks = rankdata(np.concatenate([below, above]))[len(below) :].sum()
    return float((ranks - len(above) * (len(above) + 1) / 2) / (len(below) * len(above)))


def holm(p_values: ArrayLike) -> Floats:
    """P-values corrected for their number, step down: the chance of any false finding stays below the level."""
    array = _line(p_values)
    if ((array < 0) | (array > 1)).any():
        raise InputError("p-values lie between 0 and 1")
    order = np.argsort(array)
    steps = array[order] * (len(array) - np.arange(len(array)))
    corrected = np.empty_like(array)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def _mean(values: Floats) -> float:
    return float(values.mean())


def _finite(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=float)
    if array.ndim == 0 or len(array) == 0:
        raise InputError("there are no values to sum up")
    if not np.isfinite(array).all():
        place = int(np.argwhere(~np.isfinite(array))[0][0])
        raise InputError(f"value {place} is NaN or infinite; leave undefined values out and say how many there are")
    return array


def _line(values: ArrayLike) -> Floats:
    array = _finite(values)
    if array.ndim != 1:
        raise InputError(f"one number per sample is needed, the values have shape {array.shape}")
    return array


def _pair(first: ArrayLike, second: ArrayLike, test: str) -> tuple[Floats, Floats]:
    one, two = _line(first), _line(second)
    if len(one) != len(two):
        raise InputError(f"{test} needs the same samples; there are {len(one)} and {len(two)}")
    return one, two


def _check_ids(ids: tuple[Sequence[Any], Sequence[Any]], n: int) -> None:
    one, two = list(ids[0]), list(ids[1])
    if one != two:
        apart = set(map(str, one)) ^ set(map(str, two))
        detail = f"{min(apart)} is in one only" if apart else "their order differs"
        raise InputError(f"a paired difference needs the same samples in the same order; {detail}")
    if len(one) != n:
        raise InputError(f"{len(one)} ids for {n} values; give one each")


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError(f"level is {level}: give a coverage between 0 and 1, such as 0.95")


def _clusters(array: Floats, clusters: Sequence[Any] | None) -> list[NDArray[np.int64]]:
    """The rows of each cluster."""
    if clusters is None:
        return list(np.arange(len(array))[:, None])
    if len(clusters) != len(array):
        raise InputError(f"{len(clusters)} cluster labels for {len(array)} values; give one each")
    numbers: dict[Any, int] = {}  # in order of appearance: the names of the clusters must not change the resamples
    for row, label in enumerate(clusters):
        if label is None or label != label:
            raise InputError(f"value {row} has no cluster label; give one that no other value has if it stands alone")
        numbers.setdefault(label, len(numbers))
    labels = np.array([numbers[label] for label in clusters])
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _strata(members: list[NDArray[np.int64]], strata: Sequence[Any] | None, n: int) -> list[NDArray[np.int64]]:
    """Indices of the clusters of each stratum."""
    if strata is None:
        return [np.arange(len(members))]
    if len(strata) != n:
        raise InputError(f"{len(strata)} strata for {n} values; give one each")
    names = []
    for rows in members:
        own = {str(strata[row]) for row in rows}
        if len(own) > 1:
            raise InputError(f"a cluster lies in the strata {', '.join(sorted(own))}; it must lie in one")
        names.append(own.pop())
    return [np.array([i for i, name in enumerate(names) if name == stratum]) for stratum in sorted(set(names))]


def _resample(
    members: list[NDArray[np.int64]], groups: list[NDArray[np.int64]], rng: np.random.Generator
) -> NDArray[np.int64]:
    drawn = np.concatenate([group[rng.integers(len(group), size=len(group))] for group in groups])
    return np.concatenate([members[cluster] for cluster in drawn])


def _resampled_means(
    array: Floats,
    members: list[NDArray[np.int64]],
    groups: list[NDArray[np.int64]],
    resamples: int,
    rng: np.random.Generator,
) -> Floats:
    sums = np.array([array[rows].sum() for rows in members])
    sizes = np.array([len(rows) for rows in members], dtype=float)
    totals, counts = np.zeros(resamples), np.zeros(resamples)
    for group in groups:
        if len(group) >= MANY:
            kinds, alike = np.unique(np.stack([sums[group], sizes[group]], axis=1), axis=0, return_counts=True)
            if len(kinds) <= ALIKE:  # the same distribution, at a cost that does not grow with n
                many = rng.multinomial(len(group), alike / len(group), size=resamples)
                totals += many @ kinds[:, 0]
                counts += many @ kinds[:, 1]
                continue
        step = max(1, BLOCK // len(group))
        for start in range(0, resamples, step):
            stop = min(start + step, resamples)
            drawn = group[rng.integers(len(group), size=(stop - start, len(group)))]
            totals[start:stop] += sums[drawn].sum(axis=1)
            counts[start:stop] += sizes[drawn].sum(axis=1)
    return totals / counts
