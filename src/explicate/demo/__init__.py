"""`explicate demo`: three real models on real inputs, every explanation checked, one report."""

from __future__ import annotations

import functools
import importlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explicate.report.document import Report
from explicate.runtime.files import make_folder
from explicate.runtime.parallel import Backend, parallel_map

INTRODUCTION = (
    "Three models explained on real inputs: which parts of the input speak for the answer, according to several "
    "methods; which of those methods can be believed, measured beside a random control at a stated number of model "
    "evaluations; and what happens when the model is changed where an explanation points."
)


@dataclass(frozen=True)
class Demo:
    """What the demo made: the report's path, the stored explanations, and five lines of what was found."""

    report: Path
    explanations: tuple[Path, ...]
    summary: list[str]


def run(out: Path, seed: int = 0, workers: int = 1, backend: Backend = "processes", resume: bool = True) -> Demo:
    """Explain the three models and write the report to `out`/report.html.

    Parameters
    ----------
    resume : go on with the comparisons of a demo that was killed in this folder; they are removed at the end.
    """
    from explicate.demo.part import Made, Settings, verdict_line

    make_folder(out)
    scratch = out / "runs"
    if not resume:
        shutil.rmtree(scratch, ignore_errors=True)
    settings = Settings(out, make_folder(scratch), seed)
    longest_first = ("image", "language", "credit")
    call = functools.partial(_part, settings)
    parts = parallel_map(call, longest_first, workers=workers, backend=backend, label="explaining three models")
    found: dict[str, Made] = dict(zip(longest_first, parts, strict=True))
    made = [found[name] for name in ("credit", "image", "language")]
    summary = [*(line for part in made for line in part.summary), verdict_line(made)]
    report = Report(
        "Three models, explained and checked", INTRODUCTION, [part.section for part in made], "explicate demo"
    ).save(out / "report.html")
    shutil.rmtree(scratch, ignore_errors=True)
    return Demo(report, tuple(path for part in made for path in part.files), summary)


def _part(settings: Any, name: str) -> Any:
    """One part of the demo, in a process of its own where there are several."""
    return importlib.import_module(f"explicate.demo.{name}").make(settings)
