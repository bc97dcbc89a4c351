"""Algorithmic tasks on sequences, and named entities: what Transformer Programs and their baselines are scored on."""

from __future__ import annotations

from explicate.benchmarks.rasp.scoring import (
    asked_accuracy,
    entity_f1,
    most_frequent_tag,
    token_accuracy,
    unigram_table,
)
from explicate.benchmarks.rasp.study import PUBLISHED, TaskResult, known_words, study_task

__all__ = [
    "PUBLISHED",
    "TaskResult",
    "asked_accuracy",
    "entity_f1",
    "known_words",
    "most_frequent_tag",
    "study_task",
    "token_accuracy",
    "unigram_table",
]
