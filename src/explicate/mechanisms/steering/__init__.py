"""Steering: directions read from activations, put to work while a model runs or writes, and measured over strengths."""

from explicate.mechanisms.steering.estimators import estimate
from explicate.mechanisms.steering.interventions import (
    check_fits,
    relative_sizes,
    scale_heads,
    set_coordinate,
    steer,
)
from explicate.mechanisms.steering.reading import ReadDirections, directions_of, read_directions

__all__ = [
    "ReadDirections",
    "check_fits",
    "directions_of",
    "estimate",
    "read_directions",
    "relative_sizes",
    "scale_heads",
    "set_coordinate",
    "steer",
]
