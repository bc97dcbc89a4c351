"""The bars of local function approximation, judged on the records of its units."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from explicate.attribution.lfa.theory import NOISE, REMOVAL
from explicate.core.capabilities import Floats
from explicate.reproductions.claims import Claim
from explicate.reproductions.local_function_approximation_peers import METHODS
from explicate.runtime.statistics import Interval, bootstrap_interval, paired_difference

Records = list[dict[str, Any]]
Networks = dict[tuple[str, int], Records]

SINGLE = ("occlusion", "integrated_gradients", "gradient_x_input", "vanilla_gradient", "smooth_grad")
MASKED = ("lime", "kernel_shap")
MULTIPLICATIVE = slice(0, 5)  # of METHODS
ADDITIVE = slice(5, 7)


def claims(records: Records) -> list[Claim]:
    """One claim per bar of the page, and what must be known to read them."""
    networks: Networks = defaultdict(list)
    for record in records:
        if record["part"] == "network":
            networks[record["dataset"], record["layers"]].append(record)
    recovery = [record for record in records if record["part"] == "recovery"]
    lunches = [record for record in records if record["part"] == "no-free-lunch"]
    return [
        _models(networks),
        *_agreement(networks),
        *_limits(networks),
        *_recovered(recovery),
        *_perturbations(networks),
        _no_free_lunch(lunches),
    ]


# -- experiment 1 ------------------------------------------------------------------------------------------------------


def _models(networks: Networks) -> Claim:
    rows = [record for group in networks.values() for record in group]
    margins = [record["quality"] - record["chance"] for record in rows]
    listed = "; ".join(
        f"{_title(key)}: {np.mean([r['quality'] for r in group]):.3f} beside {group[0]['chance']:.3f}"
        for key, group in networks.items()
    )
    return Claim(
        claim="The explained networks have learnt something",
        metric="smallest margin over the larger class's share (accuracy) or over 0 (R squared), held-out rows",
        measured=float(min(margins)),
        chance=0.0,
        note=f"means over model seeds: {listed}. {sum(r['redrawn'] for r in rows)} networks of {len(rows)} answered "
        "everywhere alike (dead units) and were drawn again",
    )


def _agreement(networks: Networks) -> list[Claim]:
    rows = [record for group in networks.values() for record in group]
    n, reference = rows[0]["n"], rows[0]["reference"]
    strays = [np.mean([record["l1_to_all_masks"][name] for record in rows], axis=0) for name in MASKED]
    sampling = (
        f"mean L1 to the fit on all masks: LIME {strays[0][0]:.3g} (theirs {strays[0][1]:.3g}), KernelSHAP "
        f"{strays[1][0]:.3g} (theirs {strays[1][1]:.3g}, drawn from the Shapley kernel instead of Bernoulli(0.5))"
    )
    matched = np.mean([record["lime_matched_kernel"] for record in rows], axis=0)
    kernels = (
        "LIME's kernel is exp(-|x0 - x|² / 2) in Captum and exp(-|x0 - x|²) here: with equal ones its mean L1 is "
        f"{matched[1]:.3g} instead of {matched[0]:.3g}"
    )
    noise = {
        name: max(
            (record["cosine_to_another_draw"][name], _title(key)) for key, group in networks.items() for record in group
        )
        for name in MASKED
    }
    apart = "their own explainer at another seed is as far from itself as " + ", ".join(
        f"{distance:.3g} ({name}, {where})" for name, (distance, where) in noise.items()
    )
    limit = (
        "in the limit: all masks, noise 1e-5, line from 1 - 1e-5; KernelSHAP beside shap's exact values"
        if "captum" in reference
        else "in the limit: all masks, noise 1e-5, line from 1 - 1e-5"
    )
    return [
        _own_place(networks, "", f"{n} points; nearest to {reference}'s own", sampling),
        _own_place(networks, "_limit", f"{limit}; nearest to {reference}'s own", ""),
        _same_direction(networks, "", f"{n} points", f"{sampling}. {apart}"),
        _same_direction(networks, "_limit", limit, kernels),
        _families(networks, "", f"{n} points"),
        _families(networks, "_limit", limit),
    ]


def _own_place(networks: Networks, which: str, how: str, note: str) -> Claim:
    misses = {key: order_misses(_over_seeds(group, f"l1{which}").mean(axis=0)) for key, group in networks.items()}
    single = [order_misses(np.array(r[f"l1{which}"]).mean(axis=2)) for group in networks.values() for r in group]
    good = sum(not missed for missed in misses.values())
    listed = "; ".join(f"{_title(key)}: {', '.join(missed)}" for key, missed in misses.items() if missed)
    return Claim(
        claim=f"Each explainer is an instance of the framework ({how} explainer; LIME and KernelSHAP to either)",
        metric=f"networks of {len(networks)} whose whole L1 matrix has its smallest entries there",
        claimed="all (HELOC, 3 layers)",
        measured=float(good),
        chance=0.0,
        bar=f"= {len(networks)}",
        met=good == len(networks),
        note=". ".join(
            part
            for part in (
                f"missed by {listed}" if listed else "",
                f"of the {len(single)} matrices of single model seeds {sum(not missed for missed in single)} are so",
                note,
            )
            if part
        ),
    )


def _same_direction(networks: Networks, which: str, how: str, note: str) -> Claim:
    cells = [
        (f"{_title(key)}, {method}", _over_seeds(group, f"cosine{which}")[:, i, i])
        for key, group in networks.items()
        for i, method in enumerate(METHODS)
    ]
    where, worst = max(cells, key=lambda cell: cell[1].mean())
    over = [f"{place} {values.mean():.3g}" for place, values in cells if values.mean() > 0.03]
    return Claim(
        claim=f"Explainer and instance point the same way ({how})",
        metric=f"largest mean cosine distance on the diagonal, over {len(cells)} networks and methods",
        claimed=0.017,
        measured=float(worst.mean()),
        interval=_ends(bootstrap_interval(worst)),
        chance=1.0,
        bar="<= 0.03",
        met=bool(worst.mean() <= 0.03),
        note=". ".join(
            part for part in (f"at {where}", f"above the bar: {'; '.join(over)}" if over else "", note) if part
        ),
    )


def _families(networks: Networks, which: str, how: str) -> Claim:
    ratios = [
        (block_ratio(l1), l1, _title(key))
        for key, group in networks.items()
        if group[0]["classification"]
        for l1 in [_over_seeds(group, f"l1{which}")]
    ]
    smallest = min(ratios, key=lambda item: item[0])
    return Claim(
        claim=f"Removal and added noise give different explanations ({how})",
        metric="smallest additive-against-multiplicative L1 over the largest diagonal L1, classification networks",
        claimed=8.5,
        measured=float(smallest[0]),
        interval=_ends(bootstrap_interval(smallest[1], block_ratio)),
        chance=1.0,
        bar=">= 5",
        met=bool(smallest[0] >= 5),
        note="; ".join(f"{where}: {_cells(l1)}" for _, l1, where in ratios),
    )


def order_misses(l1: Floats) -> list[str]:
    """Which methods' own entry is not the smallest of its row and column; for LIME and KernelSHAP, their block's."""
    own = {METHODS.index(name): [METHODS.index(name)] for name in SINGLE}
    block = [METHODS.index(name) for name in MASKED]
    own |= dict.fromkeys(block, block)
    misses = [i for i, home in own.items() if l1[i].argmin() not in home or l1[:, i].argmin() not in home]
    return [METHODS[i] for i in misses]


def block_ratio(l1: Floats) -> float:
    """Smallest entry between the two families over the largest diagonal entry, of the mean of (point, 7, 7)."""
    mean = l1.mean(axis=0)
    between = min(mean[MULTIPLICATIVE, ADDITIVE].min(), mean[ADDITIVE, MULTIPLICATIVE].min())
    return float(between / np.diag(mean).max())


def _cells(l1: Floats) -> str:
    mean = l1.mean(axis=0)
    diagonal = np.diag(mean)
    between = min(mean[MULTIPLICATIVE, ADDITIVE].min(), mean[ADDITIVE, MULTIPLICATIVE].min())
    return f"{between:.3g} / {diagonal.max():.3g} ({METHODS[int(diagonal.argmax())]})"


def _limits(networks: Networks) -> list[Claim]:
    found = []
    for field, method, text in (
        (
            "smooth_grad_limit",
            "vanilla_gradient",
            "SmoothGrad goes to the gradient as the noise gets small (0.3, 0.2, 0.1, 0.05, 0.01)",
        ),
        (
            "line_limit",
            "gradient_x_input",
            "Integrated gradients go to gradient × input as the line gets short (0, 0.5, 0.65, 0.8, 0.95)",
        ),
    ):
        own = METHODS.index(method)
        furthest = np.mean([np.mean(record["l1_limit"][own][own]) for group in networks.values() for record in group])
        curves = {
            key: np.array([record[field] for record in group]).mean(axis=(0, 2)) for key, group in networks.items()
        }
        mean = np.mean(list(curves.values()), axis=0)
        falling = sum(bool((np.diff(curve) < 0).all()) for curve in curves.values())
        listed = "; ".join(f"{_title(key)}: {' '.join(f'{v:.3g}' for v in curve)}" for key, curve in curves.items())
        found.append(
            Claim(
                claim=text,
                metric="steps of 4 at which the mean L1 to the limit falls, over points and networks",
                claimed="falls (figure)",
                measured=float((np.diff(mean) < 0).sum()),
                chance=2.0,
                bar="= 4",
                met=bool((np.diff(mean) < 0).all()),
                note=f"mean: {' '.join(f'{v:.3g}' for v in mean)}, and {furthest:.3g} at 1e-5 from the limit. "
                f"It falls at every step for {falling} networks of {len(curves)}; {listed}",
            )
        )
    return found


# -- experiment 2 ------------------------------------------------------------------------------------------------------


def _recovered(records: Records) -> list[Claim]:
    linear = {
        name: max(record["linear"][name][int(name in REMOVAL)] for record in records) for name in records[0]["linear"]
    }
    other = min(record["linear"][name][0] for record in records for name in REMOVAL)
    logistic = [record for record in records if "logistic, newton" in record]
    newton = max(pair[0] for record in logistic for pair in record["logistic, newton"].values())
    sgd = max(pair[0] for record in logistic for pair in record["logistic, sgd"].values())
    plain = min(record["logistic, linear surrogate"][name][0] for record in logistic for name in NOISE)
    removal = min(min(record["logistic, linear surrogate"][name]) for record in logistic for name in REMOVAL)
    return [
        Claim(
            claim="A linear model is recovered by all eight: its weights by added noise, weights × input by the others",
            metric="largest mean L1 distance over tables, model seeds and methods",
            claimed=0.0,
            measured=float(max(linear.values())),
            baseline=float(other),
            bar="<= 0.001",
            met=bool(max(linear.values()) <= 1e-3),
            note="the baseline is the least distance of the multiplicative methods to the weights themselves",
        ),
        Claim(
            claim="A logistic model is recovered by added noise with a logistic surrogate",
            metric="largest mean L1 distance to the weights (C-LIME, SmoothGrad, gradient; Newton's method)",
            claimed=0.0,
            measured=float(newton),
            baseline=float(plain),
            bar="<= 0.01",
            met=bool(newton <= 1e-2),
            note=f"the baseline is the least distance with a linear surrogate; by Adam as the paper fits: {sgd:.3g}",
        ),
        Claim(
            claim="No multiplicative method recovers a logistic model, neither weights nor weights × input",
            metric="least mean L1 distance to either",
            claimed=4.37,
            measured=float(removal),
            note="no bar: its size is that of the weights",
        ),
    ]


# -- experiment 3 ------------------------------------------------------------------------------------------------------


def _perturbations(networks: Networks) -> list[Claim]:
    found = []
    for dataset in dict.fromkeys(key[0] for key in networks):
        depths = {key[1]: group for key, group in networks.items() if key[0] == dataset}
        for kind, better, worse in (("binary", REMOVAL, NOISE), ("continuous", NOISE, REMOVAL)):
            wins, top_wins, notes = 0, 0, []
            for depth, group in depths.items():
                bottom, names = _advantage(group, f"{kind}, bottom", better, worse, rising=True)
                top, _ = _advantage(group, f"{kind}, top", better, worse, rising=False)
                wins += bottom.low > 0
                top_wins += top.low > 0
                notes.append(f"{depth} layers: {names[0]} leads {names[1]} by {bottom}")
            need = min(2, len(depths))
            found.append(
                Claim(
                    claim=f"{dataset}: under {kind} perturbation the "
                    f"{'multiplicative' if kind == 'binary' else 'additive'} family finds what matters least",
                    metric=f"networks of {len(depths)} where its best method changes the score less (95 % interval)",
                    measured=float(wins),
                    chance=0.025 * len(depths),
                    bar=f">= {need}",
                    met=wins >= need,
                    note="; ".join(notes) + f". On top-k: {top_wins}. Each family's best is chosen on other rows",
                )
            )
    return found


def _advantage(
    group: Records, test: str, better: tuple[str, ...], worse: tuple[str, ...], rising: bool
) -> tuple[Interval, tuple[str, str]]:
    """Paired difference between the families' best methods, positive where `better` is; points are the unit."""
    sign = 1 if rising else -1

    def best(family: tuple[str, ...]) -> str:
        means = {
            name: sign * np.mean([record["perturbation_selection"][name][test] for record in group]) for name in family
        }
        return min(means, key=lambda name: means[name])

    chosen = best(better), best(worse)
    first, second = (
        np.mean([record["perturbation"][name][test] for record in group], axis=0) * sign for name in chosen
    )
    return paired_difference(second, first), chosen


# -- no free lunch -----------------------------------------------------------------------------------------------------


def _no_free_lunch(records: Records) -> Claim:
    lunches = [each for record in records for found in record["lunches"].values() for each in found]
    ratios = [each["witness"] / each["distance"] for each in lunches]
    gap = max(each["bound"] / each["distance"] for each in lunches)
    return Claim(
        claim="No free lunch: somewhere each of the eight explanations of a sine is at least as wrong as d(f, G)",
        metric=f"least ratio of witness loss to d(f, G), over {len(lunches)} explanations",
        claimed=1.0,
        measured=float(min(ratios)),
        baseline=float(gap),
        bar=">= 1",
        met=bool(min(ratios) >= 1),
        note="the baseline is the best linear surrogate there is, whose ratio is 1 up to the search's precision",
    )


def _over_seeds(group: Records, field: str) -> Floats:
    """(point, 7, 7): mean over the model seeds, which explain the same points."""
    return np.asarray(np.array([record[field] for record in group]).mean(axis=0).transpose(2, 0, 1))


def _title(key: tuple[str, int]) -> str:
    return f"{key[0]}, {key[1]} layers"


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high
