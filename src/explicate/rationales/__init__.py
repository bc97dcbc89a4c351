"""Explanations that a chat model writes: rankings of features, narratives, and how they are asked for and read."""

from explicate.rationales.feedback import (
    AttributionFeedback,
    GivenWordFeedback,
    ImportantWordFeedback,
    NaturalLanguageFeedback,
    RandomWordFeedback,
)
from explicate.rationales.in_context_explainer import InContextExplainer, solved
from explicate.rationales.in_context_words import InContextWords
from explicate.rationales.neighbourhood import Neighbourhood
from explicate.rationales.rankings import parse_ranking
from explicate.rationales.reference_prompts import ReferenceCompletions, ReferencePrompts
from explicate.rationales.self_consistency import ReferenceChecker
from explicate.rationales.self_explanations import SelfExplainer
from explicate.rationales.self_refine import SelfRefiner
from explicate.rationales.several_explanations import SeveralExplanations

__all__ = [
    "AttributionFeedback",
    "GivenWordFeedback",
    "ImportantWordFeedback",
    "InContextExplainer",
    "InContextWords",
    "NaturalLanguageFeedback",
    "Neighbourhood",
    "RandomWordFeedback",
    "ReferenceChecker",
    "ReferenceCompletions",
    "ReferencePrompts",
    "SelfExplainer",
    "SelfRefiner",
    "SeveralExplanations",
    "parse_ranking",
    "solved",
]
