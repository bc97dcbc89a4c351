"""Algorithmic tasks on sequences, and texts: what Transformer Programs and their baselines are scored on."""

from __future__ import annotations

from explicate.benchmarks.rasp.rivals import standard_tags, word_count_classes
from explicate.benchmarks.rasp.scoring import entity_f1, most_frequent_tag, token_accuracy, unigram_table
from explicate.benchmarks.rasp.study import PUBLISHED, TaskResult, study_task
from explicate.benchmarks.rasp.texts import CLASS_RECIPE, ENTITY_RECIPE, TextResult, known_words, study_texts

__all__ = [
    "CLASS_RECIPE",
    "ENTITY_RECIPE",
    "PUBLISHED",
    "TaskResult",
    "TextResult",
    "entity_f1",
    "known_words",
    "most_frequent_tag",
    "standard_tags",
    "study_task",
    "study_texts",
    "token_accuracy",
    "unigram_table",
    "word_count_classes",
]
