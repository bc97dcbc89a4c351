"""Which algorithm does a sequence model use? Perturbation maps, recursion heads, programs chosen by its behaviour."""

from explicate.mechanisms.algorithms.branches import Branch, Condition
from explicate.mechanisms.algorithms.perturbation import (
    DependenceAgreement,
    PerturbationMap,
    dependence_agreement,
    perturbation_map,
    perturbation_maps,
)
from explicate.mechanisms.algorithms.reconstruction import (
    AlgorithmHypothesis,
    FailurePrediction,
    Reconstruction,
    failure_prediction,
    foretold,
    reconstruct,
)
from explicate.mechanisms.algorithms.recursion_heads import HeadEffects, head_effects
from explicate.mechanisms.algorithms.sequence_models import SequenceModel, each

__all__ = [
    "AlgorithmHypothesis",
    "Branch",
    "Condition",
    "DependenceAgreement",
    "FailurePrediction",
    "HeadEffects",
    "PerturbationMap",
    "Reconstruction",
    "SequenceModel",
    "dependence_agreement",
    "each",
    "failure_prediction",
    "foretold",
    "head_effects",
    "perturbation_map",
    "perturbation_maps",
    "reconstruct",
]
