"""The layers of Transformer Programs, whose every choice is discrete; see `explicate.glassbox.transformer_programs`.

They are not in that folder because looking up a glass box imports all its files, which must not load torch.
"""

from __future__ import annotations

from explicate.models.tiny.programs.config import TransformerProgramConfig

__all__ = ["TransformerProgramConfig"]
