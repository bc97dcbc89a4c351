"""Models that are readable by design: their explanation is the model itself, and can be replayed."""

from __future__ import annotations

from explicate.glassbox.contract import GlassBox, check_glass_box, replay

__all__ = ["GlassBox", "check_glass_box", "replay"]
