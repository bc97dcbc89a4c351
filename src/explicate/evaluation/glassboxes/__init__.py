"""Readable models beside black boxes on a table: how often each is right, how much there is to read, what it costs."""

from __future__ import annotations

from explicate.evaluation.glassboxes.comparison import compare_glassboxes
from explicate.evaluation.glassboxes.contestants import Contestant, contestants
from explicate.evaluation.glassboxes.result import GlassBoxComparison, Standing
from explicate.evaluation.glassboxes.verdict import Verdict, verdict

__all__ = ["Contestant", "GlassBoxComparison", "Standing", "Verdict", "compare_glassboxes", "contestants", "verdict"]
