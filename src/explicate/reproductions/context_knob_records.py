"""What the two parts of the context knob's reproduction write down alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from explicate.benchmarks.context_sensitivity import LayerRanges
from explicate.mechanisms.knobs import Knob

AROUND = 2  # layers on either side


def facts_of(knob: Knob) -> dict[str, Any]:
    """Layer and values, raw and in standard deviations of the natural coordinate."""
    values = {"prior": knob.value_prior, "context": knob.value_context}
    return {
        "layer": knob.layer,
        **values,
        **{f"{name} in deviations": knob.in_deviations(value) for name, value in values.items()},
    }


def layers_record(ranges: LayerRanges) -> dict[str, Any]:
    """The layers of each role and what patching them, or all others, does."""
    found: dict[str, Any] = {}
    for role, circuit in ranges.circuits.items():
        attributes = circuit.data.attrs
        names = ("ceiling", "alone", "without", "untouched", "steps", "settled")
        found[role] = {"layers": list(ranges.layers(role)), "pairs": ranges.pairs[role]} | {
            name: float(attributes[name]) for name in names
        }
    return found


def near(layers: Iterable[int], count: int) -> list[int]:
    """The middle of some layers and those around it, below the last one of a model."""
    ordered = sorted(layers)
    middle = ordered[len(ordered) // 2]
    return [layer for layer in range(middle - AROUND, middle + AROUND + 1) if 0 <= layer < count - 1]
