"""What to believe of a comparison, in words: each method against the random control, and the randomisation check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explicate.evaluation.comparison_table import CONTROL, Comparison
from explicate.evaluation.measurement import Measurement, paired_interval
from explicate.runtime.statistics import Interval

DECISIVE = ("deletion", "insertion")
CAVEAT = (
    "All figures are for these samples and this meaning of absent; another meaning can reverse a ranking, so decide "
    "which perturbation you care about first."
)


@dataclass(frozen=True)
class Beliefs:
    """Sentences on what to believe and what not, and the methods that failed a check."""

    lines: tuple[str, ...]
    failed: tuple[str, ...]


@dataclass(frozen=True)
class _Gain:
    """How much better than the control a method is by one metric; `interval` is paired, None for a single sample."""

    metric: str
    own: float
    control: float
    better: bool
    interval: Interval | None

    @property
    def clear(self) -> bool:
        return self.interval is not None and self.interval.low > 0

    @property
    def clearly_worse(self) -> bool:
        return self.interval is not None and self.interval.high < 0


def beliefs(comparison: Comparison, decisive: Sequence[str] = DECISIVE) -> Beliefs:
    """Which methods of a comparison can be believed.

    A method fails when it is better than the random control by none of the decisive metrics, clearly worse by one (the
    paired interval lies on the wrong side of 0), or blind to what the model has learnt (the randomisation check).

    Parameters
    ----------
    decisive : labels of the metrics by which methods are held against the control; those not measured are passed over.
    """
    lines: list[str] = []
    failed: list[str] = []
    clear: list[str] = []
    unclear: list[str] = []
    for method in comparison.methods:
        gains = _gains(comparison, method, decisive)
        if method == CONTROL or not gains:
            continue
        if any(gain.clearly_worse for gain in gains) or not any(gain.better for gain in gains):
            failed.append(method)
            lines.append(f"Do not rely on {method} here: {listed([_against(gain) for gain in gains])}.")
        elif any(gain.clear for gain in gains):
            clear.append(f"{method} ({listed([_size(gain) for gain in gains if gain.clear])})")
        else:
            unclear.append(f"{method} (in {listed([gain.metric for gain in gains if gain.better])})")
    if unclear:
        lines.insert(0, f"Better than the random control, but not clearly on so few samples: {listed(unclear)}.")
    if clear:
        lines.insert(0, f"Clearly better than the random control, sample by sample: {listed(clear)}.")
    for method in comparison.failed_randomisation():
        failed.append(method)
        lines.append(
            f"{method} draws nearly the same picture for a model with random weights: it shows the input, not what the "
            "model has learnt."
        )
    return Beliefs((*lines, CAVEAT), tuple(dict.fromkeys(failed)))


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _gains(comparison: Comparison, method: str, decisive: Sequence[str]) -> list[_Gain]:
    found = []
    for metric in decisive:
        own = comparison.measurements.get((method, metric))
        control = comparison.measurements.get((CONTROL, metric))
        if own is not None and control is not None and own.higher_is_better is not None:
            found.append(_gain(metric, own, control))
    return found


def _gain(metric: str, own: Measurement, control: Measurement) -> _Gain:
    first, second = (own, control) if own.higher_is_better else (control, own)
    return _Gain(metric, own.value, control.value, first.value > second.value, paired_interval(first, second))


def _against(gain: _Gain) -> str:
    word = "clearly worse than" if gain.clearly_worse else "better than" if gain.better else "no better than"
    return f"its {gain.metric} of {gain.own:.3g} is {word} the random control's {gain.control:.3g}"


def _size(gain: _Gain) -> str:
    assert gain.interval is not None
    low, high = gain.interval.low, gain.interval.high
    return f"{gain.metric} by {gain.interval.value:.2g}, 95 % interval {low:.2g} to {high:.2g}"
