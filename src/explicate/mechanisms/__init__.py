"""Mechanisms: what the parts of a language model do, found and tested by thousands of changes at once."""

from explicate.mechanisms.attribution_patching import AttributionPatching, attribution_patching, confirmed
from explicate.mechanisms.circuits import CircuitTest, check_circuit
from explicate.mechanisms.direct_effects import DirectEffects, direct_effects
from explicate.mechanisms.path_patching import PathPatching, path_patching
from explicate.mechanisms.subspace import AlignmentSearch, interchanged
from explicate.mechanisms.sweep import Sweep, effects_of, logits_of, sweep

__all__ = [
    "AlignmentSearch",
    "AttributionPatching",
    "CircuitTest",
    "DirectEffects",
    "PathPatching",
    "Sweep",
    "attribution_patching",
    "check_circuit",
    "confirmed",
    "direct_effects",
    "effects_of",
    "interchanged",
    "logits_of",
    "path_patching",
    "sweep",
]
