"""What "absent" means and who the players are, where the user does not say: by the kind of model."""

from __future__ import annotations

from typing import Any

from explicate.attribution.missingness import Marginal, Missingness, Zero
from explicate.attribution.players import Each, Grid, Partition
from explicate.core import registry


def default_missingness(model: Any) -> Missingness:
    """Tables: other rows of the background (0 without one). Images: a blurred copy. Texts: the token is left out."""
    if model.kind == "table":
        return Marginal() if getattr(model, "background", None) is not None else Zero()
    found: Missingness = registry.find("blur" if model.kind == "image" else "deletion", "parts")()
    return found


def default_partition(model: Any) -> Partition:
    """Tables and texts: every column or token. Images: a grid of 7 x 7."""
    return Grid() if model.kind == "image" else Each()
