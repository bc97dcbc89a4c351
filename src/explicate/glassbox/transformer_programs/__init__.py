"""Transformer Programs: sequence models trained by gradient descent that convert exactly to readable Python."""

from __future__ import annotations

from explicate.glassbox.transformer_programs.model import RECIPE, TransformerProgram
from explicate.glassbox.transformer_programs.program import Program
from explicate.glassbox.transformer_programs.selection import Selection, best_of
from explicate.models.tiny.programs import TransformerProgramConfig

__all__ = ["RECIPE", "Program", "Selection", "TransformerProgram", "TransformerProgramConfig", "best_of"]
