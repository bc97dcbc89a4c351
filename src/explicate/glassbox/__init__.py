"""Models that are readable by design: their explanation is the model itself, and can be replayed."""

from __future__ import annotations

from explicate.glassbox.catalog import catalog, recommend
from explicate.glassbox.contract import GlassBox, check_glass_box, replay

__all__ = ["GlassBox", "catalog", "check_glass_box", "recommend", "replay"]
