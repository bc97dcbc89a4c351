"""Succession: heads that answer a word of an ordered list with the next one, what they read, and how to steer it."""

from explicate.mechanisms.succession.arithmetic import (
    FeatureSwaps,
    random_directions,
    swap_features,
    unit_directions,
)
from explicate.mechanisms.succession.cases import WinningCases, case_of, winning_cases
from explicate.mechanisms.succession.circuits import HeadCircuit
from explicate.mechanisms.succession.direct_losses import DirectLosses, direct_losses, winning_heads
from explicate.mechanisms.succession.heads import SuccessorHead
from explicate.mechanisms.succession.index_domain import (
    IndexDomainMap,
    average_split,
    counts_in_new_list,
    decoding_accuracy,
)
from explicate.mechanisms.succession.lens import AffineLens, affine_lens, lens_successors
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
    "AffineLens",
    "AutoencoderResidues",
    "DirectLosses",
    "FeatureSwaps",
    "HeadCircuit",
    "IndexDomainMap",
    "NeuronResidues",
    "ProbeResidues",
    "SuccessorHead",
    "SuccessorReport",
    "SuccessorScores",
    "WinningCases",
    "affine_lens",
    "agreement",
    "average_split",
    "case_of",
    "class_means",
    "counts_in_new_list",
    "decoding_accuracy",
    "direct_losses",
    "lens_successors",
    "random_directions",
    "recurrence",
    "shuffled_agreement",
    "successor_scores",
    "swap_features",
    "unit_directions",
    "winning_cases",
    "winning_heads",
]
