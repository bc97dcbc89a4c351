"""The Odeen benchmark: scores of stated rules and of tags on phenomena that no network has seen."""

from __future__ import annotations

from explicate.benchmarks.odeen.scores import (
    equivalent,
    first_equivalent,
    nearest_rule_score,
    nearest_rules,
    random_floor,
    tag_scores,
)
from explicate.benchmarks.odeen.study import (
    BEAMS,
    empiricist_scores,
    interpreter_scores,
    network_scores,
    probed_structures,
    true_reader,
)

__all__ = [
    "BEAMS",
    "empiricist_scores",
    "equivalent",
    "first_equivalent",
    "interpreter_scores",
    "nearest_rule_score",
    "nearest_rules",
    "network_scores",
    "probed_structures",
    "random_floor",
    "tag_scores",
    "true_reader",
]
