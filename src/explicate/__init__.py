"""explicate: explain a model, check the explanation, act on it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from explicate.core.explanation import Explanation
    from explicate.core.kinds import (
        Attribution,
        Circuit,
        Concepts,
        Counterfactuals,
        Direction,
        Narrative,
        Rules,
    )
    from explicate.core.registry import register
    from explicate.core.sites import Site
    from explicate.core.targets import Contrast
    from explicate.models.tabular import TabularModel

# name -> module; nothing is imported before it is used, so `import explicate` stays fast and free of torch
_HOMES = {
    "Attribution": "explicate.core.kinds",
    "Circuit": "explicate.core.kinds",
    "Concepts": "explicate.core.kinds",
    "Contrast": "explicate.core.targets",
    "Counterfactuals": "explicate.core.kinds",
    "Direction": "explicate.core.kinds",
    "Explanation": "explicate.core.explanation",
    "Narrative": "explicate.core.kinds",
    "Rules": "explicate.core.kinds",
    "Site": "explicate.core.sites",
    "TabularModel": "explicate.models.tabular",
    "register": "explicate.core.registry",
}

__all__ = [
    "Attribution",
    "Circuit",
    "Concepts",
    "Contrast",
    "Counterfactuals",
    "Direction",
    "Explanation",
    "Narrative",
    "Rules",
    "Site",
    "TabularModel",
    "__version__",
    "register",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'explicate' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
