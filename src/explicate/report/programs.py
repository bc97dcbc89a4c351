"""A Transformer Program's run on one input as a page: a table a step, and what decided each tag."""

from __future__ import annotations

from collections.abc import Sequence

from explicate.errors import counted
from explicate.glassbox.transformer_programs.analysis import size
from explicate.glassbox.transformer_programs.evaluation import Trace
from explicate.glassbox.transformer_programs.program import Program
from explicate.glassbox.transformer_programs.steps import Head
from explicate.glassbox.transformer_programs.wording import step_lines, step_text
from explicate.report.document import Cell, Grid, Part, Report, Section


def run_page(program: Program, tokens: Sequence[str]) -> Report:
    """Everything that the program computed for some tokens, in order, and the weights that made each tag."""
    trace = program.trace([tokens])
    counts = size(program)
    steps = [counted(counts.heads, "head"), f"{counts.counting_heads} that count", counted(counts.tables, "table")]
    inputs = [name for name in trace.values if name not in {step.name for step in program.steps}]
    parts = [Part("Inputs", grid=_grid(trace, inputs))]
    parts += [Part(step.name, [step_text(program, step)], grid=_step_grid(trace, step.name)) for step in program.steps]
    parts.append(Part("What decided", grid=_decision(trace)))
    section = Section(
        " ".join(tokens),
        card={
            "tags": " ".join(str(tag) for tag in program.run(tokens)),
            "steps": ", ".join(steps),
            "file": f"{counts.lines} lines of Python",
        },
        parts=parts,
    )
    return Report(
        "A Transformer Program, step by step",
        "Each step computes one variable from earlier ones. The tag is the one with the highest sum of weights.",
        [section],
    )


def _heads(trace: Trace) -> list[Cell]:
    tokens = [trace.program.vocabulary[code] for code in trace.codes[0].tolist()]
    return [Cell("position"), *(Cell(f"{place} {token}") for place, token in enumerate(tokens))]


def _grid(trace: Trace, names: Sequence[str]) -> Grid:
    rows = [[Cell(name), *(Cell(str(value)) for value in trace.names(name))] for name in names]
    return Grid(_heads(trace), rows)


def _step_grid(trace: Trace, name: str) -> Grid:
    step = trace.program.step(name)
    grid = _grid(trace, [*step.reads, name])
    if not isinstance(step, Head):
        return grid
    texts = step_lines(trace, name)[1].strip()
    label, _, places = texts.partition(": ")
    return Grid(grid.heads, [*grid.rows[:-1], [Cell(label), *map(Cell, places.split(" "))], grid.rows[-1]])


def _decision(trace: Trace) -> Grid:
    """The logit lead of the tag over the second best, by variable."""
    program = trace.program
    logits = trace.logits()[0]
    order = (-logits).argsort(-1, kind="stable")
    places = range(1 if program.pooled else len(logits))
    rows = [[Cell("tag"), *(Cell(program.tags[order[place, 0]]) for place in places)]]
    if len(program.tags) > 1:
        rows.append([Cell("before"), *(Cell(program.tags[order[place, 1]]) for place in places)])
        for name, part in trace.contributions().items():
            leads = [part[0, place, order[place, 0]] - part[0, place, order[place, 1]] for place in places]
            rows.append([Cell(name), *(Cell(f"{lead:+.2f}", "best" if lead > 1 else "") for lead in leads)])
    heads = _heads(trace)
    caption = "what each variable adds to the lead of the tag over the second, in logits"
    return Grid([heads[0], Cell("all positions")] if program.pooled else heads, rows, caption)
