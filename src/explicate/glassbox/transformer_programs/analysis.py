"""What a program is made of, and which part of it decides: sizes, responsible variables, circuits.

Source: Friedman, Wettig, Chen (2023), sections 4.3 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from explicate.core.capabilities import Masks
from explicate.data.language.tagged import Tagged
from explicate.errors import InputError
from explicate.glassbox.transformer_programs.evaluation import Trace
from explicate.glassbox.transformer_programs.program import Program, tag_codes
from explicate.glassbox.transformer_programs.steps import Head

EXACT = 2  # sets of variables up to this size are all tried


@dataclass(frozen=True)
class Size:
    """How much there is to read.

    Attributes
    ----------
    lines : of the Python file. heads, counting_heads, tables : steps. predicates : key values that are looked for, over
        all heads. dead : steps that nothing reads.
    """

    lines: int
    heads: int
    counting_heads: int
    tables: int
    predicates: int
    dead: int


@dataclass(frozen=True)
class Failure:
    """A wrong tag, and the variable that made it.

    Attributes
    ----------
    sample, position : where. expected, predicted : the tags. variable, value : what spoke most for the wrong tag and
        against the right one. lead : by how much, in logits.
    """

    sample: int
    position: int
    expected: str
    predicted: str
    variable: str
    value: str | int
    lead: float


def size(program: Program) -> Size:
    """Counts of what there is to read."""
    heads = [step for step in program.steps if isinstance(step, Head)]
    groups = 0
    for head in heads:
        query = program.variables[head.query]
        groups += len({int(head.predicate[code]) for code in query.reachable})
    return Size(
        lines=program.to_python().count("\n"),
        heads=sum(not head.counts for head in heads),
        counting_heads=sum(head.counts for head in heads),
        tables=len(program.steps) - len(heads),
        predicates=groups,
        dead=len(program.steps) - len(program.live().steps),
    )


def accuracy(program: Program, rows: Sequence[Tagged]) -> float:
    """Share of the tags that are right."""
    truth = tag_codes([row.tags for row in rows], program.tags)
    predicted = program.trace([row.tokens for row in rows]).predictions()
    return float((predicted == truth)[truth != -1].mean())


def failures(program: Program, rows: Sequence[Tagged]) -> list[Failure]:
    """All wrong tags, each with the variable that spoke most for it; those with an unknown right tag are left out."""
    truth = tag_codes([row.tags for row in rows], program.tags)
    trace = program.trace([row.tokens for row in rows])
    predicted = trace.predictions()
    parts = trace.contributions()
    found = []
    for sample, place in np.argwhere((truth >= 0) & (predicted != truth)):
        right, wrong = truth[sample, place], predicted[sample, place]
        leads = {name: float(part[sample, place, wrong] - part[sample, place, right]) for name, part in parts.items()}
        name = max(leads, key=lambda one: leads[one])
        value = trace.names(name, sample)[place]
        tags = program.tags[right], program.tags[wrong]
        found.append(Failure(int(sample), int(place), *tags, name, value, leads[name]))
    return found


def circuit(program: Program, rows: Sequence[Sequence[str]], tag: str, share: float = 0.5) -> tuple[str, ...]:
    """The smallest set of variables without which the program no longer predicts `tag`.

    A variable is taken out of the classifier's sum; steps that read it keep their values. All sets of one and two
    variables are tried; beyond that, the set grows by the variable that changes most.

    Parameters
    ----------
    share : of the positions where the program says `tag`, so many must change.

    Raises
    ------
    InputError : the program never says `tag` for these sequences.
    """
    if tag not in program.tags:
        raise InputError(f"no tag {tag!r}; there are {', '.join(program.tags)}")
    trace = program.trace(rows)
    code = program.tags.index(tag)
    said = (trace.predictions() == code) & _predicted_at(trace)
    if not said.any():
        raise InputError(f"the program predicts {tag!r} for none of these sequences; give others")
    total = trace.logits()[said]
    parts = {name: part[said] for name, part in trace.contributions().items()}

    def changed(names: tuple[str, ...]) -> float:
        left = total - sum((parts[name] for name in names), np.zeros_like(total))
        return float((left.argmax(-1) != code).mean())

    chosen: tuple[str, ...] = ()
    for count in range(1, len(parts) + 1):
        tried = list(combinations(parts, count)) if count <= EXACT else [(*chosen, n) for n in parts if n not in chosen]
        shares = [changed(names) for names in tried]
        chosen = tried[int(np.argmax(shares))]
        if max(shares) >= share:
            return chosen
    return chosen


def simplified(program: Program, rows: Sequence[Tagged], loss: float = 0.0) -> Program:
    """The program without the variables that its classifier can do without, and without the steps that die with them.

    One after the other, the variable that matters least for the accuracy on `rows` leaves the classifier's sum. The
    result is shorter, and no longer the model: measure it on other rows.

    Parameters
    ----------
    loss : by so much in all the accuracy on `rows` may fall.
    """
    truth = tag_codes([row.tags for row in rows], program.tags)
    trace = program.trace([row.tokens for row in rows])
    there = truth != -1
    wanted = truth[there]
    parts = {name: part[there] for name, part in trace.contributions().items()}
    total = trace.logits()[there]
    least = float((total.argmax(-1) == wanted).mean()) - loss
    gone: list[str] = []
    while len(parts) > 1:
        scores = {name: float(((total - part).argmax(-1) == wanted).mean()) for name, part in parts.items()}
        name = max(scores, key=lambda one: scores[one])
        if scores[name] < least:
            break
        total = total - parts.pop(name)
        gone.append(name)
    return program.without(gone).live()


def _predicted_at(trace: Trace) -> Masks:
    """(sample, position) where there is a tag."""
    there = trace.codes >= 0
    if trace.program.pooled:
        there = there & (np.arange(there.shape[1]) == 0)
    return there
