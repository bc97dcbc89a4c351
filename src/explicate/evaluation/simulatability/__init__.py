"""Simulation tests: do explanations help a reader predict what a model will do?

Source: Hase and Bansal (2020), "Evaluating Explainable AI: Which Algorithmic Explanations Help Users Predict Model
Behavior?", ACL, arXiv 2005.01831.
"""

from __future__ import annotations

from explicate.evaluation.simulatability.analysis import Effect, effects_frame, treatment_effect
from explicate.evaluation.simulatability.answers import Answer, answers_csv, answers_frame, answers_json
from explicate.evaluation.simulatability.batches import BatchSizes, draw_batches
from explicate.evaluation.simulatability.chat_reader import ChatReader
from explicate.evaluation.simulatability.explaining import METHODS, ExplanationSettings, ItemExplainer, make_study
from explicate.evaluation.simulatability.kit import load_study, read_filled, save_study
from explicate.evaluation.simulatability.readers import READERS, SimulatedReader, shuffled_explanations, simulate
from explicate.evaluation.simulatability.study import CounterfactualTest, ForwardTest, Item, Shown, SimulationStudy
from explicate.evaluation.simulatability.trained_reader import TrainedReader

__all__ = [
    "METHODS",
    "READERS",
    "Answer",
    "BatchSizes",
    "ChatReader",
    "CounterfactualTest",
    "Effect",
    "ExplanationSettings",
    "ForwardTest",
    "Item",
    "ItemExplainer",
    "Shown",
    "SimulatedReader",
    "SimulationStudy",
    "TrainedReader",
    "answers_csv",
    "answers_frame",
    "answers_json",
    "draw_batches",
    "effects_frame",
    "load_study",
    "make_study",
    "read_filled",
    "save_study",
    "shuffled_explanations",
    "simulate",
    "treatment_effect",
]
