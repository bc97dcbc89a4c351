"""Mechanisms: what the parts of a language model do, found and tested by thousands of changes at once."""

from explicate.mechanisms.attribution_patching import AttributionPatching, confirmed, estimate_patches
from explicate.mechanisms.circuits import CircuitTest, HeadCircuit, HeadGroup, check_circuit, discover_circuit
from explicate.mechanisms.cross_model import CrossModelPatching, cross_model_patch
from explicate.mechanisms.desiderata import DesiderataMask
from explicate.mechanisms.direct_effects import DirectEffects, direct_effects_of
from explicate.mechanisms.path_patching import PathPatching, patch_paths
from explicate.mechanisms.subspace import AlignmentSearch, interchanged
from explicate.mechanisms.sweeps import Sweep, effects_of, logits_of, sweep

__all__ = [
    "AlignmentSearch",
    "AttributionPatching",
    "CircuitTest",
    "CrossModelPatching",
    "DesiderataMask",
    "DirectEffects",
    "HeadCircuit",
    "HeadGroup",
    "PathPatching",
    "Sweep",
    "check_circuit",
    "confirmed",
    "cross_model_patch",
    "direct_effects_of",
    "discover_circuit",
    "effects_of",
    "estimate_patches",
    "interchanged",
    "logits_of",
    "patch_paths",
    "sweep",
]
