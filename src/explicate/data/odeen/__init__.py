"""Odeen: a small world of structures, a language of rules about them, and phenomena to explain."""

from explicate.data.odeen.grammar import WORDS, Connected, Counting, Rule, is_rule, parse
from explicate.data.odeen.observations import Observations, read_observations
from explicate.data.odeen.phenomena import (
    ODEEN_PAPER,
    ODEEN_SMALL,
    OdeenSplit,
    Phenomena,
    read_phenomena,
    write_phenomena,
)
from explicate.data.odeen.semantics import TruthTable, language, truth
from explicate.data.odeen.tables import TableMaker
from explicate.data.odeen.world import (
    CELLS,
    STRUCTURES,
    SYMBOLS,
    all_structures,
    encode_structures,
    structure_ids,
    structure_texts,
    symbol_features,
)

__all__ = [
    "CELLS",
    "ODEEN_PAPER",
    "ODEEN_SMALL",
    "STRUCTURES",
    "SYMBOLS",
    "WORDS",
    "Connected",
    "Counting",
    "Observations",
    "OdeenSplit",
    "Phenomena",
    "Rule",
    "TableMaker",
    "TruthTable",
    "all_structures",
    "encode_structures",
    "is_rule",
    "language",
    "parse",
    "read_observations",
    "read_phenomena",
    "structure_ids",
    "structure_texts",
    "symbol_features",
    "truth",
    "write_phenomena",
]
