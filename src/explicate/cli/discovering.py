"""explicate discover."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from explicate.cli.app import Json, Out, Seed, app, say


@app.command()
def discover(
    table: Annotated[
        Path,
        typer.Argument(
            help="A CSV file with the columns structure (six of .aAvVbB: empty, blue and red pyramids up and down, "
            "blue and red blocks) and tag (true or false); rows without a tag are predicted."
        ),
    ],
    model: Annotated[
        str, typer.Option(help="small (trained on first use, in minutes, and kept), or a .safetensors file.")
    ] = "small",
    beam: Annotated[int, typer.Option(min=1, help="Conjectures; more is more thought.")] = 300,
    strict: Annotated[bool, typer.Option("--strict", help="State no rule that an observation contradicts.")] = False,
    noise: Annotated[bool, typer.Option("--noise", help="Take tables in which a structure has both tags.")] = False,
    seed: Seed = 0,
    out: Out = Path("explicate-out"),
    as_json: Json = False,
) -> None:
    """Find the rule behind tagged structures of Odeen, with the conjectures that were rejected; writes a report.

    Example: `explicate discover observations.csv`
    """
    from explicate.data.odeen import read_observations
    from explicate.glassbox.explanatory import CriticalRationalistNetwork, odeen_network
    from explicate.report.document import Figure, Part, Report, Section
    from explicate.report.structures import listed
    from explicate.runtime.files import make_folder

    given = read_observations(table)
    if Path(model).suffix == ".safetensors":
        network = CriticalRationalistNetwork.load(model, beam=beam, find_nearest=not strict, allow_noise=noise)
    else:
        network = odeen_network(model, seed=seed, beam=beam, find_nearest=not strict, allow_noise=noise)
    make_folder(out)
    found = network.fit(given.structures, given.tags).explain(given.asked)
    file = found.save(out / f"{table.stem}-rule.nc")
    predictions = dict(zip(given.asked, found.predictions.tolist(), strict=True))
    best = found.rejected[:3]
    caption = "Tags of new structures are what the interpreter reads in the stated rule, and nothing else."
    page = Report(
        f"The rule behind {table.name}",
        f"{found.observations} observations, {len(given.asked)} structures to tag.",
        [Section(found.chosen or "no rule", parts=[Part("What was found", figures=[Figure(listed(found), caption)])])],
        shlex.join(["explicate", *sys.argv[1:]]),
    ).save(out / f"{table.stem}-rule.html")
    lines = [
        f"rule: {found.chosen or 'none'}",
        f"confidence: {found.statement}",
        *(f"  {structure}  {_said(tag)}" for structure, tag in predictions.items()),
        f"rejected: {len(found.rejected)} conjectures{', the likeliest: ' + '; '.join(best) if best else ''}",
        f"explanation: {file}",
        f"report: {page}",
    ]
    result = {
        "rule": found.chosen,
        "confidence": found.confidence,
        "statement": found.statement,
        "predictions": predictions,
        "rejected": found.rejected,
        "malformed": found.malformed_count,
        "explanation": str(file),
        "report": str(page),
        "seconds": found.provenance.seconds,
    }
    say(result, lines, as_json)


def _said(tag: bool | None) -> str:
    return "no answer" if tag is None else str(tag).lower()
