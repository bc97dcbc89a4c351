"""A program and its runs in words: what a step looks for and writes, and what happened on one sequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from explicate.core.capabilities import Array
from explicate.glassbox.transformer_programs.evaluation import Trace
from explicate.glassbox.transformer_programs.program import Program
from explicate.glassbox.transformer_programs.steps import Head, Step, Value, Variable

MOST = 6  # entries of a table that a sentence lists
PREFERENCES = {"closest": "the nearest position", "first": "the first position", "offsets": "the preferred position"}


def key_groups(head: Head, query: Variable) -> dict[int, list[int]]:
    """Key code -> the query codes that look for it, over all that can occur."""
    found: dict[int, list[int]] = {}
    for code in _codes(query):
        found.setdefault(int(head.predicate[code]), []).append(code)
    return found


def name_of(variable: Variable, code: int) -> Value:
    """The value that a code stands for."""
    return code if variable.numeric else variable.values[code]


def step_text(program: Program, step: Step) -> str:
    """One step in words."""
    known = program.variables
    if not isinstance(step, Head):
        own = known[step.name]
        return f"{step.name} is a table over {' and '.join(step.inputs)} with the values {_listed(own, own.reachable)}"
    query, key = known[step.query], known[step.key]
    if step.scores is not None:
        return f"{step.name} copies {step.value} from where the score of {step.query} and {step.key} is highest"
    parts = [
        f"{_listed(query, codes)} looks for {name_of(key, wanted)}" for wanted, codes in key_groups(step, query).items()
    ]
    what = f"sums {step.value} over all positions" if step.counts else f"copies {step.value} from {_place(step)}"
    return f"{step.name} {what} where {step.key} is what {step.query} looks for: {'; '.join(parts)}"


def weights_text(program: Program) -> str:
    """The classifier in words."""
    return f"the tag with the highest sum of the weights of {', '.join(program.weights)}"


def step_lines(trace: Trace, name: str, sample: int = 0) -> list[str]:
    """A variable along one sequence; for heads, where each position looked."""
    program = trace.program
    values = trace.names(name, sample)
    lines = [f"{name}: {_row(values)}"]
    step = next((step for step in program.steps if step.name == name), None)
    if isinstance(step, Head) and step.counts:
        matches = trace.attended[name][sample, : len(values), : len(values)]
        lines.append(f"    counted: {_row([_places(row) for row in matches])}")
    elif isinstance(step, Head):
        lines.append(f"    looked at: {_row(trace.attended[name][sample, : len(values)].tolist())}")
    elif step is not None:
        lines.append(f"    from {' and '.join(step.inputs)}")
    return lines


def decision_lines(trace: Trace, sample: int = 0, most: int = 3) -> list[str]:
    """For each position the tag, its lead over the second, and the variables that made it."""
    program = trace.program
    logits = trace.logits()[sample]
    parts = {name: rows[sample] for name, rows in trace.contributions().items()}
    length = int((trace.codes[sample] >= 0).sum())
    lines = []
    for place in range(1 if program.pooled else length):
        token = program.vocabulary[int(trace.codes[sample, place])]
        first = int(logits[place].argmax())
        if len(program.tags) == 1:
            lines.append(f"{place} {token}: {program.tags[0]}, the only tag")
            continue
        second = int(np.where(np.arange(len(program.tags)) == first, -np.inf, logits[place]).argmax())
        leads = {name: float(rows[place, first] - rows[place, second]) for name, rows in parts.items()}
        strongest = sorted(leads, key=lambda name: -abs(leads[name]))[:most]
        why = ", ".join(f"{name}={trace.names(name, sample)[place]} {leads[name]:+.2f}" for name in strongest)
        where = "all positions" if program.pooled else f"{place} {token}"
        lines.append(
            f"{where}: {program.tags[first]}, before {program.tags[second]} by {sum(leads.values()):.2f} ({why})"
        )
    return lines


def trace_text(trace: Trace, sample: int = 0) -> str:
    """All of one run."""
    lines = [line for name in trace.values for line in step_lines(trace, name, sample)]
    return "\n".join([*lines, *decision_lines(trace, sample)])


def _place(head: Head) -> str:
    return PREFERENCES[head.preference]


def _codes(variable: Variable) -> Sequence[int]:
    return range(variable.size) if variable.numeric else variable.reachable


def _listed(variable: Variable, codes: Iterable[int]) -> str:
    names = [str(name_of(variable, code)) for code in codes]
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def _row(values: Sequence[object]) -> str:
    return " ".join(map(str, values))


def _places(row: Array) -> str:
    return ",".join(map(str, np.flatnonzero(row).tolist())) or "-"
