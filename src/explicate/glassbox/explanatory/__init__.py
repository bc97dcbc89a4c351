"""Explanatory Learning: find the rule behind a new phenomenon, state it, and predict by what it says."""

from __future__ import annotations

from explicate.glassbox.explanatory.baselines import EmpiricistBaseline
from explicate.glassbox.explanatory.beam import Conjecture, beam_search
from explicate.glassbox.explanatory.configurations import PAPER, SMALL, Configuration, odeen_network
from explicate.glassbox.explanatory.conjectures import ConjectureGenerator
from explicate.glassbox.explanatory.criticism import Verdict, criticise
from explicate.glassbox.explanatory.explanation import Conjectures
from explicate.glassbox.explanatory.interpreter import RuleInterpreter
from explicate.glassbox.explanatory.network import CriticalRationalistNetwork, interpreter_of
from explicate.glassbox.explanatory.shapes import NetworkShape
from explicate.glassbox.explanatory.words import Words

__all__ = [
    "PAPER",
    "SMALL",
    "Configuration",
    "Conjecture",
    "ConjectureGenerator",
    "Conjectures",
    "CriticalRationalistNetwork",
    "EmpiricistBaseline",
    "NetworkShape",
    "RuleInterpreter",
    "Verdict",
    "Words",
    "beam_search",
    "criticise",
    "interpreter_of",
    "odeen_network",
]
