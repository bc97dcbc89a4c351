"""Concept depth: at which layer a language model first holds a concept, and when it stops improving.

Source: Jin et al. (2025), "Exploring Concept Depth: How Large Language Models Acquire Knowledge and Concepts at
Different Layers?", COLING, arXiv 2404.07066.

    profile = ConceptDepth().run(explicate.load_model("smollm2-135m"), sentiment_task())
    profile.plot()
    print(depth_points(profile))
"""

from explicate.benchmarks.concept_depth.anchor import Anchor, anchor
from explicate.benchmarks.concept_depth.layer_bank import layer_bank
from explicate.benchmarks.concept_depth.loaders import DATA_SETS, load_task, table_task
from explicate.benchmarks.concept_depth.prompting import encoded
from explicate.benchmarks.concept_depth.study import ConceptDepth, DepthPoints, bag_of_words, depth_points
from explicate.benchmarks.concept_depth.summary import depth_table, difficulty_correlation, shifts
from explicate.benchmarks.concept_depth.tasks import (
    GENERATED,
    GROUPS,
    ProbingTask,
    capitals_task,
    coin_task,
    noisy,
    sentiment_task,
)

__all__ = [
    "DATA_SETS",
    "GENERATED",
    "GROUPS",
    "Anchor",
    "ConceptDepth",
    "DepthPoints",
    "ProbingTask",
    "anchor",
    "bag_of_words",
    "capitals_task",
    "coin_task",
    "depth_points",
    "depth_table",
    "difficulty_correlation",
    "encoded",
    "layer_bank",
    "load_task",
    "noisy",
    "sentiment_task",
    "shifts",
    "table_task",
]
