"""The belief table: every prediction's reasons in parts, each with its verdict and the figures that say so."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.evaluation.belief.evidence import AgainstOthers
from explicate.evaluation.belief.parts import NOT_TESTED, SUPPORTED, VERDICTS, Kind
from explicate.evaluation.self_explanation import Axis
from explicate.runtime.files import write_text
from explicate.runtime.statistics import Interval, bootstrap_interval, proportion_interval

if TYPE_CHECKING:
    import pandas as pd

    from explicate.evaluation.belief.verdicts import Rule

OTHER_WORDS, OTHER_EXPLANATION = "words that are not named", "another item's explanation"
CONTROLS = (OTHER_WORDS, OTHER_EXPLANATION)
MOST = 0.5  # share of supported parts that "believe" and "do not believe" are decided by
ENOUGH = 5  # predictions with a tested part, below which nothing is said of all reasons
SHOWN = 5  # predictions printed
BELIEVE, DOUBT, IN_PART, TOO_FEW = "believe", "do not believe", "in part", "too few"
SAID = {
    BELIEVE: "believe what is marked as supported: most parts are, and more than among words that are not named",
    DOUBT: "do not believe these reasons: most parts are not supported",
    IN_PART: "believe part by part: these reasons are neither mostly supported nor mostly not",
    TOO_FEW: "read the marks of each part: there are too few predictions to say more",
}
CAVEAT = (
    "Edited texts are unlike those that the model knows, and a word that moves the answer need not move it as the "
    "sentence says. A clause that names no word of the input cannot be tested by editing words; not tested does not "
    "mean true."
)


@dataclass(frozen=True)
class Part:
    """One part of an explanation with its verdict.

    Attributes
    ----------
    verdict : one of `VERDICTS`. reason : why, in words.
    edits, attribution : what the word does by each, beside words that are not named. flips : share of the edits of it
        after which another answer is given.
    """

    kind: Kind
    text: str
    verdict: str
    reason: str
    edits: AgainstOthers | None = None
    attribution: AgainstOthers | None = None
    flips: float | None = None

    @property
    def worth(self) -> float | None:
        """Of a word that matters by all its figures, what it is worth by edits; else None."""
        figures = [one for one in (self.edits, self.attribution) if one is not None]
        return figures[0].effect if figures and all(one.says == "for" for one in figures) else None

    def figures(self) -> str:
        """The figures in a line."""
        found = [
            f"{name} {one}"
            for name, one in (("attribution", self.attribution), ("edits", self.edits))
            if one is not None
        ]
        if self.flips is not None and np.isfinite(self.flips):
            found.append(f"{self.flips:.0%} of edits change the answer")
        return "; ".join(found)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        found: dict[str, Any] = {"kind": self.kind, "text": self.text, "verdict": self.verdict, "reason": self.reason}
        for name, one in (("attribution", self.attribution), ("edits", self.edits)):
            if one is not None:
                found[name] = one.to_dict()
        if self.flips is not None and np.isfinite(self.flips):
            found["flips"] = self.flips
        return found


@dataclass(frozen=True)
class Prediction:
    """One answer, its explanation in parts, and what was measured.

    Attributes
    ----------
    item, input : name and text of what was asked. letter, choice : the answer. probability : of it.
    text : the explanation. status : "ok", or why there is none.
    left_out : words that are not named and do more than the others, the strongest first.
    together : what taking all named words out at once does, beside random sets of as many other words.
    reader : share of changed inputs that a reader foretells right, with the explanation and without.
    insertions : of words put in that moved the answer: how many the new explanation names, and how many there were.
    early : of a chain of thought, the area over the curve when it is cut short: 0 where the answer stands without it.
    controls : by name, the verdicts that the same rule gives on what is no explanation of this answer.
    """

    item: str
    input: str
    letter: str
    choice: str
    text: str
    status: str
    probability: float | None = None
    parts: tuple[Part, ...] = ()
    left_out: tuple[Part, ...] = ()
    together: AgainstOthers | None = None
    reader: tuple[float, float] | None = None
    insertions: tuple[float, float] | None = None
    early: float | None = None
    controls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def verdicts(self) -> list[str]:
        """Of the parts that were tested."""
        return tested(part.verdict for part in self.parts)

    def lines(self) -> list[str]:
        """As text."""
        chance = "" if self.probability is None else f", p = {self.probability:.2f}"
        head = f"{self.item}: ({self.letter or '?'}) {self.choice}{chance}"
        found = [head, f'  "{self.text}"' if self.text else f"  no explanation: {self.status}"]
        width = max([len(part.text) for part in (*self.parts, *self.left_out) if part.kind == "word"], default=0)
        found += [f"  {part.verdict:12}  {part.text:{width}}  {part.figures() or part.reason}" for part in self.parts]
        found += [f"  {'left out':12}  {part.text:{width}}  {part.figures()}" for part in self.left_out]
        return [*found, *(f"  {'':12}  {note}" for note in self.notes())]

    def notes(self) -> list[str]:
        """What was measured of the whole reason, a sentence each."""
        found = []
        if self.together is not None:
            found.append(f"All named words taken out at once: {self.together}.")
        if self.reader is not None:
            known, blind = self.reader
            found.append(f"A simulated reader foretells changed inputs: {known:.0%} with it, {blind:.0%} without.")
        if self.insertions is not None:
            hits, moved = self.insertions
            found.append(f"Words put in that moved the answer: {moved:.0f}, named in the new reason: {hits:.0f}.")
        if self.early is not None:
            found.append(f"Cut short, the reasoning loses its answer in {self.early:.0%} of its length.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        found: dict[str, Any] = {
            "item": self.item,
            "input": self.input,
            "answer": self.letter,
            "choice": self.choice,
            "probability": self.probability,
            "explanation": self.text,
            "status": self.status,
            "parts": [part.to_dict() for part in self.parts],
            "left_out": [part.to_dict() for part in self.left_out],
        }
        if self.together is not None:
            found["together"] = self.together.to_dict()
        if self.reader is not None:
            found["simulated_reader"] = {"with": self.reader[0], "without": self.reader[1]}
        if self.insertions is not None:
            found["insertions"] = {"named": self.insertions[0], "moved": self.insertions[1]}
        if self.early is not None:
            found["early_answering"] = self.early
        return found


def tested(verdicts: Iterable[str]) -> list[str]:
    """Verdicts but those of what was not tested."""
    return [one for one in verdicts if one != NOT_TESTED]


@dataclass(frozen=True)
class BeliefTable:
    """What of a model's reasons the evidence bears out.

    Attributes
    ----------
    predictions : one row each. axis : the tests of behaviour over all items. rule : how parts were judged.
    attribution : the method, "" for none. reader : who foretold changed inputs; simulated. questions : asked for it.
    """

    predictions: tuple[Prediction, ...]
    model: str
    scripted: bool
    form: str
    rule: Rule
    axis: Axis
    attribution: str
    reader: str
    questions: int
    seed: int = 0

    def counts(self) -> dict[str, int]:
        """Parts by verdict."""
        found = Counter(part.verdict for one in self.predictions for part in one.parts)
        return {verdict: found[verdict] for verdict in VERDICTS}

    def supported(self) -> Interval | None:
        """The share of the tested parts that are supported, items resampled; None where none was tested."""
        return _share([one.verdicts() for one in self.predictions], self.seed)

    def control(self, name: str) -> Interval | None:
        """The same share of a control (see `CONTROLS`), for predictions with a tested part."""
        return _share(
            [tested(one.controls.get(name, ())) if one.verdicts() else [] for one in self.predictions], self.seed
        )

    def lead(self) -> Interval | None:
        """How much larger the share is than among words that are not named, prediction by prediction."""
        rows = [(one.verdicts(), tested(one.controls.get(OTHER_WORDS, ()))) for one in self.predictions]
        gaps = [_mean(own) - _mean(other) for own, other in rows if own and other]
        if len(gaps) < 2:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of few items the interval is Student's, which is what is wanted
            return bootstrap_interval(gaps, seed=self.seed)

    @property
    def verdict(self) -> str:
        """On all reasons: a key of `SAID`."""
        share, lead = self.supported(), self.lead()
        if share is None or share.clusters < ENOUGH or lead is None:
            return TOO_FEW
        if share.low > MOST and lead.low > 0:
            return BELIEVE
        return DOUBT if share.high < MOST else IN_PART

    def left_out(self) -> list[tuple[str, int]]:
        """Words that mattered and were not named, with the number of predictions, most first."""
        return Counter(part.text for one in self.predictions for part in one.left_out).most_common()

    def measured_words(self) -> tuple[tuple[tuple[str, float], ...] | None, ...]:
        """The words that do matter, named or left out, of each prediction with an answer: what a reason should name.

        With their worth by edits, the strongest first; None where no word does. As `GivenWordFeedback` takes them, so
        that `SelfRefiner` has the model rewrite its reason.
        """
        found = []
        for one in self.predictions:
            worth = {part.text: part.worth for part in (*one.parts, *one.left_out) if part.worth is not None}
            if one.letter:
                found.append(tuple(sorted(worth.items(), key=lambda pair: -pair[1])) or None)
        return tuple(found)

    def lines(self) -> list[str]:
        """What was found, a sentence each."""
        counts, share = self.counts(), self.supported()
        parts = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
        said = SAID[self.verdict]
        found = [
            f"{said[0].upper()}{said[1:]}.",
            f"{len(self.predictions)} predictions; parts of the reasons: {parts}.",
        ]
        if not any(one.status == "ok" for one in self.predictions):
            found.append(
                "No reason could be read in the form that was asked for; give what the model says with the items, as "
                '"answer" and "explanation", or ask for another form.'
            )
        if share is not None:
            shares = "; ".join(
                f"{name} {'none to be had' if own is None else own}"
                for name in CONTROLS
                for own in [self.control(name)]
            )
            found.append(f"Supported, of the parts tested: {share}. By the same rule: {shares}.")
        number = sum(bool(one.left_out) for one in self.predictions)
        if number:
            words = ", ".join(f"{word} ({count})" for word, count in self.left_out()[:5])
            found.append(
                f"In {number} of {len(self.predictions)} predictions a word that is not named moves the answer more "
                f"than the other words do: {words}."
            )
        for test in self.axis.tests:
            interval = test.interval(self.seed)
            if interval is None:
                found.append(f"{test.name}: not measured{f', {test.reason}' if test.reason else ', no item fits'}.")
            elif test.name == "simulatability":
                right = test.values[test.applies].mean(axis=0)
                found.append(
                    f"A simulated reader foretells the answers to changed inputs right in {right[0]:.0%} with the "
                    f"explanation and {right[1]:.0%} without ({test.n} predictions; gain {interval})."
                )
            elif test.name == "early-answering":
                found.append(
                    f"Cut short after each sentence, the reasoning loses its answer: area over the curve {interval} "
                    f"({test.n} predictions; 0 where the answer stands without the text)."
                )
            else:
                found.append(
                    f"Of the words put in that moved the answer, the new explanation names {interval} "
                    f"({test.n} predictions)."
                )
        return found

    def __str__(self) -> str:
        scripted = " (a scripted model)" if self.scripted else ""
        found = [f"reasons of {self.model}{scripted}, {self.form}", *(f"  {line}" for line in self.lines())]
        for one in self.predictions[:SHOWN]:
            found += ["", *one.lines()]
        if len(self.predictions) > SHOWN:
            found += ["", f"and {len(self.predictions) - SHOWN} more predictions"]
        return "\n".join(found)

    def _repr_html_(self) -> str:
        from explicate.core import registry

        return str(registry.find("belief-table", "fragments")(self))

    def to_frame(self) -> pd.DataFrame:
        """A row for each part: item, answer, part, verdict and figures."""
        import pandas as pd

        rows = []
        for one in self.predictions:
            for part in one.parts:
                row: dict[str, Any] = {"item": one.item, "answer": one.choice, "part": part.text, "kind": part.kind}
                row |= {"verdict": part.verdict, "reason": part.reason}
                for name, figure in (("attribution", part.attribution), ("edits", part.edits)):
                    row |= {
                        name: None if figure is None else figure.effect,
                        f"{name} of others": None if figure is None else figure.others.value,
                    }
                rows.append(row | {"flips": part.flips})
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        share, lead = self.supported(), self.lead()
        return {
            "model": self.model,
            "scripted": self.scripted,
            "form": self.form,
            "verdict": self.verdict,
            "counts": self.counts(),
            "supported": _ends(share),
            "controls": {name: _ends(self.control(name)) for name in CONTROLS},
            "lead": _ends(lead),
            "left_out": dict(self.left_out()),
            "rule": str(self.rule),
            "least": self.rule.least,
            "attribution": self.attribution,
            "reader": f"{self.reader} (simulated)",
            "tests": [test.to_dict() for test in self.axis.tests],
            "questions": self.questions,
            "predictions": [one.to_dict() for one in self.predictions],
        }

    def save(self, path: str | Path) -> Path:
        """Write it as JSON."""
        return write_text(path, json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n")


def _mean(verdicts: Sequence[str]) -> float:
    return float(np.mean([one == SUPPORTED for one in verdicts]))


def _share(rows: Sequence[Sequence[str]], seed: int) -> Interval | None:
    """The share of "supported" over the rows' verdicts, each row a cluster."""
    values = [float(one == SUPPORTED) for row in rows for one in row]
    owners = [number for number, row in enumerate(rows) for _ in row]
    if not values:
        return None
    if len(set(owners)) < 2:
        owners = list(range(len(values)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few items the interval is Student's, which is what is wanted
        return proportion_interval(values, clusters=owners, seed=seed)


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.value, interval.low, interval.high]
