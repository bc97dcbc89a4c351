"""What the three parts of the demo share: comparing, saying what to believe, and collecting what was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explicate.core.kinds import Attribution
from explicate.evaluation.beliefs import listed
from explicate.evaluation.comparison import Comparison, compare
from explicate.evaluation.comparison_table import CONTROL
from explicate.report.document import Section


@dataclass(frozen=True)
class Settings:
    """Where to write, and the seed."""

    out: Path
    scratch: Path
    seed: int


@dataclass(frozen=True)
class Made:
    """One part of the demo: its section of the report, summary lines, stored files, and methods that failed a check."""

    section: Section
    summary: list[str]
    files: list[Path]
    model: str
    failed: tuple[str, ...]


def measured(
    settings: Settings,
    name: str,
    model: Any,
    inputs: Any,
    methods: Sequence[Any],
    metrics: Sequence[Any],
    target: Any,
    budget: int | None = None,
) -> Comparison:
    """Compare methods beside the random control."""
    return compare(
        model,
        inputs,
        methods,
        metrics,
        target=target,
        seed=settings.seed,
        budget=budget,
        within=settings.scratch / name,
    )


def explained(comparison: Comparison) -> list[Attribution]:
    """The explanations that were compared, without the control's."""
    return [each for name, each in comparison.explanations.items() if name != CONTROL]


def verdict_line(made: Sequence[Made]) -> str:
    """The last line of the summary: which methods failed a check, and where."""
    found = [f"{listed(part.failed)} on {part.model}" for part in made if part.failed]
    return f"failed a check: {'; '.join(found)}" if found else "no method failed a check against its control"
