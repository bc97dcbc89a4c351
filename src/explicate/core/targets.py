"""Which output of the model is explained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from explicate.core.capabilities import Array, Floats, Predictor, Targets
from explicate.errors import TargetError, counted


@dataclass(frozen=True)
class Contrast:
    """The score of one output minus that of another: why this *rather than* that."""

    positive: int | str
    negative: int | str


One: TypeAlias = int | str | Contrast
Target: TypeAlias = One | Sequence[One] | None
"""None: the output with the highest score (or the only one). One for all samples, or a sequence with one per sample."""


def resolve_targets(model: Predictor, inputs: Array, target: Target) -> Targets:
    """Turn what a user asked for into output indices: (sample,), or (sample, 2) where contrasts are asked.

    A model with one output has only target 0; for a binary classifier with a single probability column, target 1 names
    that same column, because people call it "class 1".
    """
    count = len(inputs)
    if target is None:
        if model.output_count == 1:
            return np.zeros(count, dtype=np.int64)
        return np.asarray(np.argmax(model.predict(inputs), axis=1), dtype=np.int64)
    if isinstance(target, str | Contrast) or not isinstance(target, Iterable) or getattr(target, "ndim", 1) == 0:
        chosen: list[One] = [target] * count  # type: ignore[list-item]  # `_index` refuses what is no output
    else:
        chosen = list(target)
        if len(chosen) != count:
            raise TargetError(f"{len(chosen)} targets for {count} samples; give one for all or one per sample")
    if any(isinstance(item, Contrast) for item in chosen):
        pairs = [(_index(model, c.positive), _index(model, c.negative)) for c in chosen if isinstance(c, Contrast)]
        if len(pairs) != count:
            raise TargetError("contrasts and single outputs cannot be mixed in one call; explain them separately")
        return np.array(pairs, dtype=np.int64)
    return np.array([_index(model, item) for item in chosen if not isinstance(item, Contrast)], dtype=np.int64)


def select(outputs: Floats, targets: Targets) -> Floats:
    """The targets' scores (sample,) from all scores (sample, output)."""
    rows = np.arange(len(outputs))
    if targets.ndim == 1:
        return np.asarray(outputs[rows, targets])
    return np.asarray(outputs[rows, targets[:, 0]] - outputs[rows, targets[:, 1]])


def target_names(model: Predictor, targets: Targets) -> list[str]:
    """What a reader calls each target."""
    if targets.ndim == 1:
        return [model.output_name(int(index)) for index in targets]
    return [f"{model.output_name(int(a))} rather than {model.output_name(int(b))}" for a, b in targets]


def _index(model: Predictor, target: int | str) -> int:
    if isinstance(target, str):
        look_up = getattr(model, "output_index", None)
        if look_up is None:
            raise TargetError(
                f"the model {model.name!r} knows its outputs by number only; give an index, not {target!r}"
            )
        return int(look_up(target))
    target = _whole(target)
    if model.output_count == 1 and target == 1:
        return 0
    if not 0 <= target < model.output_count:
        raise TargetError(
            f"target {target} is out of range: the model {model.name!r} has {counted(model.output_count, 'output')}"
            + (f", 0 to {model.output_count - 1}" if model.output_count > 1 else "; its target is 0")
        )
    return target


def _whole(target: object) -> int:
    """A whole number, be it an integer of whatever library or a float such as 1.0."""
    if callable(target):
        raise TargetError(
            "the target is a function: class-activation methods (grad-cam, ...) take one, for all samples alike; give "
            "other methods an output's index or name"
        )
    try:
        number = float(target)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = np.nan
    if not number.is_integer():
        raise TargetError(
            f"the target {target!r} is no output: give its index (a whole number), its name or a Contrast"
        )
    return int(number)
