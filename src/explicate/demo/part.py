"""What the three parts of the demo share: comparing, saying what to believe, and collecting what was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explicate.evaluation.comparison import Comparison, compare
from explicate.report.document import Section

CONTROL = "random"


@dataclass(frozen=True)
class Settings:
    """Where to write, the seed, and how many units to work on at a time."""

    out: Path
    scratch: Path
    seed: int
    workers: int


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
        folder=settings.scratch / name,
        workers=settings.workers,
    )


def beliefs(comparison: Comparison, decisive: str) -> tuple[list[str], tuple[str, ...]]:
    """Sentences on what to believe, and the methods that failed: no better than random, or blind to the weights.

    Parameters
    ----------
    decisive : the metric by which methods are held against the random control.
    """
    frame = comparison.to_frame()
    own = frame[(frame["metric"] == decisive) & frame["value"].notna()].set_index("method")
    lines, failed = [], []
    higher = bool(own["higher_is_better"].iloc[0])
    control = own.loc[CONTROL]
    for method, row in own.iterrows():
        if method == CONTROL:
            continue
        clear = row["low"] > control["high"] if higher else row["high"] < control["low"]
        better = row["value"] > control["value"] if higher else row["value"] < control["value"]
        if not better:
            failed.append(str(method))
            lines.append(
                f"Do not rely on {method} here: its {decisive} is {row['value']:.3g}, no better than the random "
                f"control's {control['value']:.3g}."
            )
        elif not clear:
            lines.append(
                f"{method} beats the random control in {decisive} ({row['value']:.3g} against {control['value']:.3g}), "
                "but their intervals overlap on so few samples."
            )
    for method in comparison.failed_randomisation():
        failed.append(method)
        lines.append(
            f"{method} draws nearly the same picture for a model with random weights: it shows the input, "
            "not what the model has learnt."
        )
    sound = [str(m) for m in own.index if m != CONTROL and m not in failed]
    if sound:
        lines.insert(0, f"On these inputs {_listed(sound)} beat{'s' if len(sound) == 1 else ''} the random control.")
    lines.append(
        "All figures are for these samples and this meaning of absent; another meaning can reverse a ranking, so "
        "decide which perturbation you care about first."
    )
    return lines, tuple(dict.fromkeys(failed))


def verdict_line(made: Sequence[Made]) -> str:
    """The last line of the summary: which methods failed a check, and where."""
    found = [f"{_listed(part.failed)} on {part.model}" for part in made if part.failed]
    return f"failed a check: {'; '.join(found)}" if found else "no method failed a check against its control"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
