"""Debugging by hand, done by search: the one table entry, or classifier weight, whose change helps most.

Source: Friedman, Wettig, Chen (2023), section 5: a program that fails is read, its fault found, and one row changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from explicate.core.capabilities import Array, Floats, Masks
from explicate.data.language.tagged import Tagged
from explicate.glassbox.transformer_programs.analysis import Failure, accuracy
from explicate.glassbox.transformer_programs.evaluation import Trace
from explicate.glassbox.transformer_programs.program import Program, tag_codes
from explicate.glassbox.transformer_programs.steps import Head, Lookup, Value
from explicate.glassbox.transformer_programs.wording import name_of

OUTSIDE = 1.0  # how far beyond the outermost logit a weight is moved
ALIKE = 1e-9  # logits closer than this are equal


@dataclass(frozen=True, eq=False)
class Repair:
    """One changed row of one table.

    Attributes
    ----------
    program : with the change.
    variable, entry : whose table was changed, at which values of what it reads; for a classifier weight the variable
        that it weighs, at (value, tag); a number has one weight for each tag, that of 1.
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

    Tried are the table entries that failing positions used, those first that right positions use seldom; and with
    `weights` the classifier's weights of the values that variables had there, for the wrong and for the right tag, each
    moved to where it is best.

    Parameters
    ----------
    tries : so many changes of table entries, and of weights; each costs a run of the program on `rows`.
    confirm : rows on which the accuracy must not fall either. A change that helps by chance on `rows` seldom helps
        there.
    weights : False leaves the classifier alone; so do programs with one class for a whole sequence.
    """
    before = accuracy(program, rows)
    found = [Repair(program.edit(name, entry, value), name, entry, value, False, before, 0.0)
             for name, entry, value in islice(_entries(program, rows), tries)]  # fmt: skip
    if weights and not program.pooled:
        found += [_reweighted(program, *one, before) for one in islice(_shifts(program, rows), tries)]
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
    trace, wrong = _failing(program, rows)
    there = trace.codes >= 0
    if program.pooled:  # all positions of a text took part
        wrong = there & wrong.any(1, keepdims=True)
    ranked = []
    for step in program.steps:
        if isinstance(step, Head) and step.scores is not None:
            continue
        read = [program.variables[name] for name in (step.inputs if isinstance(step, Lookup) else (step.query,))]
        sizes = tuple(variable.size for variable in read)
        used = np.ravel_multi_index(tuple(trace.values[variable.name] for variable in read), sizes)
        total, failing = (np.bincount(used[mask], minlength=math.prod(sizes)) for mask in (there, wrong))
        for place in np.flatnonzero(failing):
            codes = tuple(int(code) for code in np.unravel_index(place, sizes))
            entry = tuple(name_of(variable, code) for variable, code in zip(read, codes, strict=True))
            ranked.append((-(failing[place] ** 2) / total[place], step, codes, entry))
    for _, step, codes, entry in sorted(ranked, key=lambda one: one[0]):
        table = step.predicate if isinstance(step, Head) else step.table
        target = program.variables[step.key if isinstance(step, Head) else step.name]
        for code in target.reachable if isinstance(step, Head) else range(program.width):
            if code != table[codes]:
                yield step.name, entry, target.values[code]


def _shifts(program: Program, rows: Sequence[Tagged]) -> Iterator[tuple[str, Value, str, float]]:
    """Weights and by how much to raise them, those first that set most right: variable, value, tag, shift."""
    trace, wrong = _failing(program, rows)
    truth = tag_codes([row.tags for row in rows], program.tags)
    logits = trace.logits()
    found = []
    for name in program.weights:
        own, codes = program.variables[name], trace.values[name]
        for code in [1] if own.numeric else np.unique(codes[wrong]).tolist():
            cases = (codes > 0 if own.numeric else codes == code) & (truth != -1)
            failing = cases & wrong
            for tag in np.union1d(truth[failing], logits[failing].argmax(-1)):
                by, gain = best_shift(logits[cases], truth[cases], int(tag), codes[cases] if own.numeric else None)
                if gain:
                    found.append((-gain, (name, name_of(own, code), program.tags[tag], by)))
    for _, one in sorted(found, key=lambda each: each[0]):
        yield one


def _failing(program: Program, rows: Sequence[Tagged]) -> tuple[Trace, Masks]:
    """What the program computed, and (sample, position) where its tag is wrong and the right one is known."""
    truth = tag_codes([row.tags for row in rows], program.tags)
    trace = program.trace([row.tokens for row in rows])
    return trace, (truth >= 0) & (trace.predictions() != truth)


def _reweighted(program: Program, variable: str, value: Value, tag: str, by: float, before: float) -> Repair:
    changed = program.reweighted(variable, value, tag, by)
    own = program.variables[variable]
    weight = changed.weights[variable][0 if own.numeric else own.code(value), program.tags.index(tag)]
    return Repair(changed, variable, (value, tag), float(weight), True, before, 0.0)


def best_shift(logits: Floats, truth: Array, tag: int, times: Array | None = None) -> tuple[float, int]:
    """By how much to raise a weight for one tag so that most cases are right, and how many more are: exact.

    Of equally good ones the smallest is taken; 0.0 where nothing helps.

    Parameters
    ----------
    logits : (case, tag). truth : (case,) the right tags' codes. tag : whose logits are moved.
    times : (case,) how often the weight counts, above 0; by default once.
    """
    others = np.delete(logits, tag, axis=1)
    if not others.size:
        return 0.0, 0
    rest = others.argmax(1)
    rest = rest + (rest >= tag)
    turns = (others.max(1) - logits[:, tag]) / (1 if times is None else times)  # from there on the tag is predicted
    gains = (truth == tag).astype(int) - (truth == rest).astype(int)  # what its being predicted changes
    order = np.argsort(turns, kind="stable")
    places = turns[order]
    ends = np.array([places[0] - OUTSIDE, *(places[:-1] + places[1:]) / 2, places[-1] + OUTSIDE])
    right = np.concatenate([[0], np.cumsum(gains[order])])
    right[1:-1][np.diff(places) < ALIKE] = np.iinfo(int).min  # no shift lies between equal ones
    now = (logits.argmax(1) == truth).sum() - (truth == rest).sum()
    if right.max() <= now:
        return 0.0, 0
    best = np.flatnonzero(right == right.max())
    return float(ends[best[np.abs(ends[best]).argmin()]]), int(right.max() - now)
