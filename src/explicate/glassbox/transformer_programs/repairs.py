"""Debugging by hand, done by search: the one table entry, or classifier weight, whose change helps most.

Source: Friedman, Wettig, Chen (2023), section 5: a program that fails is read, its fault found, and one row changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.data.language.tagged import Tagged
from explicate.glassbox.transformer_programs.analysis import Failure, accuracy, failures
from explicate.glassbox.transformer_programs.evaluation import Trace
from explicate.glassbox.transformer_programs.program import Program, tag_codes
from explicate.glassbox.transformer_programs.steps import Head, Lookup, Value

OUTSIDE = 1.0  # how far beyond the outermost logit a weight is moved
ALIKE = 1e-9  # logits closer than this are equal


@dataclass(frozen=True, eq=False)
class Repair:
    """One changed row of one table.

    Attributes
    ----------
    program : with the change.
    variable, entry : whose table was changed, at which values of what it reads; for a classifier weight the variable
        that it weighs, at (value, tag).
    value : what stands there now. weight : whether a classifier weight was changed.
    before, after : token accuracy on the rows that it was looked for on.
    """

    program: Program
    variable: str
    entry: tuple[Value, ...]
    value: Value | float
    weight: bool
    before: float
    after: float

    def __str__(self) -> str:
        place = ", ".join(map(str, self.entry))
        value = f"{self.value:.2f}" if isinstance(self.value, float) else self.value
        return f"{'weight of ' if self.weight else ''}{self.variable}({place}) = {value}"


def repair(
    program: Program,
    rows: Sequence[Tagged],
    tries: int = 300,
    *,
    confirm: Sequence[Tagged] = (),
    weights: bool = True,
) -> Repair | None:
    """The one change that raises the accuracy on `rows` most; None where no change helps.

    Tried are the entries that failing positions used, of the steps whose variables spoke for wrong tags, the most
    frequent first; and with `weights` the classifier weights of the values that those variables had, each moved to
    where it is best.

    Parameters
    ----------
    tries : so many table entries; each costs a run of the program on `rows`.
    confirm : rows on which the accuracy must not fall either. A change that helps by chance on `rows` seldom helps
        there.
    weights : False leaves the classifier alone; so do programs with one class for a whole sequence.
    """
    before = accuracy(program, rows)
    found = [Repair(program.edit(name, entry, value), name, entry, value, False, before, 0.0)
             for (name, entry, value), _ in zip(_entries(program, rows), range(tries), strict=False)]  # fmt: skip
    found += _reweightings(program, rows, before) if weights and not program.pooled else []
    measured = [_with_accuracy(one, rows) for one in found]
    bar = accuracy(program, confirm) if confirm else 0.0
    for one in sorted(measured, key=lambda each: -each.after):
        if one.after <= before:
            return None
        if not confirm or accuracy(one.program, confirm) >= bar:
            return one
    return None


def failing_inputs(rows: Sequence[Tagged], found: Sequence[Failure], most: int = 5) -> list[str]:
    """The first failing inputs in words: the tokens, and at each wrong tag what was expected and which variable spoke
    most for what was predicted."""
    samples = list(dict.fromkeys(failure.sample for failure in found))[:most]
    lines = []
    for sample in samples:
        wrong = [
            f"{one.position}: {one.predicted}, not {one.expected}, for {one.variable} = {one.value}"
            for one in found
            if one.sample == sample
        ]
        lines.append(f"{' '.join(rows[sample].tokens)} ({'; '.join(wrong)})")
    return lines


def _with_accuracy(one: Repair, rows: Sequence[Tagged]) -> Repair:
    return Repair(one.program, one.variable, one.entry, one.value, one.weight, one.before, accuracy(one.program, rows))


def _entries(program: Program, rows: Sequence[Tagged]) -> Iterator[tuple[str, tuple[Value, ...], Value]]:
    """Entries that failing positions used, each with all other values."""
    trace = program.trace([row.tokens for row in rows])
    steps = {step.name: step for step in program.steps}
    counts: Counter[tuple[str, tuple[Value, ...]]] = Counter()
    for failure in failures(program, rows):
        step = steps.get(failure.variable)
        if step is None or (isinstance(step, Head) and step.scores is not None):
            continue
        read = step.inputs if isinstance(step, Lookup) else (step.query,)
        counts[failure.variable, tuple(trace.names(name, failure.sample)[failure.position] for name in read)] += 1
    for name, entry in sorted(counts, key=lambda one: -counts[one]):
        step = steps[name]
        target = program.variables[step.key if isinstance(step, Head) else name]
        codes = target.reachable if isinstance(step, Head) else range(program.width)
        for code in codes:
            yield name, entry, target.values[code]


def _reweightings(program: Program, rows: Sequence[Tagged], before: float) -> list[Repair]:
    """Of each value that spoke for a wrong tag, its weights for that tag and for the right one, each moved."""
    trace = program.trace([row.tokens for row in rows])
    truth = tag_codes([row.tags for row in rows], program.tags)
    logits = trace.logits()
    wanted: Counter[tuple[str, Value, str]] = Counter()
    for one in failures(program, rows):
        if not program.variables[one.variable].numeric:
            wanted.update((one.variable, one.value, tag) for tag in (one.expected, one.predicted))
    found = []
    for variable, value, tag in wanted:
        there = _has(trace, variable, value) & (truth != -1)
        by = best_shift(logits[there], truth[there], program.tags.index(tag))
        if by:
            changed = program.reweighted(variable, value, tag, by)
            code = program.variables[variable].code(value)
            weight = float(changed.weights[variable][code, program.tags.index(tag)])
            found.append(Repair(changed, variable, (value, tag), weight, True, before, 0.0))
    return found


def best_shift(logits: Floats, truth: Array, tag: int) -> float:
    """What to add to the logits of one tag so that most cases are right: exact, the smallest of equally good ones.

    Parameters
    ----------
    logits : (case, tag). truth : (case,) the right tags' codes. tag : whose logits are moved.
    """
    others = np.delete(logits, tag, axis=1)
    if not others.size:
        return 0.0
    rest = others.argmax(1)
    rest = rest + (rest >= tag)
    turns = others.max(1) - logits[:, tag]  # the shift from which on the tag is predicted
    gains = (truth == tag).astype(int) - (truth == rest).astype(int)  # what its being predicted changes
    order = np.argsort(turns, kind="stable")
    places = turns[order]
    ends = np.array([places[0] - OUTSIDE, *(places[:-1] + places[1:]) / 2, places[-1] + OUTSIDE])
    right = np.concatenate([[0], np.cumsum(gains[order])])
    right[1:-1][np.diff(places) < ALIKE] = np.iinfo(int).min  # no shift lies between equal ones
    now = (logits.argmax(1) == truth).sum() - (truth == rest).sum()
    if right.max() <= now:
        return 0.0
    best = np.flatnonzero(right == right.max())
    return float(ends[best[np.abs(ends[best]).argmin()]])


def _has(trace: Trace, variable: str, value: Value) -> Array:
    """(sample, position) where a variable has a value."""
    code = trace.program.variables[variable].code(value)
    return np.asarray((trace.values[variable] == code) & (trace.codes >= 0))
