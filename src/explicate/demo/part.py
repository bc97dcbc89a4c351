"""What the three parts of the demo share: comparing, saying what to believe, and collecting what was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explicate.core.kinds import Attribution
from explicate.evaluation.comparison import Comparison, compare
from explicate.evaluation.measurement import paired_interval
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


def explained(comparison: Comparison) -> list[Attribution]:
    """The explanations that were compared, without the control's."""
    return [each for name, each in comparison.explanations.items() if name != CONTROL]


def beliefs(comparison: Comparison, decisive: str) -> tuple[list[str], tuple[str, ...]]:
    """Sentences on what to believe, and the methods that failed: no better than random, or blind to the weights.

    Parameters
    ----------
    decisive : the metric by which methods are held against the random control.
    """
    control = comparison.measurements[CONTROL, decisive]
    lines: list[str] = []
    failed: list[str] = []
    clear: list[str] = []
    unclear: list[str] = []
    for method in comparison.methods:
        own = comparison.measurements.get((method, decisive))
        if method == CONTROL or own is None:
            continue
        gain = paired_interval(own, control) if own.higher_is_better else paired_interval(control, own)
        better = own.value > control.value if own.higher_is_better else own.value < control.value
        if not better:
            failed.append(method)
            lines.append(
                f"Do not rely on {method} here: its {decisive} is {own.value:.3g}, no better than the random control's "
                f"{control.value:.3g}."
            )
        elif gain is not None and gain.low > 0:
            clear.append(f"{method} (by {gain.value:.2g}, 95 % interval {gain.low:.2g} to {gain.high:.2g})")
        else:
            unclear.append(method)
    for method in comparison.failed_randomisation():
        failed.append(method)
        lines.append(
            f"{method} draws nearly the same picture for a model with random weights: it shows the input, "
            "not what the model has learnt."
        )
    if unclear:
        lines.insert(
            0, f"Better than the random control in {decisive}, but not clearly on so few samples: {_listed(unclear)}."
        )
    if clear:
        lines.insert(0, f"Clearly better than the random control in {decisive}, sample by sample: {_listed(clear)}.")
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
