"""The claims of concept-centric transformers, from what its units measured.

The paper's accuracies on CIFAR-100, CUB and ImageNet stand in tables that were not at hand; what is compared is its
order: CCT above CT and the plain backbone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim
from explicate.runtime.statistics import t_interval

Parts = Mapping[str, Sequence[dict[str, Any]]]
NAMES = {
    "isa": "implicit slots",
    "bo_qsa": "query slots",
    "cls": "slots that read the summary alone",
    "static space": "static concepts on patches",
}


def claims_of(found: Parts) -> list[Claim]:
    """All claims of the page."""
    return [*_digit_claims(found), *_bird_claims(found), *_found_claims(found), *_variant_claims(found)]


def _digit_claims(found: Parts) -> list[Claim]:
    every = {model: _of(found["digits"], model, "accuracy") for model in ("cct", "ct", "plain")}
    few = {model: _of(found["few"], model, "accuracy") for model in ("cct", "ct", "plain")}
    gain = [a - b for a, b in zip(few["cct"], few["plain"], strict=True)]
    digit = _of(found["digits"], "cct", "digit")
    own, parent = (_mean(_of(found["few"], model, "digit")) for model in ("cct", "ct"))
    weights = {one["weight"]: one for one in found["weight"]}
    first = next(one for one in found["few"] if one["model"] == "cct")
    swept = "; ".join(
        f"{weight:g}: accuracy {one['accuracy']:.3f}, digit {one['digit']:.3f}"
        for weight, one in sorted({**weights, first["weight"]: first}.items())
    )
    return [
        Claim("Concepts cost no accuracy on digits, even or odd", "accuracy, all training images, mean of the seeds",
              None, _mean(every["cct"]), _interval(every["cct"]), _mean(every["plain"]), 0.5, ">= .97",
              _mean(every["cct"]) >= 0.97,
              f"CT {_mean(every['ct']):.3f}; the baseline is the plain backbone{_unseen(every['cct'])}"),
        Claim("Known concepts help where images are few", "accuracy with 100 images, CCT less plain backbone, mean",
              "CCT > CT > backbone", _mean(gain), _interval(gain), 0.0, 0.0, ">= .02", _mean(gain) >= 0.02,
              f"CCT {_mean(few['cct']):.3f}, CT {_mean(few['ct']):.3f}, plain {_mean(few['plain']):.3f}; digit "
              f"attended {own:.3f}, by CT {parent:.3f}; the backbone that learns the digits themselves from these "
              f"has {_mean(_of(found['ceiling'], 'plain', 'digit')):.3f} of them, and so a parity of "
              f"{_mean(_of(found['ceiling'], 'plain', 'accuracy')):.3f}"),
        Claim("The concept attended most is the digit", "share of test images, all training images, mean", None,
              _mean(digit), _interval(digit), _mean(_of(found["digits"], "ct", "digit")), 0.1, ">= .90",
              _mean(digit) >= 0.9, f"the baseline is CT{_unseen(digit)}"),
        Claim("The weight of the explanation trades with accuracy", "accuracy with 100 images, spread over the weights",
              None, float(np.ptp([one["accuracy"] for one in [*weights.values(), first]])),
              note=f"first seed, by weight: {swept}"),
    ]  # fmt: skip


def _bird_claims(found: Parts) -> list[Claim]:
    birds = found["birds"]
    accuracy = {model: _of(birds, model, "accuracy") for model in ("cct", "ct", "plain")}
    f1, parent = _of(birds, "cct", "f1"), _of(birds, "ct", "f1")
    loss = _mean(accuracy["ct"]) - _mean(accuracy["cct"])
    above = sum(a > b for a, b in zip(f1, parent, strict=True))
    needed = -(-3 * len(f1) // 5)
    masked, other = _of(birds, "cct", "masked"), _of(birds, "cct", "masked other")
    control = _of(birds, "cct", "shuffled f1")
    whole = {one["model"].split()[0]: one for one in found["whole"]}
    mixed = {model: _mean(_of(birds, model, "shuffled accuracy")) for model in ("cct", "ct")}
    return [
        Claim("Birds are told apart by their concepts", "accuracy of 8 classes, mean of the seeds", None,
              _mean(accuracy["cct"]), _interval(accuracy["cct"]), _mean(accuracy["plain"]), 1 / 8, ">= .95",
              _mean(accuracy["cct"]) >= 0.95, f"background attended {_mean(_of(birds, 'cct', 'background')):.3f}; with "
              f"the attention of other pictures {mixed['cct']:.3f}{_unseen(accuracy['cct'])}"),
        Claim("Patches attend to the attribute that they show", "F1 of 10 attributes on annotated patches, mean", None,
              _mean(f1), _interval(f1), _mean(parent), _mean(control), ">= .80; chance <= .15",
              _mean(f1) >= 0.8 and _mean(control) <= 0.15,
              f"chance is shuffled attention; the baseline is CT{_unseen(f1)}"),
        Claim("Slots cost no accuracy against CT", "accuracy of CT less that of CCT, means", "CCT > CT", loss,
              bar="<= .005", met=loss <= 0.005, note=f"CCT {accuracy['cct']}, CT {accuracy['ct']}"),
        Claim("Slots find the parts better than CT", "seeds in which F1 is above that of CT", None, above,
              bar=f">= {needed} of {len(f1)}", met=above >= needed,
              note=f"CCT {_shown(f1)}; CT {_shown(parent)}; equal after noise on the picture: CCT "
              f"{_mean(_of(birds, 'cct', 'consistency')):.3f}, CT {_mean(_of(birds, 'ct', 'consistency')):.3f}"),
        Claim("The defining concept decides", "predictions that change when it is masked, mean", None, _mean(masked),
              _interval(masked), _mean(_of(birds, "ct", "masked")), _mean(other), ">= .60", _mean(masked) >= 0.6,
              f"a background {_mean(_of(birds, 'cct', 'masked background')):.3f}, a part "
              f"{_mean(_of(birds, 'cct', 'masked part')):.3f}; by CT, whose concepts are the same for all, "
              f"{_mean(_of(birds, 'ct', 'masked background')):.3f} and {_mean(_of(birds, 'ct', 'masked part')):.3f}; "
              "accuracy with the attention of other pictures, which shows what the slots know by themselves: CCT "
              f"{mixed['cct']:.3f}, CT {mixed['ct']:.3f}; "
              "control, all concepts of the whole picture and none of patches, first seed: CT "
              f"{whole['ct']['masked']:.3f}, CCT {whole['cct']['masked']:.3f}, another concept "
              f"{whole['ct']['masked other']:.3f} and {whole['cct']['masked other']:.3f}"),
        Claim("and a random other one does not", "predictions that change when another concept is masked, mean", None,
              _mean(other), _interval(other), _mean(_of(birds, "ct", "masked other")), bar="<= .20",
              met=_mean(other) <= 0.2),
    ]  # fmt: skip


def _found_claims(found: Parts) -> list[Claim]:
    own = {key: _of(found["found"], "cct", key) for key in ("purity", "shuffled", "of classes", "accuracy", "used")}
    parent = _of(found["found"], "ct", "purity")
    note = (
        "of the attribute on the patch that attends most (a part, or the background): over whole pictures one of three "
        f"beaks has a third already; share of one class {_mean(own['of classes']):.3f}; {_mean(own['used']):.1f} "
        f"concepts in use; accuracy {_mean(own['accuracy']):.3f}; the baseline is CT"
    )
    return [
        Claim("Concepts without annotations are pure", "largest attribute share of the top pictures, mean", None,
              _mean(own["purity"]), _interval(own["purity"]), _mean(parent), _mean(own["shuffled"]), ">= .60",
              _mean(own["purity"]) >= 0.6, note),
        Claim("and shuffled attention is not", "largest attribute share of the top pictures, mean", None,
              _mean(own["shuffled"]), _interval(own["shuffled"]), bar="<= .35", met=_mean(own["shuffled"]) <= 0.35),
    ]  # fmt: skip


def _variant_claims(found: Parts) -> list[Claim]:
    return [
        Claim(f"Birds with {NAMES[one['model']]}", "accuracy, first seed", None, one["accuracy"], chance=1 / 8,
              note=f"F1 {one['f1']:.3f}, background {one['background']:.3f}, masked {one['masked']:.3f}, another "
              f"{one['masked other']:.3f}")
        for one in found["variant"]
    ]  # fmt: skip


def _of(records: Sequence[dict[str, Any]], model: str, key: str) -> list[float]:
    return [float(one[key]) for one in records if one["model"] == model]


def _unseen(values: Sequence[float]) -> str:
    """The mean without the first seed: the weight on digits and the number of birds were chosen on its test images."""
    if len(values) < 2:
        return ""
    return f"; without the first seed, on whose test images weight and number were chosen, {_mean(values[1:]):.3f}"


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    if len(values) < 2:
        return None
    found = t_interval(values)
    return found.low, found.high


def _shown(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)
