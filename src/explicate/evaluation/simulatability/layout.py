"""The texts that readers see: rows, edits and explanations in a fixed layout, written and read in one place.

Who reads them are people, or programs that stand for people and are given nothing else.

Source: the test files of Hase and Bansal (2020), arXiv 2005.01831.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.kinds import Attribution, Counterfactuals, Rules
from explicate.errors import FileFormatError
from explicate.glassbox.kinds import Prototypes

HIDDEN_BELOW = 0.1  # importance of a feature that is not listed, or half of the largest where that is less
MOST_LISTED = 3  # important features of each sign
LAST_STEPS = 4  # of a path to the decision boundary
SENTENCE = "Sentence"
KNOWN = "Known sentence: "
NO_PATH = "No change of a few features was found that changes the prediction."
SIDES = ("== Why the prediction is as it is ==", "== What would change it ==")
_ROW = re.compile(r"^(?P<feature>.+?) : (?P<value>.*)$")
_EDIT = re.compile(r"^(?P<feature>.+?) : (?P<old>.*?) --> (?P<new>.*)$")
_WEIGHT = re.compile(r"^(?P<feature>.+?) = (?P<value>.*?) \| (?P<weight>[+-]?\d+\.\d+)$")
_TOTAL = re.compile(r"^(?P<name>Baseline|Sum of weights|Total evidence) : (?P<value>[+-]?\d+\.\d+)$")
_CONDITION = re.compile(r"^\d+\. (?P<feature>.+?) = (?P<value>.*)$")
_STEP = re.compile(
    r"^Step (?P<step>\d+): (?P<feature>.+?) : (?P<old>.*?) --> (?P<new>.*?) \| (?P<margin>[+-]\d+\.\d+)$"
)
_NEAREST = re.compile(r"^Most similar known case: (?P<label>.*?) \(evidence (?P<evidence>[+-]\d+\.\d+)\)$")
_BESIDE = re.compile(r"^(?P<feature>.+?) : (?P<known>.*?) \| (?P<value>.*)$")
_IMPORTANT = re.compile(r"^(?P<feature>.+?) = (?P<value>.*?) \((?P<weight>[+-]\d+\.\d+)\)$")


@dataclass(frozen=True)
class Edit:
    """One feature of a row at another value."""

    feature: str
    old: str
    new: str


@dataclass(frozen=True)
class Case:
    """A case as a reader sees it: feature -> value, or place ("Word 4") -> word of a sentence.

    Two rows have in common what stands under the same name; two sentences have words in common, wherever they stand.
    """

    values: Mapping[str, str]
    sentence: bool = False

    @property
    def facts(self) -> frozenset[tuple[str, str]]:
        """What it can share with other cases."""
        return frozenset(self.fact(name, value) for name, value in self.values.items())

    def fact(self, feature: str, value: str) -> tuple[str, str]:
        """What a feature and its value are in cases of this kind."""
        return (SENTENCE, value) if self.sentence else (feature, value)

    def subject(self, feature: str, value: str) -> str:
        """What a weight belongs to: a row's feature, or a sentence's word."""
        return value if self.sentence else feature

    def changed(self, edits: Sequence[Edit]) -> Case:
        """The case after edits."""
        return Case({**self.values, **{edit.feature: edit.new for edit in edits}}, self.sentence)


@dataclass(frozen=True)
class WeightedList:
    """What a LIME text says: (feature, value) -> weight, and the sums."""

    weights: Mapping[tuple[str, str], float]
    baseline: float
    total: float


@dataclass(frozen=True)
class PrototypeCase:
    """What a prototype text says: its class, signed evidence, its case, and weights of (feature, value) that matter."""

    label: str
    evidence: float
    known: Case
    important: Mapping[tuple[str, str], float]


# -- rows and edits ------------------------------------------------------------------------------------------------


def row_text(names: Sequence[str], values: Sequence[str]) -> str:
    """`Feature : value`, one a line."""
    return "\n".join(f"{name} : {value}" for name, value in zip(names, values, strict=True))


def sentence_text(sentence: str) -> str:
    """A sentence as a case; its words are called "Word 1", "Word 2" and so on."""
    return f"{SENTENCE} : {sentence}"


def word_name(place: int) -> str:
    """What the word at a place, counted from 0, is called."""
    return f"Word {place + 1}"


def read_case(text: str) -> Case:
    """The case that a text shows; lines in another form are left out."""
    rows = {match["feature"]: match["value"] for line in text.splitlines() if (match := _ROW.match(line.strip()))}
    if set(rows) == {SENTENCE}:
        return Case({word_name(place): word for place, word in enumerate(rows[SENTENCE].split())}, sentence=True)
    return Case(rows)


def edits_text(edits: Sequence[Edit]) -> str:
    """`Feature : old --> new`, one a line."""
    return "\n".join(f"{edit.feature} : {edit.old} --> {edit.new}" for edit in edits)


def read_edits(text: str) -> tuple[Edit, ...]:
    """The edits of a perturbation's text.

    Raises
    ------
    FileFormatError : a line that is no edit, named.
    """
    edits = []
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _EDIT.match(line)
        if match is None:
            raise FileFormatError(f"the perturbation line {line!r} is not of the form 'Feature : old --> new'")
        edits.append(Edit(match["feature"], match["old"], match["new"]))
    return tuple(edits)


# -- explanations ----------------------------------------------------------------------------------------------------


def lime_text(explanation: Attribution, sample: int, classes: Sequence[str]) -> str:
    """The listed weights of a local linear model of P(second class), the largest first, and their sums."""
    weights = explanation.values[sample]
    names, values = _labels(explanation, sample)
    listed = [j for j in np.argsort(-np.abs(weights), kind="stable") if weights[j] != 0]
    baseline = float(explanation["intercept"].values[sample])
    lines = [f"Evidence for {classes[1]}: above 0.50 speaks for {classes[1]}, below for {classes[0]}"]
    lines += [f"{names[j]} = {values[j]} | {weights[j]:+.2f}" for j in listed]
    total = float(weights[listed].sum())
    lines += [
        f"Baseline : {baseline:+.2f}",
        f"Sum of weights : {total:+.2f}",
        f"Total evidence : {baseline + total:.2f}",
    ]
    return "\n".join(lines)


def read_lime(text: str) -> WeightedList:
    """What a LIME text says."""
    lines = [line.strip() for line in text.splitlines()]
    weights = {(m["feature"], m["value"]): float(m["weight"]) for line in lines if (m := _WEIGHT.match(line))}
    sums = {m["name"]: float(m["value"]) for line in lines if (m := _TOTAL.match(line))}
    if "Total evidence" not in sums or "Baseline" not in sums:
        raise FileFormatError("the explanation has no lines 'Baseline' and 'Total evidence'; it is no list of weights")
    return WeightedList(weights, sums["Baseline"], sums["Total evidence"])


def anchor_text(explanation: Rules, sample: int, precision: float = 0.95) -> str:
    """The conditions of one row's anchor; where its precision is not reached, the one that is stands there."""
    data = explanation.data
    own = np.flatnonzero(data["literal_rule"].values == sample)
    label = str(data["label"].values[int(data["head"].values[sample])])
    lines = [f"Conditions for the model predicting {label}:"]
    lines += [
        f"{number}. {data['literal_column'].values[j]} = {data['literal_text'].values[j]}"
        for number, j in enumerate(own, start=1)
    ]
    if not len(own):
        lines.append("none: nearly every case gets this prediction")
    if not bool(data["reached"].values[sample]):
        found = float(data["precision"].values[sample])
        lines.append(f"(these conditions hold in {found:.0%} of the cases only, {precision:.0%} were asked for)")
    return "\n".join(lines)


def read_anchor(text: str) -> dict[str, str]:
    """Feature -> value of the conditions."""
    return {m["feature"]: m["value"] for line in text.splitlines() if (m := _CONDITION.match(line.strip()))}


def boundary_text(explanation: Counterfactuals, sample: int, classes: Sequence[str]) -> str:
    """The last steps of the way across the decision boundary, each with the evidence margin after it."""
    data = explanation.data
    steps = int(data["steps"].values[sample])
    if not steps:
        return NO_PATH
    names, values = _labels(explanation, sample)
    label = classes[int(data["target"].values[sample])]
    shown = range(max(0, steps - LAST_STEPS), steps)  # by number of the step: the last ones are those that matter
    lines = [f"Steps from {label} to another prediction, with the evidence for {label} that is left after each"]
    lines.append(f"Before: {float(data['start_margin'].values[sample]):+.2f}" + (", ..." if shown.start else ""))
    for step in shown:
        feature = int(data["edited"].values[sample, step])
        new = data["edited_text"].values[sample, step]
        margin = float(data["margin"].values[sample, step])
        lines.append(f"Step {step + 1}: {names[feature]} : {values[feature]} --> {new} | {margin:+.2f}")
    return "\n".join(lines)


def read_boundary(text: str) -> tuple[Edit, ...]:
    """The steps shown, in order; empty where no way was found."""
    found = (_STEP.match(line.strip()) for line in text.splitlines())
    return tuple(Edit(m["feature"], m["old"], m["new"]) for m in found if m)


def prototype_text(explanation: Prototypes, omission: Attribution, sample: int, classes: Sequence[str]) -> str:
    """The nearest prototype beside the row, and which of the row's features are important.

    Parameters
    ----------
    omission : importance of the same rows' features for the class that the prototype model predicts. Of sentences,
        `explanation` has one text a prototype, and both sentences are shown as they are.
    """
    data = explanation.data
    nearest = int(data["similarity"].values[sample].argmax())
    label = int(data["prototype_class"].values[nearest])
    evidence = 10 * float(data["similarity"].values[sample, nearest]) * (1 if label == 1 else -1)
    names, values = _labels(omission, sample)
    lines = [f"Most similar known case: {classes[label]} (evidence {evidence:+.2f})"]
    known = data["source_text"].values[nearest]
    if isinstance(known, str):
        lines += [KNOWN + known, "This sentence: " + " ".join(values)]
    else:
        lines.append("Feature : known case | this case")
        lines += [f"{name} : {old} | {value}" for name, old, value in zip(names, known, values, strict=True)]
    important = listed_features(omission.values[sample])
    lines.append("Important features of this case" + (":" if important else ": none"))
    lines += [f"{names[j]} = {values[j]} ({omission.values[sample, j]:+.2f})" for j in important]
    return "\n".join(lines)


def listed_features(importance: Array) -> list[int]:
    """Those not under min(0.1, half of the largest), the largest first, at most three of each sign."""
    size = np.abs(importance)
    least = min(HIDDEN_BELOW, float(size.max()) / 2)
    order = [int(j) for j in np.argsort(-size, kind="stable") if size[j] >= least and size[j] > 0]
    raising = [j for j in order if importance[j] > 0][:MOST_LISTED]
    lowering = [j for j in order if importance[j] < 0][:MOST_LISTED]
    return [j for j in order if j in raising or j in lowering]


def read_prototype(text: str) -> PrototypeCase:
    """What a prototype text says."""
    lines = [line.strip() for line in text.splitlines()]
    nearest = next((m for line in lines if (m := _NEAREST.match(line))), None)
    if nearest is None:
        raise FileFormatError("the explanation has no line 'Most similar known case'; it is none by prototypes")
    sentence = next((line.removeprefix(KNOWN) for line in lines if line.startswith(KNOWN)), None)
    if sentence is not None:
        known = read_case(sentence_text(sentence))
    else:
        beside = (m for line in lines if (m := _BESIDE.match(line)) and m["feature"] != "Feature")
        known = Case({m["feature"]: m["known"] for m in beside})
    important = {(m["feature"], m["value"]): float(m["weight"]) for line in lines if (m := _IMPORTANT.match(line))}
    return PrototypeCase(nearest["label"], float(nearest["evidence"]), known, important)


def omission_text(omission: Attribution, sample: int, classes: Sequence[str]) -> str:
    """The important features alone, without a prototype."""
    names, values = _labels(omission, sample)
    label = classes[int(omission.targets[sample])]
    important = listed_features(omission.values[sample])
    lines = [f"Important features for {label}" + (":" if important else ": none")]
    return "\n".join(lines + [f"{names[j]} = {values[j]} ({omission.values[sample, j]:+.2f})" for j in important])


def read_important(text: str) -> list[str]:
    """The important features of a text, the first one first."""
    return [m["feature"] for line in text.splitlines() if (m := _IMPORTANT.match(line.strip()))]


def composite_text(lime: str, anchor: str, boundary: str, prototype: str) -> str:
    """Weights and conditions on one side; the last step to the boundary and the prototype's case on the other."""
    steps = [line for line in boundary.splitlines() if _STEP.match(line)]
    last = steps[-1] if steps else NO_PATH
    return "\n".join([SIDES[0], lime, anchor, SIDES[1], last, prototype])


def _labels(explanation: Any, sample: int) -> tuple[list[str], list[str]]:
    data = explanation.data
    return [str(name) for name in data["feature"].values], [str(text) for text in data["input_text"].values[sample]]
