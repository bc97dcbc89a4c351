"""explicate explain | evaluate | rerun."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from explicate.cli.app import Json, Out, Seed, app, say
from explicate.cli.inputs import read_inputs, read_labels, read_masks, read_settings, read_target

ModelText = Annotated[
    str,
    typer.Argument(
        help="A name in the zoo (`explicate systems --models`), `package.module:object` of your own code, a .skops or "
        ".onnx file, or a Hugging Face folder. Pickles are refused."
    ),
]
Inputs = Annotated[
    str,
    typer.Argument(
        help="A CSV or Parquet file; a picture, or the name of a bundled one; a text, or @FILE with texts; for methods "
        "that explain in words, a .jsonl file of items with choices."
    ),
]
Rows = Annotated[str | None, typer.Option(help="Part of a table: 3, 0:20 or 1,5,9.")]
TargetText = Annotated[
    str | None, typer.Option("--target", help="Output index or name; A|B for A rather than B. Default: highest score.")
]
Background = Annotated[
    Path | None, typer.Option(help="Table of typical rows, for an estimator that has no background of its own.")
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="True labels, for the randomisation check: a column of the table, a table of one column, or .npy."
    ),
]
Masks = Annotated[
    Path | None,
    typer.Option(help="Where the object is, for metrics of localisation: .npy (sample, row, column), or a folder."),
]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the method.")]


@app.command()
def explain(
    model: ModelText,
    inputs: Inputs,
    method: Annotated[str, typer.Option(help="A method's name (`explicate systems --methods`), or auto.")] = "auto",
    target: TargetText = None,
    rows: Rows = None,
    background: Background = None,
    settings: Settings = None,
    seed: Seed = 0,
    out: Out = Path("explicate-out"),
    as_json: Json = False,
) -> None:
    """Explain a model's scores; writes the explanation (.nc) and a picture (.png).

    Example: `explicate explain smollm2-135m "The capital of France is" --method integrated-gradients`
    """
    from explicate import api
    from explicate.runtime.files import make_folder

    if api.narrates(method):
        _narrate(model, inputs, method, settings or [], seed, out, as_json)
        return
    handle = load(model, background)
    make_folder(out)
    found = api.explain(
        handle,
        read_inputs(handle, inputs, rows),
        method,
        target=read_target(target),
        seed=seed,
        **read_settings(settings or []),
    )
    written, places = _written(found, handle.name, out)
    result = {
        **written,
        "targets": [str(name) for name in found["target_name"].values],
        "evaluations": found.provenance.evaluations,
        "gradients": found.provenance.gradients,
        "seconds": found.provenance.seconds,
    }
    say(result, [found.provenance.summary(), *_largest(found), *places], as_json)


def _written(found: Any, model: str, out: Path) -> tuple[dict[str, Any], list[str]]:
    """Save an explanation and its picture; where they are, as JSON and in words."""
    from explicate.runtime.files import replacing

    stem = f"{model}-{found.provenance.method}".replace("/", "-").replace(" ", "-")
    replaced = (out / f"{stem}.nc").exists()
    file = found.save(out / f"{stem}.nc")
    with replacing(out / f"{stem}.png") as temporary:
        found.plot().figure.savefig(temporary, dpi=130, bbox_inches="tight", format="png")
    page = _page(found, out / f"{stem}.html")
    result = {
        "explanation": str(file),
        **({"page": page} if page else {}),
        "picture": str(out / f"{stem}.png"),
        "replaced": replaced,
        "method": found.provenance.method,
        "parameters": found.provenance.parameters,
        "model": found.provenance.model,
    }
    places = [
        f"explanation: {file}{' (replaced)' * replaced}",
        f"picture:     {out / stem}.png{' (replaced)' * replaced}",
        *([f"page:        {page}"] if page else []),
    ]
    return result, places


def _narrate(model: str, inputs: str, method: str, settings: list[str], seed: int, out: Path, as_json: bool) -> None:
    """Explain a chat model's own answers to the items of a file, in words."""
    from explicate import api
    from explicate.runtime.files import make_folder

    narrator = api.narrator(method, read_settings(settings))
    items = narrator.items_from(inputs)
    make_folder(out)
    found = api.explain(model, items, narrator, seed=seed)
    written, places = _written(found, found.provenance.model, out)
    statuses = [str(status) for status in found["status"].values]
    answers = [str(answer) for answer in found["answer"].values]
    texts = [str(text) for text in found["text"].values]
    result = {**written, "answers": answers, "statuses": statuses, "texts": texts, "seconds": found.provenance.seconds}
    shown = [
        f"  ({answer or '?'}) {text or f'no explanation: {status}'}"
        for answer, text, status in list(zip(answers, texts, statuses, strict=True))[:5]
    ]
    say(result, [found.provenance.summary(), *shown, *places], as_json)


@app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help="An explanation (.nc) that `explicate explain` wrote.")],
    model: Annotated[
        str | None, typer.Option(help="The model, when the file does not say where it comes from.")
    ] = None,
    metrics: Annotated[str, typer.Option(help="Names, separated by commas; default: those that fit.")] = "",
    background: Background = None,
    labels: Labels = None,
    masks: Masks = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure one stored explanation: faithfulness, stability, complexity; with intervals and cost."""
    from explicate.core.kinds import Attribution
    from explicate.evaluation.metric import evaluate as run
    from explicate.models.loading import reload_model

    found = Attribution.load(file)
    handle = reload_model(found.provenance, background) if model is None else load(model, background)
    given: dict[str, Any] = {} if masks is None else {"masks": read_masks(masks, handle)}
    if labels is not None:
        given["training"] = (found["inputs"].values, read_labels(labels, ""))
    measured = run(found, handle, listed(metrics) or None, seed=seed, **given)
    say(
        {"explanation": str(file), "measurements": [item.to_dict() for item in measured]},
        [found.provenance.summary(), *(str(item) for item in measured), *_notes(measured)],
        as_json,
    )


@app.command()
def rerun(
    file: Annotated[Path, typer.Argument(help="An explanation (.nc) that explicate wrote.")],
    model: Annotated[
        str | None, typer.Option(help="The model, when the file does not say where it comes from.")
    ] = None,
    background: Background = None,
    as_json: Json = False,
) -> None:
    """Make an explanation again from its file alone, and say whether it comes out the same (exit code 1 if not).

    Typical rows that an estimator was given are read again from their file; if that is gone or has changed, give
    `--background`.
    """
    from explicate import api

    again = api.rerun(file, model, background)
    words = "the same" if again.equal else "NOT the same"
    lines = [
        again.after.provenance.summary(),
        f"{words}: largest difference {again.largest_difference:.3g}, largest value {again.largest_value:.3g}",
        f"model: {'the same' if again.same_model else 'another'} fingerprint",
    ]
    result = {
        "equal": again.equal,
        "largest_difference": again.largest_difference,
        "largest_value": again.largest_value,
        "same_model": again.same_model,
    }
    say(result, lines, as_json)
    if not again.equal:
        sys.exit(1)


def _page(found: Any, path: Path) -> str:
    """A page about an explanation whose pieces lie within pieces, which open with a click; of others none."""
    if found.kind != "hierarchical-attribution":
        return ""
    from explicate.report.hierarchy import hierarchy_report

    return str(hierarchy_report(found, shlex.join(["explicate", *sys.argv[1:]])).save(path))


def load(text: str, background: Path | None) -> Any:
    """The model that a command was given."""
    from explicate.models.loading import load_model

    return load_model(text, **({} if background is None else {"background": background}))


def listed(text: str) -> list[str]:
    """Names separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _notes(measured: list[Any]) -> list[str]:
    """Each caveat once, with the metrics that it is about."""
    about: dict[str, list[str]] = {}
    for item in measured:
        for note in item.notes:
            about.setdefault(note, []).append(item.metric)
    return [f"note on {', '.join(metrics)}: {note}" for note, metrics in about.items()]


def _largest(found: Any, most: int = 5) -> list[str]:
    """The largest contributions of the first sample, in words."""
    from explicate.report.pictures import largest

    shown = largest(found, 0, most)
    if not shown:
        return []
    width = max(len(label) for label, _ in shown)
    head = f"{found['target_name'].values[0]}: {float(found['score'].values[0]):.4g}"
    return [head, *(f"  {label:<{width}}  {value:+.4g}" for label, value in shown)]
