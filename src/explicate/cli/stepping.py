"""explicate step."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from explicate.cli.app import Json, app, say


@app.command()
def step(
    program: Annotated[
        Path, typer.Argument(help="A Transformer Program's .py or .json file, as `Program.save` wrote.")
    ],
    tokens: Annotated[list[str], typer.Argument(help="The input, a token an argument.")],
    everything: Annotated[bool, typer.Option("--all", help="Print all steps instead of asking.")] = False,
    page: Annotated[Path | None, typer.Option(help="Also write the run as one HTML file.")] = None,
    as_json: Json = False,
) -> None:
    """Step through a Transformer Program on one input: each variable, where each head looked, and what decided.

    At a terminal it asks what to do (Enter goes on; break, watch, print, rule; help). `--all`, `--json` and an input
    that is no terminal print everything.

    Example: `explicate step hist.py "<s>" 3 1 3`
    """
    from explicate.glassbox.transformer_programs import Program
    from explicate.glassbox.transformer_programs.debugger import Debugger
    from explicate.glassbox.transformer_programs.wording import decision_lines, step_lines

    found = Program.load(program)
    trace = found.trace([tokens])
    written = []
    if page is not None:
        from explicate.report.programs import run_page

        written.append(f"page: {run_page(found, tokens).save(page)}")
    if not (everything or as_json) and sys.stdin.isatty():
        print("\n".join(written), end="\n" if written else "")
        Debugger(found, tokens).cmdloop()
        return
    names = list(trace.values)
    steps = [line for name in names for line in step_lines(trace, name)]
    result = {
        "tokens": tokens,
        "tags": found.run(tokens),
        "variables": {name: trace.names(name) for name in names},
        "attended": {name: places[0].tolist() for name, places in trace.attended.items()},
        "contributions": {name: rows[0].tolist() for name, rows in trace.contributions().items()},
        "page": str(page) if page is not None else None,
    }
    say(result, [*steps, "", *decision_lines(trace), *written], as_json)
