"""Circuits of heads: found, kept while all else is ablated, tested, and compared."""

from explicate.mechanisms.circuits.ablation import KeptHeads, MeanAblation
from explicate.mechanisms.circuits.check import CircuitTest, check_circuit
from explicate.mechanisms.circuits.discovery import Discovery, Stage, discover_circuit
from explicate.mechanisms.circuits.groups import HeadCircuit, HeadGroup, Overlap, circuit_overlap, random_circuit
from explicate.mechanisms.circuits.reports import (
    CircuitTask,
    CompletenessReport,
    FaithfulnessReport,
    MinimalityReport,
    completeness,
    faithfulness,
    minimality,
)

__all__ = [
    "CircuitTask",
    "CircuitTest",
    "CompletenessReport",
    "Discovery",
    "FaithfulnessReport",
    "HeadCircuit",
    "HeadGroup",
    "KeptHeads",
    "MeanAblation",
    "MinimalityReport",
    "Overlap",
    "Stage",
    "check_circuit",
    "circuit_overlap",
    "completeness",
    "discover_circuit",
    "faithfulness",
    "minimality",
    "random_circuit",
]
