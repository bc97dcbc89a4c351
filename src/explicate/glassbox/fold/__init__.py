"""FOLD-SE: default rules with exceptions, a stratified logic program learned from a table as it is."""

from __future__ import annotations

from explicate.glassbox.fold.estimator import FoldSEClassifier, FoldSEMulticlassClassifier
from explicate.glassbox.fold.normal_form import Counts
from explicate.glassbox.fold.program import Program
from explicate.glassbox.fold.proofs import Proof
from explicate.glassbox.fold.rules import Literal, Rule

__all__ = ["Counts", "FoldSEClassifier", "FoldSEMulticlassClassifier", "Literal", "Program", "Proof", "Rule"]
