"""Transformer Programs: sequence models trained by gradient descent that convert exactly to readable Python."""

from __future__ import annotations

from explicate.glassbox.transformer_programs.model import RECIPE, TransformerProgram
from explicate.glassbox.transformer_programs.program import Program
from explicate.models.tiny.programs import TransformerProgramConfig

__all__ = ["RECIPE", "Program", "TransformerProgram", "TransformerProgramConfig"]
