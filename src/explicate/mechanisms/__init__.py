"""Mechanisms: what the parts of a language model do, found and tested by thousands of changes at once."""

from explicate.mechanisms.attribution_patching import AttributionPatching, confirmed, estimate_patches
from explicate.mechanisms.channels import ChannelSearch, ChannelSubspace
from explicate.mechanisms.circuits import CircuitTest, check_circuit
from explicate.mechanisms.direct_effects import DirectEffects, direct_effects_of
from explicate.mechanisms.knobs import Knob, KnobTraining, LayerSearch
from explicate.mechanisms.patchscope import Patchscope
from explicate.mechanisms.path_patching import PathPatching, patch_paths
from explicate.mechanisms.probing import LinearProbe, ProbeSweep, Shards, capture_shards, layer_profile
from explicate.mechanisms.subspace import AlignmentSearch, interchanged
from explicate.mechanisms.succession import SuccessorReport, SuccessorScores, successor_scores
from explicate.mechanisms.sweeps import Sweep, effects_of, logits_of, sweep
from explicate.mechanisms.weights import HeadWeights, fold_norms

__all__ = [
    "AlignmentSearch",
    "AttributionPatching",
    "ChannelSearch",
    "ChannelSubspace",
    "CircuitTest",
    "DirectEffects",
    "HeadWeights",
    "Knob",
    "KnobTraining",
    "LayerSearch",
    "LinearProbe",
    "Patchscope",
    "PathPatching",
    "ProbeSweep",
    "Shards",
    "SuccessorReport",
    "SuccessorScores",
    "Sweep",
    "capture_shards",
    "check_circuit",
    "confirmed",
    "direct_effects_of",
    "effects_of",
    "estimate_patches",
    "fold_norms",
    "interchanged",
    "layer_profile",
    "logits_of",
    "patch_paths",
    "successor_scores",
    "sweep",
]
