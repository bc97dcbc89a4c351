"""Whether a model can be told to answer from its context or from what it knows, and where inside it that is decided.

Source: Minder et al. (2024), "Controllable Context Sensitivity and the Knob Behind It", arXiv 2411.07404.

    questions = country_contradictions()
    print(ask(model, questions).pair_accuracy)
"""

from explicate.benchmarks.context_sensitivity.asking import (
    ROLES,
    LayerRanges,
    Posed,
    ask,
    find_layer_ranges,
    separation_of,
    train_knob,
    turn,
    untrained_knob,
)
from explicate.benchmarks.context_sensitivity.controlled import ControlledPosing, FactsAndContexts, FactWorld
from explicate.benchmarks.context_sensitivity.posing import Posing
from explicate.benchmarks.context_sensitivity.scoring import Sensitivity, answered, number_word

__all__ = [
    "ROLES",
    "ControlledPosing",
    "FactWorld",
    "FactsAndContexts",
    "LayerRanges",
    "Posed",
    "Posing",
    "Sensitivity",
    "answered",
    "ask",
    "find_layer_ranges",
    "number_word",
    "separation_of",
    "train_knob",
    "turn",
    "untrained_knob",
]
