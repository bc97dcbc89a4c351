"""Whether explanations follow the model less well for one group of people than for another.

Fidelity is the agreement of an explanation with the *model*, not with the truth: a surrogate that says what the model
says is faithful also where both are wrong. The gap between groups of the model's own accuracy is another matter;
report it beside these.

Source: Balagopalan et al. (2022), "The Road to Explainability is Paved with Bias", for the gaps; Mhasawade et al.
(2024), arXiv 2401.14539, section 4, for the rest. Both take AUROC as 0 where a group has a single predicted class; here
such a pair is undefined, left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Attribution
from explicate.core.registry import register
from explicate.errors import CapabilityError, InputError
from explicate.evaluation.metric import Context, Metric, Scores
from explicate.runtime.statistics import area_under_curve

FEWEST = 20  # members a group must have for its fidelity to mean anything
MOST_GROUPS = 10  # distinct numbers that still pass for categories


@dataclass(frozen=True)
class Gap:
    """A difference in fidelity between groups.

    Attributes
    ----------
    value : the gap; NaN where no pair of groups is defined.
    groups : the fidelity of each group; NaN where it is undefined.
    overall : the fidelity over everybody.
    pairs : pairs of groups (for the maximum gap: groups) that entered `value`.
    undefined_pairs : those that could not, because a group has one predicted class.
    """

    value: float
    groups: Mapping[str, float]
    overall: float
    pairs: int
    undefined_pairs: int = 0


@dataclass(frozen=True)
class Test:
    """A statistical test: its name, statistic and p-value."""

    name: str
    statistic: float
    p_value: float


def group_labels(sensitive: Any, expected: Sequence[Any] = ()) -> tuple[list[str], Array]:
    """The groups' names, sorted, and each sample's group as an index into them.

    Parameters
    ----------
    sensitive : (sample,), text, booleans or few distinct numbers.
    expected : groups that must be there.

    Raises
    ------
    InputError : numbers that are no categories (age, income), a single group, one that is missing or too small.
    """
    values = np.asarray(sensitive)
    if values.ndim != 1:
        raise InputError(f"the sensitive column must be one value per sample, not of shape {values.shape}")
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise InputError("the sensitive column holds NaN or infinite values; give them a group or drop the rows")
        if (values == np.rint(values)).all():
            values = values.astype(int)
    distinct = np.unique(values.astype(str) if values.dtype.kind == "O" else values)
    if values.dtype.kind == "f" or (values.dtype.kind in "iu" and len(distinct) > MOST_GROUPS):
        raise InputError(
            f"the sensitive column has {len(distinct)} distinct numbers; cut it into bins (for ages, say, "
            "'under 30', '30 to 60', 'over 60') and give those"
        )
    names, codes = np.unique(values.astype(str), return_inverse=True)
    missing = sorted({str(item) for item in expected} - set(names.tolist()))
    if missing:
        raise InputError(f"group {missing[0]!r} is missing from the {len(values)} test rows; add some of its members")
    sizes = np.bincount(codes)
    if len(names) < 2:
        raise InputError("all test rows belong to one group; a gap needs two")
    if sizes.min() < FEWEST:
        raise InputError(
            f"group {str(names[sizes.argmin()])!r} has {sizes.min()} test rows; at least {FEWEST} are needed"
        )
    return [str(name) for name in names], codes


def local_prediction(explanation: Attribution, baseline: Any = None, model: Any = None) -> Floats:
    """What an explanation itself predicts for each sample's score, (sample,).

    - A surrogate says it: the variable `local_prediction` (LIME).
    - Attributions that add up: `baseline_score` plus their sum (Shapley values, integrated gradients). Where they are
      complete this is the model's score but for the error of estimation, so their gaps measure that error alone.
    - Plain gradients (SmoothGrad): the score at `baseline` plus gradient times (input - baseline); give `baseline`
      (feature,) and the `model`.

    Raises
    ------
    CapabilityError : none of these applies.
    """
    data = explanation.data
    if "local_prediction" in data:
        return np.asarray(data["local_prediction"].values, dtype=float)
    values = explanation.values
    flat = values.reshape(len(values), -1)
    if "baseline_score" in data:
        return np.asarray(data["baseline_score"].values + flat.sum(axis=1), dtype=float)
    if baseline is not None and model is not None:
        inputs = np.asarray(data["inputs"].values, dtype=float)
        point = np.broadcast_to(np.asarray(baseline, dtype=float), inputs.shape)
        start = np.asarray(model.scores(np.array(point), explanation.targets), dtype=float)
        return np.asarray(start + (values * (inputs - point)).reshape(len(values), -1).sum(axis=1))
    raise CapabilityError(
        f"explanations by {explanation.provenance.method!r} predict nothing: they have neither local_prediction nor "
        "baseline_score; give `baseline` and `model` where attributions are gradients"
    )


def fidelity_gaps(
    probability: Array, predicted: Array, sensitive: Any, *, threshold: float = 0.5, expected: Sequence[Any] = ()
) -> dict[str, Gap]:
    """How differently explanations agree with the model in the groups.

    Parameters
    ----------
    probability : (sample,), the model's probability of the positive class.
    predicted : (sample,), the explanations' own prediction of it (see `local_prediction`); may leave [0, 1].
    sensitive : (sample,), each sample's group. expected : groups that must be there.
    threshold : above or at it the label is positive, for the model and for the explanation.

    Returns
    -------
    "maximum": largest shortfall of a group's accuracy from the overall one. Mean over pairs of groups of the absolute
    difference in "accuracy"; in "auroc" of the model's label against the explanation's prediction; in "residual", the
    mean |label - label| (equal to accuracy's for hard labels); in "probability_residual", the mean
    |probability - prediction|, which is not jumpy where many predictions are near the threshold.

    Raises
    ------
    CapabilityError : probabilities outside [0, 1]. InputError : see `group_labels`; lengths that differ; NaN.
    """
    p, e = probabilities(probability), np.asarray(predicted, dtype=float)
    names, codes = group_labels(sensitive, expected)
    if not p.shape == e.shape == codes.shape:
        raise InputError(f"{len(p)} probabilities, {len(e)} predictions and {len(codes)} groups; give one per sample")
    if not np.isfinite(e).all():
        raise InputError(f"sample {int(np.flatnonzero(~np.isfinite(e))[0])}: the explanation predicts NaN or infinity")
    model_label, label = p >= threshold, e >= threshold
    agree = (model_label == label).astype(float)
    accuracy = _by_group(lambda rows: float(agree[rows].mean()), names, codes)
    overall = float(agree.mean())
    shortfall = max(overall - value for value in accuracy.values())
    return {
        "maximum": Gap(shortfall, accuracy, overall, len(names)),
        "accuracy": _mean_gap(accuracy, overall),
        "auroc": _mean_gap(
            _by_group(lambda rows: _auroc(model_label[rows], e[rows]), names, codes), _auroc(model_label, e)
        ),
        "residual": _mean_gap(_by_group(lambda rows: float(1.0 - agree[rows].mean()), names, codes), 1.0 - overall),
        "probability_residual": _mean_gap(
            _by_group(lambda rows: float(np.abs(p - e)[rows].mean()), names, codes), float(np.abs(p - e).mean())
        ),
    }


def accuracy_gap(correct: Array, sensitive: Any) -> Gap:
    """Mean over pairs of groups of the difference in a share (sample,) of 0 and 1: the model's accuracy, for example.

    With `correct` saying whether the *model* is right this is accuracy disparity, not a property of any explanation.
    """
    values = np.asarray(correct, dtype=float)
    names, codes = group_labels(sensitive)
    return _mean_gap(_by_group(lambda rows: float(values[rows].mean()), names, codes), float(values.mean()))


def permuted_gaps(
    probability: Array, predicted: Array, sensitive: Any, rng: np.random.Generator, permutations: int = 20
) -> dict[str, float]:
    """The mean of each gap when groups are dealt out at random: what the gap is by chance, at these group sizes."""
    values = np.asarray(sensitive)
    rounds = [fidelity_gaps(probability, predicted, rng.permutation(values)) for _ in range(permutations)]
    found = {}
    for name in rounds[0]:
        defined = [gaps[name].value for gaps in rounds if np.isfinite(gaps[name].value)]
        found[name] = float(np.mean(defined)) if defined else float("nan")
    return found


def ground_truth_fidelity(attribution: Array, weights: Array, k: int = 2) -> Floats:
    """Share (sample,) of the k features with the largest |attribution| that are among the k with the largest |weights|.

    Parameters
    ----------
    attribution : (sample, feature).
    weights : (feature,) or (sample, feature), of a linear model, or of a logistic one's log-odds, in the attribution's
        units: per standard deviation where the surrogate saw scaled columns. A network's first layer has no such
        weights.
    k : how many features; by chance the share is k / features.

    Raises
    ------
    InputError : k outside 1 to the number of features, or shapes that do not match.
    """
    found = np.abs(np.asarray(attribution, dtype=float))
    truth = np.abs(np.broadcast_to(np.asarray(weights, dtype=float), found.shape))
    if found.ndim != 2 or not 1 <= k <= found.shape[1]:
        raise InputError(f"k is {k}, attributions have shape {found.shape}; give 1 to the number of features")
    ours, theirs = (np.argsort(-values, axis=1, kind="stable")[:, :k] for values in (found, truth))
    return np.asarray((ours[:, :, None] == theirs[:, None, :]).any(axis=2).mean(axis=1))


def difference_between_groups(fidelity: Array, sensitive: Any) -> Test:
    """Whether per-sample fidelity (sample,) differs between groups: Mann-Whitney for two, Kruskal-Wallis for more.

    Values that are all alike give p = 1.
    """
    from scipy import stats

    values = np.asarray(fidelity, dtype=float)
    names, codes = group_labels(sensitive)
    samples = [values[codes == k] for k in range(len(names))]
    name = "mann-whitney" if len(samples) == 2 else "kruskal-wallis"
    if np.ptp(values) == 0:
        return Test(name, float("nan"), 1.0)
    found = stats.mannwhitneyu(*samples) if len(samples) == 2 else stats.kruskal(*samples)
    return Test(name, float(found.statistic), float(found.pvalue))


def increase_between_conditions(shifted: Array, reference: Array) -> Test:
    """Whether paired values (trial,) are larger when shifted: one-sided Wilcoxon signed rank. No difference: p = 1."""
    from scipy import stats

    difference = np.asarray(shifted, dtype=float) - np.asarray(reference, dtype=float)
    difference = difference[np.isfinite(difference)]
    if len(difference) == 0 or not difference.any():
        return Test("wilcoxon", float("nan"), 1.0)
    found = stats.wilcoxon(difference, alternative="greater")
    return Test("wilcoxon", float(found.statistic), float(found.pvalue))


def probabilities(values: Any) -> Floats:
    """The values as probabilities (sample,); a `CapabilityError` where they are none."""
    found = np.asarray(values, dtype=float)
    if found.ndim != 1 or not np.isfinite(found).all() or (found < 0).any() or (found > 1).any():
        raise CapabilityError(
            "the model's scores are no probabilities of one class: fidelity gaps need a model with "
            "predict_proba, whose values lie in [0, 1]; explain that output, not a logit or a regression"
        )
    return found


@register("local-fidelity", "metrics")
@dataclass(frozen=True)
class LocalFidelity(Metric):
    """|model's score - the explanation's own prediction of it|, per sample.

    Not defined for explanations that predict nothing (saliency maps). It is 0 by construction for attributions that add
    up exactly, so compare it between surrogates, or between groups of samples: `details["prediction"]` goes into
    `fidelity_gaps` with the explanation's `score`.
    """

    higher_is_better: ClassVar[bool | None] = False
    range: ClassVar[tuple[float, float]] = (0.0, np.inf)
    needs: ClassVar[type | None] = None

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        try:
            predicted = local_prediction(explanation)
        except CapabilityError as error:
            return Scores(np.full(len(explanation), np.nan), notes=(str(error),))
        values = np.abs(np.asarray(explanation["score"].values, dtype=float) - predicted)
        return Scores(values, details={"prediction": predicted})


def _by_group(measure: Callable[[Array], float], names: list[str], codes: Array) -> dict[str, float]:
    return {name: measure(codes == k) for k, name in enumerate(names)}


def _mean_gap(groups: Mapping[str, float], overall: float) -> Gap:
    gaps = [abs(a - b) for a, b in combinations(groups.values(), 2)]
    defined = [gap for gap in gaps if np.isfinite(gap)]
    value = float(np.mean(defined)) if defined else float("nan")
    return Gap(value, groups, overall, len(defined), len(gaps) - len(defined))


def _auroc(labels: Array, scores: Array) -> float:
    """Area under the ROC curve by mid-ranks; NaN with one class."""
    return area_under_curve(scores[~labels], scores[labels])
