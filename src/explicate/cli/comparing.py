"""explicate compare: explanations of one model side by side, or with --glassbox readable models beside black boxes."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from explicate.cli.app import Backend, Json, Resume, Seed, Workers, app, say
from explicate.cli.explaining import Background, Labels, Masks, Rows, TargetText, listed, load
from explicate.cli.inputs import read_inputs, read_labels, read_masks, read_settings, read_target
from explicate.errors import InputError

COMPARISONS = Path("explicate-out/compare")
OF_TABLES = "With --glassbox"


@app.command()
def compare(
    things: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL INPUTS | TABLE...",
            help="A model and its inputs, as `explicate explain` takes them. With --glassbox one or more tables: "
            "built-in names (adult, compas, german-credit, breast-cancer, wine, iris, digits), or CSV, Parquet and "
            "Arrow files.",
        ),
    ],
    glassbox: Annotated[
        bool, typer.Option("--glassbox", help="Hold readable models against black boxes on each TABLE, in one report.")
    ] = False,
    methods: Annotated[str, typer.Option(help="Names, separated by commas; default: those that fit the model.")] = "",
    metrics: Annotated[str, typer.Option(help="Names, separated by commas; default: those that fit.")] = "",
    target: TargetText = None,
    rows: Rows = None,
    background: Background = None,
    labels: Labels = None,
    masks: Masks = None,
    budget: Annotated[int | None, typer.Option(min=1, help="Evaluations for every method that has a budget.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="METHOD.NAME=VALUE", help="A parameter of a method.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help=f"{OF_TABLES}: the column of your table that is predicted.")
    ] = None,
    models: Annotated[
        str, typer.Option(help=f"{OF_TABLES}: names, separated by commas; default: all that fit the table.")
    ] = "",
    folds: Annotated[int, typer.Option(min=2, help=f"{OF_TABLES}: parts, each predicted from the others.")] = 5,
    repeats: Annotated[int, typer.Option(min=1, help=f"{OF_TABLES}: how often the rows are divided anew.")] = 1,
    by: Annotated[
        str, typer.Option(help=f"{OF_TABLES}: accuracy, balanced-accuracy or auc decides which model is best.")
    ] = "accuracy",
    seed: Seed = 0,
    workers: Workers = 1,
    backend: Backend = "processes",
    resume: Resume = True,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; by default one for each comparison in explicate-out/compare."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure explanations of several methods side by side, at stated cost, beside a random control; writes a report.

    Example: `explicate compare my_code:credit_model applicants.csv --rows 0:50 --methods kernel-shap,lime`

    With `--glassbox`, measure *models* instead: must it be a black box? Every model that can be read in full (rules, a
    small tree, a logistic regression, an additive model ...) is taught and tested on the same parts of your table as
    gradient boosting and a multi-layer perceptron: accuracy, balanced accuracy and AUC with paired 95 % intervals, how
    much there is to read, seconds, and a picture of each. The report says which readable model one would take.

    Example: `explicate compare --glassbox adult compas german-credit`

    Example: `explicate compare --glassbox applicants.csv --label defaulted`
    """
    if glassbox:
        own: dict[str, Any] = {
            "methods": methods,
            "metrics": metrics,
            "target": target,
            "rows": rows,
            "background": background,
        }
        own |= {"labels": labels, "masks": masks, "budget": budget, "set": settings}
        _refuse(own, "is for comparing explanations; leave it out with --glassbox")
        how = {"folds": folds, "repeats": repeats, "by": by, "seed": seed, "workers": workers, "backend": backend}
        _tables(things, label, listed(models) or None, how, resume, out or COMPARISONS / "glassbox", as_json)
        return
    _refuse({"label": label, "models": models}, "is for comparing models; give --glassbox with it")
    if len(things) != 2:
        raise InputError(f"compare takes a model and its inputs, or --glassbox and tables; given: {' '.join(things)}")
    model, inputs = things
    from explicate.evaluation.beliefs import beliefs
    from explicate.evaluation.comparison import compare as run
    from explicate.evaluation.comparison import fitting_methods
    from explicate.report.comparison import comparison_report

    if budget is not None and any(".budget=" in setting for setting in settings or []):
        raise InputError("compare: --budget is for all methods; give it, or --set METHOD.budget=, not both")
    handle = load(model, background)
    comparison = run(
        handle,
        read_inputs(handle, inputs, rows, [labels] if labels else []),
        _configured(listed(methods) or fitting_methods(handle), settings or []),
        listed(metrics) or None,
        target=read_target(target),
        labels=None if labels is None else read_labels(labels, inputs, rows),
        masks=None if masks is None else read_masks(masks, handle),
        budget=budget,
        seed=seed,
        folder=out,
        within=COMPARISONS if out is None else None,
        workers=workers,
        backend=backend,  # type: ignore[arg-type]  # `compare` refuses unknown names
        new_run=not resume,
    )
    out = Path(comparison.folder or COMPARISONS)
    page = comparison_report(comparison, handle, shlex.join(["explicate", *sys.argv[1:]])).save(out / "report.html")
    judged = beliefs(comparison)
    found = {"folder": str(out), "report": str(page), "failed": list(judged.failed), **comparison.to_dict()}
    say(found, [str(comparison), *judged.lines, f"written to {out}", f"report: {page}"], as_json)


def _tables(
    given: list[str],
    label: str | None,
    models: list[str] | None,
    how: dict[str, Any],
    resume: bool,
    out: Path,
    as_json: bool,
) -> None:
    from explicate.evaluation.glassboxes import compare_glassboxes, verdict
    from explicate.report.glassboxes import glassbox_report, written

    tables = [_table(text, label) for text in given]
    names = [table.name for table in tables]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise InputError(f"two tables are called {min(doubled)!r}; give each once, or rename a file")
    found = []
    for table in tables:
        one = compare_glassboxes(table, models, folder=out / table.name, new_run=not resume, **how)
        found.append(one)
        if not as_json:
            judged = verdict(one)
            print("\n".join([str(one), judged.headline, *judged.lines, ""]), flush=True)
    page = glassbox_report(found, shlex.join(["explicate", *sys.argv[1:]])).save(out / "report.html")
    result = {"folder": str(out), "report": str(page), "tables": written(found)}
    say(result, [f"written to {out}", f"report: {page}"], as_json)


def _table(text: str, label: str | None) -> Any:
    """A built-in table, or the user's own with its label column."""
    from explicate.data.table_files import ARROW_FILES, PARQUET_FILES, TEXT_FILES
    from explicate.data.tables import table, table_from_file

    if Path(text).suffix.lower() not in (*TEXT_FILES, *PARQUET_FILES, *ARROW_FILES):
        return table(text)
    if label is None:
        raise InputError(f"say which column of {text} is to be predicted: --label COLUMN")
    return table_from_file(text, target=label)


def _refuse(options: dict[str, Any], why: str) -> None:
    given = [name for name, value in options.items() if value not in (None, "", [])]
    if given:
        raise InputError(f"--{given[0]} {why}")


def _configured(methods: list[str], settings: list[str]) -> list[Any]:
    """The methods, those with settings as explainers."""
    from explicate.core import registry

    own: dict[str, list[str]] = {}
    for setting in settings:
        method, dot, rest = setting.partition(".")
        if not dot or method not in methods:
            raise InputError(
                f"cannot read the setting {setting!r}; write METHOD.NAME=VALUE for one of {', '.join(methods)}"
            )
        own.setdefault(method, []).append(rest)
    return [
        registry.find(name, "methods").from_parameters(read_settings(own[name])) if name in own else name
        for name in methods
    ]
