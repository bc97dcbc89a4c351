"""Explanations that a chat model writes: rankings of features, narratives, and how they are asked for and read."""

from explicate.rationales.in_context_explainer import InContextExplainer, solved
from explicate.rationales.in_context_words import InContextWords
from explicate.rationales.neighbourhood import Neighbourhood
from explicate.rationales.rankings import parse_ranking

__all__ = ["InContextExplainer", "InContextWords", "Neighbourhood", "parse_ranking", "solved"]
