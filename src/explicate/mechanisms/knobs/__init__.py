"""Knobs: layers and directions that decide between two ways to answer, found by exchanging what differs in the two."""

from explicate.mechanisms.knobs.knob import Knob
from explicate.mechanisms.knobs.layer_search import LayerSearch
from explicate.mechanisms.knobs.separation import Separation
from explicate.mechanisms.knobs.training import (
    KnobTraining,
    Turned,
    mean_difference,
    random_direction,
    turned,
    with_best_values,
)

__all__ = [
    "Knob",
    "KnobTraining",
    "LayerSearch",
    "Separation",
    "Turned",
    "mean_difference",
    "random_direction",
    "turned",
    "with_best_values",
]
