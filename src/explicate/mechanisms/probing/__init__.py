"""Probes: what can be read off a model's activations, at which layer, component and position."""

from explicate.mechanisms.probing.linear import PENALTIES, LinearProbe, Readout
from explicate.mechanisms.probing.measures import auc, class_scores, f1_score, value_scores
from explicate.mechanisms.probing.perceptron import MLPProbe
from explicate.mechanisms.probing.probe import Probe, Problem
from explicate.mechanisms.probing.profile import ProbeSweep, layer_profile
from explicate.mechanisms.probing.shards import Shards, capture_shards
from explicate.mechanisms.probing.splits import control_labels, folds, group_numbers, training_rows

__all__ = [
    "PENALTIES",
    "LinearProbe",
    "MLPProbe",
    "Probe",
    "ProbeSweep",
    "Problem",
    "Readout",
    "Shards",
    "auc",
    "capture_shards",
    "class_scores",
    "control_labels",
    "f1_score",
    "folds",
    "group_numbers",
    "layer_profile",
    "training_rows",
    "value_scores",
]
