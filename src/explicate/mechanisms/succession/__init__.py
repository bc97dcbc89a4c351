"""Succession: heads that answer a word of an ordered list with the next one, what they read, and how to steer it."""

from explicate.mechanisms.succession.arithmetic import (
    FeatureSwaps,
    random_directions,
    swap_features,
    unit_directions,
)
from explicate.mechanisms.succession.circuits import HeadCircuit
from explicate.mechanisms.succession.heads import SuccessorHead
from explicate.mechanisms.succession.neurons import NeuronResidues
from explicate.mechanisms.succession.residues import (
    AutoencoderResidues,
    ProbeResidues,
    agreement,
    class_means,
    shuffled_agreement,
)
from explicate.mechanisms.succession.scores import SuccessorReport, SuccessorScores, recurrence, successor_scores

__all__ = [
    "AutoencoderResidues",
    "FeatureSwaps",
    "HeadCircuit",
    "NeuronResidues",
    "ProbeResidues",
    "SuccessorHead",
    "SuccessorReport",
    "SuccessorScores",
    "agreement",
    "class_means",
    "random_directions",
    "recurrence",
    "shuffled_agreement",
    "successor_scores",
    "swap_features",
    "unit_directions",
]
