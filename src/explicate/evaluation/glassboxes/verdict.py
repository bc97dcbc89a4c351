"""What a comparison of glass boxes says, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from explicate.evaluation.glassboxes.measures import MEASURES, Measure
from explicate.evaluation.glassboxes.result import GlassBoxComparison, Standing
from explicate.runtime.statistics import Interval

WORDS: dict[Measure, str] = {
    "accuracy": "share of rows predicted rightly",
    "balanced-accuracy": "share predicted rightly, each class counting the same",
    "auc": "chance that of two rows of different classes the right one is ranked higher",
}


@dataclass(frozen=True)
class Verdict:
    """Which readable model to take.

    Attributes
    ----------
    choice : the readable model with the highest value among those that a paired 95 % interval does not tell apart from
        the best black box, or that are better; None where all of them lose.
    headline : in one sentence. lines : the rest, one sentence each.
    """

    choice: str | None
    headline: str
    lines: tuple[str, ...]


def verdict(comparison: GlassBoxComparison) -> Verdict:
    """Judge a comparison by its chosen measure."""
    by, best = comparison.by, comparison.reference
    readable = comparison.of("readable")
    if not readable:
        return Verdict(None, "No readable model applies to this table.", ())
    level = [one for one in readable if one.behind[by].high >= 0]
    chosen = level[0] if level else readable[0]
    headline = _taken(comparison, chosen) if level else _lost(comparison, chosen)
    lines = [*_others(level[1:], by), *_by_other_measures(chosen, best, by), *_against_nothing(comparison, chosen)]
    return Verdict(chosen.model if level else None, headline, tuple(lines))


def percent(value: float, decimals: int = 1) -> str:
    """A share as people read it."""
    return f"{100 * value:.{decimals}f} %"


def points(gap: Interval) -> str:
    """A difference in percentage points with its interval."""
    return f"{100 * gap.value:+.1f} points [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]"


def _taken(comparison: GlassBoxComparison, one: Standing) -> str:
    best, by = comparison.reference, comparison.by
    gap = one.behind[by]
    both = f"{_value(one, by)} against {_value(best, by)} of {best.model}, the best black box"
    start = f"{one.model} ({one.length}) can be taken: {both}"
    if gap.low > 0:
        return f"{start}. It is better: {points(gap)}."
    allowed = f"{-100 * gap.low:.1f}"
    more = "" if allowed in ("0.0", "-0.0") else f" of more than {allowed} points"
    rows = f"{len(comparison.table):,}"
    return f"{start}. The difference, {points(gap)}, may be chance; these {rows} rows rule out a loss{more}."


def _lost(comparison: GlassBoxComparison, one: Standing) -> str:
    best, by = comparison.reference, comparison.by
    gap = one.behind[by]
    cost = f"{-100 * gap.value:.1f} points [{-100 * gap.high:.1f}, {-100 * gap.low:.1f}] against {best.model}"
    if by == "accuracy":
        cost += f": of 1,000 decisions about {-1000 * gap.value:.0f} more are wrong"
    return (
        f"Reading costs something here. The best readable model, {one.model} ({one.length}), loses {cost}. Whether a "
        "model that can be read is worth that is for you to say."
    )


def _others(level: list[Standing], by: Measure) -> list[str]:
    if not level:
        return []
    listed = "; ".join(f"{one.model} ({one.length}): {points(one.behind[by])}" for one in level)
    return [f"Not told apart from the best black box either: {listed}."]


def _by_other_measures(one: Standing, best: Standing, by: Measure) -> list[str]:
    lines = []
    for measure in MEASURES:
        gap = one.behind.get(measure)
        if measure == by or gap is None or not gap.excludes_zero:
            continue
        side = "behind" if gap.value < 0 else "ahead of"
        lines.append(f"By {measure} ({WORDS[measure]}), {one.model} is {side} {best.model}: {points(gap)}.")
    return lines


def _against_nothing(comparison: GlassBoxComparison, one: Standing) -> list[str]:
    by, larger = comparison.by, next(iter(comparison.shares))
    gap = one.ahead[by]
    if gap.low > 0:
        return []
    return [
        f"Beware: {one.model} is not told apart from always saying {larger!r} ({points(gap)}); by this measure there "
        "is little to gain from any model."
    ]


def _value(one: Standing, by: Measure) -> str:
    return f"{percent(one.values[by].value)} {'right' if by != 'auc' else 'of pairs ranked rightly'}"
