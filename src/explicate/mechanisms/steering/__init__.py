"""Steering: directions read from activations, put to work while a model runs or writes, and measured over strengths."""

from explicate.mechanisms.steering.controls import random_direction, top_tokens, tossed_pairs
from explicate.mechanisms.steering.estimators import estimate
from explicate.mechanisms.steering.files import read_safetensors, write_gguf, write_safetensors
from explicate.mechanisms.steering.interventions import (
    check_fits,
    relative_sizes,
    scale_heads,
    set_coordinate,
    steer,
)
from explicate.mechanisms.steering.reading import ReadDirections, directions_of, read_directions
from explicate.mechanisms.steering.strengths import swept_strengths

__all__ = [
    "ReadDirections",
    "check_fits",
    "directions_of",
    "estimate",
    "random_direction",
    "read_directions",
    "read_safetensors",
    "relative_sizes",
    "scale_heads",
    "set_coordinate",
    "steer",
    "swept_strengths",
    "top_tokens",
    "tossed_pairs",
    "write_gguf",
    "write_safetensors",
]
