"""Structural recursion: inductive types, recursive functions, their reduction, and machines that emulate them."""

from explicate.data.recursion.encoding import Encoding, Malformed
from explicate.data.recursion.expressions import Build, Call, Expression, Names, Variable, text_of, words_of
from explicate.data.recursion.functions import Equation, RecursiveFunction
from explicate.data.recursion.machines import Machine, Move, Moved, Rule, State
from explicate.data.recursion.reduction import Reduction, redex, reduce, step, trace
from explicate.data.recursion.successor import NATURAL, POSITIVE, REVERSED, SUCCESSOR, successor_machine
from explicate.data.recursion.trees import INORDER, POSTORDER, PREORDER, TREE, TREE_WORDS, traversal_machine
from explicate.data.recursion.types import Constructor, InductiveType, Term, height

__all__ = [
    "INORDER",
    "NATURAL",
    "POSITIVE",
    "POSTORDER",
    "PREORDER",
    "REVERSED",
    "SUCCESSOR",
    "TREE",
    "TREE_WORDS",
    "Build",
    "Call",
    "Constructor",
    "Encoding",
    "Equation",
    "Expression",
    "InductiveType",
    "Machine",
    "Malformed",
    "Move",
    "Moved",
    "Names",
    "RecursiveFunction",
    "Reduction",
    "Rule",
    "State",
    "Term",
    "Variable",
    "height",
    "redex",
    "reduce",
    "step",
    "successor_machine",
    "text_of",
    "trace",
    "traversal_machine",
    "words_of",
]
