"""Fit every model on the same folds, and sum up: `compare_glassboxes`."""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from explicate.core.explanation import Explanation
from explicate.data.table import Table
from explicate.data.tables import table as built_in
from explicate.errors import InputError
from explicate.evaluation.glassboxes.contestants import contestants
from explicate.evaluation.glassboxes.measures import MEASURES, Measure, Scored, scored
from explicate.evaluation.glassboxes.result import FILE, GlassBoxComparison, Standing
from explicate.evaluation.glassboxes.work import Work, unpacked
from explicate.runtime.files import write_json
from explicate.runtime.fingerprint import digest
from explicate.runtime.parallel import Backend
from explicate.runtime.runner import run


def compare_glassboxes(
    table: Table | str,
    models: Sequence[str] | None = None,
    *,
    folds: int = 5,
    repeats: int = 1,
    by: Measure = "accuracy",
    seed: int = 0,
    folder: str | Path | None = None,
    workers: int = 1,
    backend: Backend = "processes",
    new_run: bool = False,
) -> GlassBoxComparison:
    """Hold readable models against black boxes on a table with classes.

    Every row is predicted once per repeat, by a fit that has not seen it; all models meet the same folds, so that their
    differences are paired. A model that does not apply to the table is no error: its standing says why.

    Parameters
    ----------
    table : labelled rows, or the name of a built-in table (`explicate.data.TABLES`).
    models : names of glass boxes and black boxes; by default all that fit the table.
    folds : parts of the rows; each is predicted by models fitted to the others.
    repeats : how often the rows are divided anew; more of them take chance out of the folds, not out of the rows.
    by : the measure that decides which is the best: "accuracy", "balanced-accuracy" (the mean over classes of the
        share of rows that are predicted rightly) or "auc".
    seed : all randomness comes from it.
    folder : where fits are kept as they finish, so that a comparison that was killed goes on; None keeps nothing.
    workers, backend : see `explicate.runtime.parallel`; they change no figure but the seconds.
    new_run : starts anew; what was there is moved aside.

    Raises
    ------
    InputError : no classes, a single one, one with too few rows for the folds, or a parameter out of its range.
    RunError : a model failed, or `folder` holds another comparison.
    """
    table = _present(built_in(table) if isinstance(table, str) else table)
    _check(table, folds, repeats, by)
    taking = {one.name: one for one in contestants(len(table), table.classes, models)}
    splits: list[dict[str, Any]] = [
        {"model": name, "repeat": repeat, "fold": fold}
        for repeat in range(repeats)
        for fold in range(folds)
        for name in taking
    ]
    wholes: list[dict[str, Any]] = [
        {"model": name, "whole": True} for name, one in taking.items() if one.kind == "readable"
    ]
    spec = {"table": table.name, "content": _fingerprint(table), "folds": folds, "repeats": repeats, "version": 1}
    with _kept(folder) as place:
        work = Work(table, taking, folds, seed, place / "models")
        done = run(
            work,
            [*splits, *wholes],
            place,
            name="glassboxes",
            spec=spec,
            seed=seed,
            workers=workers,
            backend=backend,
            attempts=1,
            max_error_rate=0.0,
            new_run=new_run,
            label=f"compare on {table.name}",
        )
        fits = dict(zip(((u["model"], u["repeat"], u["fold"]) for u in splits), done.records, strict=False))
        read = dict(zip((u["model"] for u in wholes), done.records[len(splits) :], strict=True))
        comparison = GlassBoxComparison(
            table=table,
            folds=folds,
            repeats=repeats,
            seed=seed,
            by=by,
            standings=_standings(work, fits, read, repeats, by),
            explanations=_explanations(work, read),
            folder=None if folder is None else Path(folder),
        )
        if folder is not None:
            write_json(place / FILE, comparison.to_dict())
    return comparison


def _standings(
    work: Work, fits: Mapping[Any, Any], read: Mapping[str, Any], repeats: int, by: Measure
) -> tuple[Standing, ...]:
    folds = [work.fold_of(repeat) for repeat in range(repeats)]
    reasons = {key[0]: record["not_applicable"] for key, record in fits.items() if "not_applicable" in record}
    reasons |= {name: record["not_applicable"] for name, record in read.items() if "not_applicable" in record}
    found = {name: _scored(work, fits, name, folds) for name in work.contestants if name not in reasons}
    values = {name: {measure: one.interval(measure) for measure in MEASURES} for name, one in found.items()}
    black = [name for name in found if work.contestants[name].kind == "black box"]
    if not black:
        raise InputError(f"table {work.table.name!r}: no black box applies: {next(iter(reasons.values()))}")
    best = max(black, key=lambda name: values[name][by].value)
    control = next(name for name, one in work.contestants.items() if one.kind == "control")
    standings = []
    for name, contestant in work.contestants.items():
        if name in reasons:
            standings.append(Standing(name, contestant.kind, reason=reasons[name]))
            continue
        own = [record for key, record in fits.items() if key[0] == name]
        rows = len(work.table) / work.folds
        standings.append(
            Standing(
                name,
                contestant.kind,
                values[name],
                {} if name == best else _less(found[name], found[best]),
                {} if name == control else _less(found[name], found[control]),
                dict(read.get(name, {}).get("size", ())),
                statistics.median(record["fit_seconds"] for record in own),
                statistics.median(record["predict_seconds"] for record in own) / rows * 1000,
                own[0].get("importance", {}),
            )
        )
    return tuple(standings)


def _less(one: Scored, other: Scored) -> dict[Measure, Any]:
    return {measure: one.less(other, measure) for measure in MEASURES}


def _scored(work: Work, fits: Mapping[Any, Any], name: str, folds: Sequence[np.ndarray]) -> Scored:
    predicted, probable = [], []
    for repeat, fold_of in enumerate(folds):
        codes = np.empty(len(work.table), dtype=int)
        chances = np.empty((len(work.table), work.table.classes))
        for fold in range(work.folds):
            record = fits[name, repeat, fold]
            rows = fold_of == fold
            codes[rows] = unpacked(record["predicted"], np.int16)
            chances[rows] = unpacked(record["probability"], np.float32).reshape(-1, work.table.classes)
        predicted.append(codes)
        probable.append(chances)
    return scored(work.table.labels, folds, predicted, probable)


def _explanations(work: Work, read: Mapping[str, Any]) -> dict[str, Explanation]:
    names = [name for name, record in read.items() if "not_applicable" not in record]
    return {name: work.explanation(name) or work.refit(name) for name in names}


def _present(table: Table) -> Table:
    """The table with only the classes that it has rows of."""
    if table.task != "classification":
        raise InputError(
            f"table {table.name!r} has no classes to predict ({table.task}); name the column that holds them with "
            "--label, or give task='classification' to table_from_file"
        )
    codes = np.unique(table.labels)
    if len(codes) < 2:
        only = table.class_names[codes[0]] if len(codes) else "none"
        raise InputError(f"table {table.name!r} has one class only, {only!r}; two are needed to tell apart")
    if len(codes) == table.classes:
        return table
    names = tuple(table.class_names[code] for code in codes)
    return dataclasses.replace(table, labels=np.searchsorted(codes, table.labels), class_names=names)


def _check(table: Table, folds: int, repeats: int, by: str) -> None:
    if by not in get_args(Measure):
        raise InputError(f"by is {by!r}; use one of {', '.join(get_args(Measure))}")
    if folds < 2:
        raise InputError(f"folds is {folds}; give 2 or more")
    if repeats < 1:
        raise InputError(f"repeats is {repeats}; give 1 or more")
    if not table.frame.notna().to_numpy().any():
        raise InputError(f"table {table.name!r}: no column has a value; there is nothing to predict from")
    counts = np.bincount(table.labels)
    if counts.min() < 2 * folds:
        rare = table.class_names[int(counts.argmin())]
        raise InputError(
            f"table {table.name!r}: class {rare!r} has {counts.min()} rows; {folds} folds need {2 * folds}, two to "
            "test in each: take fewer folds, or join or drop rare classes"
        )
    doubled = {name for name in table.class_names if table.class_names.count(name) > 1}
    if doubled:
        raise InputError(f"table {table.name!r}: two classes are called {min(doubled)!r}; rename one of them")


def _fingerprint(table: Table) -> str:
    texts = [f"{column}: {'|'.join(map(str, table.frame[column]))}" for column in table.frame.columns]
    return digest(texts, table.labels, list(table.class_names))


@contextlib.contextmanager
def _kept(folder: str | Path | None) -> Iterator[Path]:
    if folder is not None:
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="explicate-glassboxes-") as temporary:
        yield Path(temporary)
