"""The circuit by which a language model answers from its context, and the heads that point at what it copies."""

from explicate.mechanisms.qa_circuit.attribution_heads import HeadRanking, rank_heads
from explicate.mechanisms.qa_circuit.indirect import IndirectPaths, indirect_paths
from explicate.mechanisms.qa_circuit.nodes import DirectPaths, Selection, select_greedy
from explicate.mechanisms.qa_circuit.probe_sets import ProbeSet, copy_probes, memory_probes, subject_probes
from explicate.mechanisms.qa_circuit.validation import accuracy_without, random_circuits

__all__ = [
    "DirectPaths",
    "HeadRanking",
    "IndirectPaths",
    "ProbeSet",
    "Selection",
    "accuracy_without",
    "copy_probes",
    "indirect_paths",
    "memory_probes",
    "random_circuits",
    "rank_heads",
    "select_greedy",
    "subject_probes",
]
