"""explicate probe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from explicate.cli.app import Json, Out, Seed, app, say
from explicate.cli.explaining import ModelText
from explicate.errors import InputError


@app.command()
def probe(
    model: ModelText,
    task: Annotated[
        str,
        typer.Argument(
            help="capitals, sentiment or coin-flips; a published data set with its file (cities=FILE, stsa=FILE, ...); "
            "or a CSV file with the columns text, label and, if given, subject."
        ),
    ],
    instruction: Annotated[str, typer.Option(help="For a CSV file: what stands after each text.")] = "",
    site: Annotated[str, typer.Option(help="resid_post, another kind of site, or post_attention_norm.")] = "resid_post",
    split: Annotated[
        str, typer.Option(help="rows, subjects (each on one side), or repo (the published one).")
    ] = "rows",
    repeats: Annotated[int, typer.Option(min=1, help="Splits.")] = 5,
    noise: Annotated[bool, typer.Option("--noise", help="Three letters before each text.")] = False,
    bits: Annotated[int, typer.Option(help="32, or 16, 8, 4: weights rounded to so many bits.")] = 32,
    seed: Seed = 0,
    out: Out = Path("explicate-out"),
    as_json: Json = False,
) -> None:
    """At which layer can a task be read off a language model? Writes the profile (.nc) and its curve (.png).

    Example: `explicate probe smollm2-135m sentiment`
    """
    from explicate.benchmarks.concept_depth import ConceptDepth, depth_points
    from explicate.models.loading import load_model
    from explicate.runtime.files import make_folder, replacing

    asked = _task(task, instruction)
    method = ConceptDepth(site=site, split=split, repeats=repeats, noise=noise, bits=bits)  # type: ignore[arg-type]
    handle = load_model(model)
    make_folder(out)
    found = method.run(handle, asked, seed=seed)
    points = depth_points(found)
    disturbed = "-noise" * noise + (f"-{bits}-bits" if bits != 32 else "")
    stem = f"{handle.name}-{asked.name}{disturbed}".replace("/", "-").replace(" ", "-")
    file = found.save(out / f"{stem}.nc")
    with replacing(out / f"{stem}.png") as temporary:
        found.plot().figure.savefig(temporary, dpi=130, bbox_inches="tight", format="png")
    words = float(found.data.attrs["words"])
    lines = [
        found.provenance.summary(),
        f"label 1 is {asked.positive!r}; {len(asked):,} texts, {found.data.attrs['truncated']} cut to fit",
        f"best accuracy {points.accuracy:.3f} at {_layer(points.peak, points.layers)}; "
        f"always the same answer {found.chance:.3f}, a bag of words {words:.3f}",
        f"jump: {_layer(points.jump, points.layers)}; converges: {_layer(points.converge, points.layers)}; "
        f"held (above its control) from: {_layer(points.held, points.layers)}",
        f"profile: {file}",
        f"picture: {out / stem}.png",
    ]
    result = {
        "profile": str(file),
        "picture": str(out / f"{stem}.png"),
        "accuracy": found.curve().tolist(),
        "control": found.curve("control").tolist(),
        "jump": points.jump,
        "converge": points.converge,
        "peak": points.peak,
        "held": points.held,
        "selectivity": points.selectivity,
        "words": words,
        "chance": found.chance,
        "positive": asked.positive,
        "seconds": found.provenance.seconds,
    }
    say(result, lines, as_json)


def _task(text: str, instruction: str) -> Any:
    from explicate.benchmarks.concept_depth import DATA_SETS, GENERATED, load_task, table_task

    if text in GENERATED:
        return GENERATED[text]()
    name, equals, path = text.partition("=")
    if equals and name in DATA_SETS:
        return load_task(name, path)
    if Path(text).suffix in (".csv", ".tsv", ".parquet"):
        return table_task(text, instruction)
    raise InputError(
        f"the task {text!r} is unknown; use {', '.join(GENERATED)}, NAME=FILE with one of {', '.join(DATA_SETS)}, "
        "or a CSV file with the columns text and label"
    )


def _layer(point: float | None, layers: int) -> str:
    return "no layer" if point is None else f"layer {round(point * layers)} of {layers}"
