"""Mechanisms: what the parts of a language model do, found and tested by thousands of changes at once."""

from explicate.mechanisms.attribution_patching import AttributionPatching, confirmed, estimate_patches
from explicate.mechanisms.circuits import CircuitTest, check_circuit
from explicate.mechanisms.direct_effects import DirectEffects, direct_effects_of
from explicate.mechanisms.knobs import Knob, KnobTraining, LayerSearch
from explicate.mechanisms.patchscope import Patchscope
from explicate.mechanisms.path_patching import PathPatching, patch_paths
from explicate.mechanisms.probing import LinearProbe, ProbeSweep, Shards, capture_shards, layer_profile
from explicate.mechanisms.subspace import AlignmentSearch, interchanged
from explicate.mechanisms.sweeps import Sweep, effects_of, logits_of, sweep

__all__ = [
    "AlignmentSearch",
    "AttributionPatching",
    "CircuitTest",
    "DirectEffects",
    "Knob",
    "KnobTraining",
    "LayerSearch",
    "LinearProbe",
    "Patchscope",
    "PathPatching",
    "ProbeSweep",
    "Shards",
    "Sweep",
    "capture_shards",
    "check_circuit",
    "confirmed",
    "direct_effects_of",
    "effects_of",
    "estimate_patches",
    "interchanged",
    "layer_profile",
    "logits_of",
    "patch_paths",
    "sweep",
]
