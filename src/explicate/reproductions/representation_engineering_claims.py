"""Claims of the reproduction of reasoning control vectors, made of its units' records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from explicate.evaluation.dose_response import GRID
from explicate.reproductions.claims import Claim
from explicate.reproductions.figures import listed

CHANCE = 0.25
CELLS = len(GRID)
SCREENED_BY = "right mass among answers"
"""Of few stories the mass tells more than the accuracy; accuracy decides on the validation stories."""
PAGE = {"read": 300, "validation": 300, "test": 600}
"""Numbers of stories that the page asks for."""


def best_cells(table: Sequence[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
    """The cells with the most mass on the right answer, at most one for each layer and estimator."""
    best = []
    for row in table:
        masses = np.array(row[SCREENED_BY])
        masses[np.array(row["strength"]) == 0] = -np.inf
        at = int(masses.argmax())
        best.append((masses[at], {"layer": row["layer"], "how": row["how"], "strength": row["strength"][at]}))
    return [cell for _, cell in sorted(best, key=lambda pair: -pair[0])[:count]]


def of_states(records: Sequence[dict[str, Any]]) -> list[Claim]:
    """Planted states."""
    worst = min(record["paired-difference"] for record in records)
    component = float(np.mean([abs(record["pca-of-differences"]) for record in records]))
    mean = float(np.mean([abs(record["mean"]) for record in records]))
    return [
        Claim(
            "R-C finds the planted difference of states",
            "cosine with mu, the lowest of the seeds",
            measured=worst,
            baseline=component,
            chance=1 / 16,
            bar="> 0.99",
            met=worst > 0.99,
            note=f"baseline: PCA-C, which finds the strongest noise instead (mean |cosine| {component:.2f}); R "
            f"{mean:.2f}. Chance: the typical |cosine| of two random directions in 256 dimensions.",
        )
    ]


def of_modes(records: Sequence[dict[str, Any]], shorter: Sequence[dict[str, Any]]) -> list[Claim]:
    """Decoders with a planted mode; `shorter` are the same at strength 1."""
    found = []
    plain, steered, opposite = (
        np.array([record[name] for record in records]) for name in ("plain", "steered", "opposite")
    )
    random = np.array([record["random"] for record in records])
    changes = np.abs(random.mean(axis=1) - plain)
    told = [f"{record['words']['solve']:.2f} / {record['words']['guess']:.2f}" for record in records]
    where = [
        f"{record['strength']} at {record['site']}{', norm kept' if record['norm kept'] else ''} "
        f"({record['relative size']:.1f} times as long as the activations)"
        for record in records
    ]
    sizes = [f"{record['relative size']:.1f}" for record in records]
    short = [f"{abs(np.mean(record['random']) - record['plain']):.3f}" for record in shorter]
    halves = [f"{record['halves']:.2f}" for record in records]
    about = (
        f"accuracy of drawn answers, that is the mass of the right one; {records[0]['weights'] / 1e6:.1f} M weights; "
        f"with the mode word {', '.join(told)}; chosen on validation stories: {'; '.join(where)}. A third of the texts "
        "were trained on without their mode word: a decoder that never was answers without it as after guess. The ways "
        f"from no word to solve and from guess to no word have cosines {', '.join(halves)}"
    )
    for claim, values, bar, met in (
        ("Without the mode word the planted decoder answers with the mixture", plain, "about 0.625", None),
        ("R-C of solving against guessing makes it solve", steered, ">= 0.90", bool(steered.min() >= 0.9)),
        ("The opposite strength makes it guess", opposite, "<= 0.40", bool(opposite.max() <= 0.4)),
    ):
        found.append(
            Claim(
                claim,
                "accuracy, mean of the seeds; the bar holds for each",
                measured=float(values.mean()),
                interval=(float(values.min()), float(values.max())),
                baseline=None if met is None else float(random.mean()),
                chance=CHANCE,
                bar=bar,
                met=met,
                note=f"{_each(values)}; the interval is the range of the seeds. {about}",
            )
        )
    found.append(
        Claim(
            "A random direction of the same length does not",
            f"change of accuracy, mean of {random.shape[1]} random directions; the largest of the seeds",
            measured=float(changes.max()),
            bar="< 0.05",
            met=bool(changes.max() < 0.05),
            note=f"{_each(changes)}; the largest by a single one is {np.abs(random - plain[:, None]).max():.3f}; "
            "the strengths are such that their opposite works too, with directions "
            f"{', '.join(sizes)} times as long as the activations, of which any does something: at strength 1 ("
            f"{_shown(shorter, 'relative size')}) random ones change it by {', '.join(short)}, R-C solves "
            f"{_shown(shorter, 'steered')} and its opposite {_shown(shorter, 'opposite')}",
        )
    )
    ranks = [_ranks(record["divergence"]) for record in records]
    exact = max(record["largest at 0"] for record in records)
    lowest = float(np.min(ranks))
    found.append(
        Claim(
            "Divergence is 0 at strength 0 and grows to both sides",
            "Spearman's correlation with |strength| on each side, the lowest of sides and seeds",
            claimed="KL grows with abs(alpha)",
            measured=lowest,
            bar=">= 0.95, and exactly 0 at strength 0",
            met=lowest >= 0.95 and exact == 0.0,
            note=f"largest divergence at strength 0: {exact}",
        )
    )
    return found


def of_deductions(
    table: Sequence[dict[str, Any]],
    choice: dict[str, Any],
    found: Mapping[str, dict[str, Any]],
    sizes: Mapping[str, int],
    layers: int,
) -> list[Claim]:
    """SmolLM2 on deductions."""
    test, controls = found["test"], found["controls"]
    filled = sum(np.isfinite(row["accuracy"]).sum() for row in table)
    wanted = layers * 3 * CELLS
    longest = max(table, key=lambda row: _monotone(row[SCREENED_BY]))
    length = _monotone(longest[SCREENED_BY])
    ranks = min(min(_ranks(row["divergence (nats)"])) for row in table)
    used = "; ".join(
        f"{sizes[name]} {name} stories where the page has {page}" for name, page in PAGE.items() if sizes[name] < page
    )
    stays = choice["strength"] == 0.0
    cell = f"layer {choice['layer']}, {choice['how']}"
    difference = [0.0, 0.0, 0.0] if stays else test["difference"]
    improved = test["p"] < 0.05 and test["difference"][0] > 0
    random = np.array(controls["random"])
    return [
        Claim(
            "The whole table of layers, estimators and strengths is measured",
            "cells",
            measured=float(filled),
            bar=f"= {wanted}",
            met=bool(filled == wanted),
            note=f"on {sizes['screen']} screening stories; the best cells were measured again on {sizes['validation']} "
            f"validation stories ({used}). PCA-C's cosine with R-C: "
            + ", ".join(f"{r['cosine']:.2f}" for r in table if r["how"] == "pca-of-differences"),
        ),
        Claim(
            "Strength 0 is the plain model bit for bit",
            "1 if all logits are equal",
            measured=float(test["bit for bit"]),
            bar="= 1",
            met=test["bit for bit"],
        ),
        Claim(
            "The validated strength is not worse on test stories than no steering, by more than its interval",
            "difference of accuracies",
            measured=difference[0],
            interval=(difference[1], difference[2]),
            chance=0.0,
            bar="upper end of the interval >= 0",
            met=bool(difference[2] >= 0),
            note=("validation chose not to steer; the best steered candidate" if stays else "the choice")
            + f", {cell}: {test['accuracy'][0]:.3f} against {test['plain'][0]:.3f} on {test['stories']} test stories; "
            f"validation {', '.join(f'{value:.3f}' for value in choice['candidates'])} for the candidates, "
            f"{choice['plain']:.3f} without steering",
        ),
        Claim(
            "Accuracy can be raised by a vector on the same task",
            "test accuracy of the best steered candidate on deductions, McNemar's test of the flips",
            claimed='yes, "to a certain degree"',
            measured=test["accuracy"][0],
            interval=(test["accuracy"][1], test["accuracy"][2]),
            baseline=float(max(test["plain"][0], test["majority"])),
            chance=CHANCE,
            note=f"p = {test['p']:.2g}, {test['gained']} from wrong to right and {test['lost']} back; plain "
            f"{test['plain'][0]:.3f}, always the most frequent animal {test['majority']:.3f}; an improvement is "
            f"claimed only for p < 0.05: {'yes' if improved else 'no'}. In its own words "
            f"{test['written'][1]:.2f} of {test['written'][2]} right (plain {test['written'][0]:.2f}). Divergence "
            f"{test['divergence']:.2f} nats (median {test['median divergence']:.2f}), entropy "
            f"{test['entropy'][0]:.2f} to {test['entropy'][1]:.2f} bits, neutral perplexity "
            f"{test['perplexity'][0]:.1f} to {test['perplexity'][1]:.1f}, "
            f"size {test['relative size']:.2f} of the activations",
        ),
        Claim(
            "For information: directions that should do nothing special, at the same strength and length",
            f"accuracy of the chosen direction on {controls['stories']} test stories",
            measured=controls["steered"],
            baseline=float(max(random.mean(), controls["tossed"], controls["unrelated"])),
            chance=CHANCE,
            note=f"{len(random)} random ones {random.mean():.3f} ({random.min():.3f} to {random.max():.3f}), tossed "
            f"pairs {controls['tossed']:.3f}, mean of random texts {controls['unrelated']:.3f}; plain "
            f"{controls['plain']:.3f}; with the norm kept {controls['norm kept']:.3f}",
        ),
        Claim(
            "The mass of the right answer moves monotonically with the strength",
            "longest interval of strengths, over all layers and estimators",
            measured=length,
            bar=">= 0.5",
            met=bool(length >= 0.5 - 1e-9),
            note=f"layer {longest['layer']}, {longest['how']}, on the screening stories",
        ),
        Claim(
            "Divergence grows with the strength in SmolLM2 too",
            "Spearman's correlation with |strength| on each side, the lowest of all layers, estimators and sides",
            claimed="KL grows with abs(alpha)",
            measured=ranks,
        ),
        _analysis_claim(found["analysis"]),
    ]


def of_names(record: dict[str, Any]) -> list[Claim]:
    """SmolLM2 on names."""
    curve = np.array(record["curve"])
    return [
        Claim(
            "Range of the accuracy over strengths on indirect objects",
            "lowest accuracy between the two names on validation prompts; the interval is the range over strengths",
            claimed="between .65 and .86 (plot limits, Pythia-2.8b)",
            measured=float(curve.min()),
            interval=(float(curve.min()), float(curve.max())),
            chance=0.5,
            note=f"long prompts, R-C of layer 15 against other names; test {record['accuracy'][0]:.3f} against "
            f"{record['plain'][0]:.3f} plain on {record['prompts']} prompts at strength {record['strength']} (p = "
            f"{record['p']:.2g}, flips {record['flips'][0]} and {record['flips'][1]}); the name is the likeliest token "
            f"in {record['top']:.3f} of the plain answers; bAbI's vector at -1 to 1: "
            f"{', '.join(f'{x:.2f}' for x in record['transferred'])} (cosine of the two vectors "
            f"{record['cosine']:.2f})",
        )
    ]


def _analysis_claim(record: dict[str, Any]) -> Claim:
    shares = {how: np.array(lengths) / np.array(record["typical"]) for how, lengths in record["lengths"].items()}
    tokens = "; ".join(f"{how}: {' '.join(words)}" for how, words in record["tokens"].items())
    between = np.array(record["between layers"])
    cosines = ", ".join(
        f"{how} {np.min(values):.2f} to {np.max(values):.2f}"
        for how, values in record["cosine of R-C"].items()
        if how != "paired-difference"
    )
    return Claim(
        "For information: the vectors themselves",
        "length of R-C over that of the activations, mean of the layers",
        measured=float(shares["paired-difference"].mean()),
        note=f"from {shares['paired-difference'].min():.2f} to {shares['paired-difference'].max():.2f} over the layers "
        f"(R: {shares['mean'].min():.2f} to {shares['mean'].max():.2f}); cosine of R-C with {cosines}; between layers "
        f"10 and 20 {between[0, -1]:.2f}; layer 15 reads as {tokens}",
    )


def _ranks(values: Sequence[float]) -> tuple[float, float]:
    """Spearman's correlation with |strength| on the negative and on the positive side."""
    from scipy.stats import spearmanr

    zero = GRID.index(0.0)
    array = np.array(values)
    sides = (array[: zero + 1][::-1], array[zero:])
    return tuple(float(spearmanr(np.arange(len(side)), side).statistic) for side in sides)  # type: ignore[return-value]


def _monotone(values: Sequence[float]) -> float:
    """The longest interval of strengths over which values only rise, or only fall."""
    steps = np.sign(np.diff(values))
    longest = run = 0
    for before, now in zip([0.0, *steps], steps, strict=False):
        run = 0 if now == 0 else run + 1 if now == before else 1
        longest = max(longest, run)
    return longest * (GRID[1] - GRID[0])


def _shown(records: Sequence[dict[str, Any]], name: str) -> str:
    return listed((record[name] for record in records), 2)


def _each(values: Any) -> str:
    return f"each seed: {listed(values)}"
