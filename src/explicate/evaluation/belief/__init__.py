"""Which parts of a model's reasons are true of it: attributions, edits and a reader for the same answers."""

from explicate.evaluation.belief.answering import OtherRespondent
from explicate.evaluation.belief.believing import believe
from explicate.evaluation.belief.evidence import AgainstOthers, WordEffects, answer_handle, word_effects
from explicate.evaluation.belief.parts import (
    CONTRADICTED,
    NOT_TESTED,
    SUPPORTED,
    UNDECIDED,
    VERDICTS,
    Claim,
    claims,
)
from explicate.evaluation.belief.reasons import read_reasons
from explicate.evaluation.belief.table import BeliefTable, Part, Prediction
from explicate.evaluation.belief.verdicts import Rule

__all__ = [
    "CONTRADICTED",
    "NOT_TESTED",
    "SUPPORTED",
    "UNDECIDED",
    "VERDICTS",
    "AgainstOthers",
    "BeliefTable",
    "Claim",
    "OtherRespondent",
    "Part",
    "Prediction",
    "Rule",
    "WordEffects",
    "answer_handle",
    "believe",
    "claims",
    "read_reasons",
    "word_effects",
]
