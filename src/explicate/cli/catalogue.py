"""explicate systems | reproduce."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from explicate.cli.app import Backend, Json, Out, Resume, Workers, app, say
from explicate.errors import InputError


@app.command()
def systems(
    name: Annotated[str, typer.Argument(help="One system, to see all about it.")] = "",
    family: Annotated[str, typer.Option(help="Only this family (attribution, concepts, ...).")] = "",
    methods: Annotated[bool, typer.Option("--methods", help="List the methods instead.")] = False,
    metrics: Annotated[bool, typer.Option("--metrics", help="List the metrics instead.")] = False,
    models: Annotated[bool, typer.Option("--models", help="List the zoo's models instead.")] = False,
    glassbox: Annotated[
        bool, typer.Option("--glassbox", help="List the models that are readable by design instead.")
    ] = False,
    modality: Annotated[str, typer.Option(help="With --glassbox: those for tabular, image, text, ... data.")] = "",
    task: Annotated[str, typer.Option(help="With --modality: also regression or policy.")] = "classification",
    needs: Annotated[
        list[str] | None, typer.Option("--need", help="With --modality: interventions, categories, ...; several.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the 63 systems that explicate is to contain, and how far each is; or the methods, metrics and models."""
    from dataclasses import asdict

    from explicate.core import registry
    from explicate.core.systems import system, systems

    lists: tuple[tuple[bool, registry.Family], ...] = (
        (methods, "methods"),
        (metrics, "metrics"),
        (models, "models"),
    )
    for wanted, kind in lists:
        if wanted:
            found = {item: _first_line(registry.find(item, kind)) for item in registry.names(kind)}
            width = max(map(len, found), default=0)
            say({kind: found}, [f"{item:<{width}}  {text}" for item, text in found.items()], as_json)
            return
    if glassbox or modality:
        _glass_boxes(modality, task, tuple(needs or ()), as_json)
        return
    if name:
        one = system(name)
        say(asdict(one), [f"{key:<8} {value}" for key, value in asdict(one).items()], as_json)
        return
    chosen = [one for one in systems() if not family or one.family == family]
    if not chosen:
        raise InputError(f"no family {family!r}; there are {', '.join(sorted({one.family for one in systems()}))}")
    built = sum(one.state == "built" for one in chosen)
    lines = [f"{one.state:<8}  {one.family:<15} {one.name:<32} {one.year}  {one.title}" for one in chosen]
    say(
        {"systems": [asdict(one) for one in chosen], "built": built},
        [*lines, f"{built} of {len(chosen)} built"],
        as_json,
    )


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(help="A system's name (`explicate systems`), or all.")],
    scale: Annotated[str, typer.Option(help="smoke (a minute) or full (the bars; minutes to an hour).")] = "smoke",
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2",
    workers: Workers = 1,
    backend: Backend = "processes",
    resume: Resume = True,
    out: Out = Path("explicate-out/reproduce"),
    write: Annotated[
        bool, typer.Option("--write", help="Also write results/NAME.json, which the README shows.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a system's reproduction: claimed, measured, bar, baseline, chance. Exit code 1 if a bar is missed."""
    from explicate.core.systems import system, systems
    from explicate.reproductions.claims import Context
    from explicate.reproductions.claims import reproduce as run
    from explicate.reproductions.table import claim_lines
    from explicate.runtime.files import write_json
    from explicate.runtime.seeds import checked_seed

    try:
        given = [int(part) for part in seeds.split(",")]
    except ValueError as error:
        raise InputError(f"cannot read the seeds {seeds!r}; write 0,1,2") from error
    numbers = tuple(map(checked_seed, given))
    chosen = [one.name for one in systems() if one.state == "built"] if name == "all" else [system(name).name]
    results = []
    for one in chosen:
        folder = out / one / scale
        if not resume and folder.exists():
            import shutil

            shutil.rmtree(folder)
        context = Context(scale, numbers, folder, workers, backend)  # type: ignore[arg-type]
        result = run(one, context)
        results.append(result)
        place = (
            write_json(Path("results") / f"{one}.json", result) if write else write_json(folder / "claims.json", result)
        )
        if not as_json:
            print("\n".join([*claim_lines(result), f"written to {place}"]))
    if as_json:
        say(results[0] if name != "all" else {"results": results}, [], True)
    if not all(result["met"] for result in results):
        sys.exit(1)


def _glass_boxes(modality: str, task: str, needs: tuple[str, ...], as_json: bool) -> None:
    """The catalogue of glass boxes by perspective, or those recommended for some data, with reasons."""
    from dataclasses import asdict

    from explicate.glassbox.catalog import PERSPECTIVES, POST_HOC, recommend, records

    if modality:
        found = recommend(modality, task, needs)
        lines = [
            f"{place}. {one.record.name} ({one.record.perspective}): {'; '.join(one.reasons)}"
            for place, one in enumerate(found, start=1)
        ]
        say(
            {"recommended": [asdict(one) for one in found]},
            lines or [f"no glass box for {task} of {modality}"],
            as_json,
        )
        return
    lines = []
    for perspective, form in PERSPECTIVES.items():
        lines.append(f"{perspective}: {form}")
        lines += [
            f"  {one.name:<28} {one.explanation} ({', '.join(one.modality)}; {', '.join(one.tasks)})"
            for one in records()
            if one.perspective == perspective
        ]
    lines.append("post hoc, so no glass boxes:")
    lines += [f"  {name:<28} {why}" for name, why in POST_HOC.items()]
    say({"glassboxes": [asdict(one) for one in records()], "post_hoc": POST_HOC}, lines, as_json)


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().split("\n")[0]
