"""explicate: explain a model, check the explanation, act on it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from explicate.api import explain, load, rerun, write_report
    from explicate.core.explanation import Explanation
    from explicate.core.interventions import Ablate, Edit, Interchange, Patch, Project, Scale, Steer
    from explicate.core.kinds import (
        Attribution,
        Circuit,
        Concepts,
        Counterfactuals,
        Direction,
        Effects,
        Narrative,
        Profile,
        Rules,
        SemanticProbeReport,
    )
    from explicate.core.registry import register
    from explicate.core.sites import Site
    from explicate.core.targets import Contrast
    from explicate.evaluation.comparison import compare
    from explicate.evaluation.metric import evaluate
    from explicate.mechanisms import (
        LinearProbe,
        capture_shards,
        check_circuit,
        effects_of,
        estimate_patches,
        layer_profile,
        patch_paths,
        sweep,
    )
    from explicate.models.chat import LocalChat, RemoteChat, ScriptedChat, open_chat
    from explicate.models.language import LanguageModel
    from explicate.models.loading import load_model
    from explicate.models.tabular import TabularModel
    from explicate.models.torch_tabular import TorchTabularModel
    from explicate.models.vision import VisionModel

# name -> module; nothing is imported before it is used, so `import explicate` stays fast and free of torch
_HOMES = {
    "Patch": "explicate.core.interventions",
    "Ablate": "explicate.core.interventions",
    "Steer": "explicate.core.interventions",
    "Scale": "explicate.core.interventions",
    "Project": "explicate.core.interventions",
    "Edit": "explicate.core.interventions",
    "Interchange": "explicate.core.interventions",
    "Attribution": "explicate.core.kinds",
    "Circuit": "explicate.core.kinds",
    "Concepts": "explicate.core.kinds",
    "Contrast": "explicate.core.targets",
    "Counterfactuals": "explicate.core.kinds",
    "Direction": "explicate.core.kinds",
    "DoseResponse": "explicate.core.kinds",
    "Effects": "explicate.core.kinds",
    "Explanation": "explicate.core.explanation",
    "Narrative": "explicate.core.kinds",
    "Profile": "explicate.core.kinds",
    "Rules": "explicate.core.kinds",
    "SemanticProbeReport": "explicate.core.kinds",
    "Site": "explicate.core.sites",
    "LanguageModel": "explicate.models.language",
    "LocalChat": "explicate.models.chat",
    "RemoteChat": "explicate.models.chat",
    "ScriptedChat": "explicate.models.chat",
    "open_chat": "explicate.models.chat",
    "TabularModel": "explicate.models.tabular",
    "TorchTabularModel": "explicate.models.torch_tabular",
    "VisionModel": "explicate.models.vision",
    "LinearProbe": "explicate.mechanisms",
    "capture_shards": "explicate.mechanisms",
    "layer_profile": "explicate.mechanisms",
    "estimate_patches": "explicate.mechanisms",
    "check_circuit": "explicate.mechanisms",
    "compare": "explicate.evaluation.comparison",
    "dose_response": "explicate.evaluation.dose_response",
    "effects_of": "explicate.mechanisms",
    "evaluate": "explicate.evaluation.metric",
    "explain": "explicate.api",
    "load": "explicate.api",
    "load_model": "explicate.models.loading",
    "patch_paths": "explicate.mechanisms",
    "read_directions": "explicate.mechanisms.steering",
    "register": "explicate.core.registry",
    "rerun": "explicate.api",
    "steer": "explicate.mechanisms.steering",
    "sweep": "explicate.mechanisms",
    "write_report": "explicate.api",
}

__all__ = [
    "Ablate",
    "Attribution",
    "Circuit",
    "Concepts",
    "Contrast",
    "Counterfactuals",
    "Direction",
    "DoseResponse",
    "Edit",
    "Effects",
    "Explanation",
    "Interchange",
    "LanguageModel",
    "LinearProbe",
    "LocalChat",
    "Narrative",
    "Patch",
    "Profile",
    "Project",
    "RemoteChat",
    "Rules",
    "Scale",
    "ScriptedChat",
    "SemanticProbeReport",
    "Site",
    "Steer",
    "TabularModel",
    "TorchTabularModel",
    "VisionModel",
    "__version__",
    "capture_shards",
    "check_circuit",
    "compare",
    "dose_response",
    "effects_of",
    "estimate_patches",
    "evaluate",
    "explain",
    "layer_profile",
    "load",
    "load_model",
    "open_chat",
    "patch_paths",
    "read_directions",
    "register",
    "rerun",
    "steer",
    "sweep",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'explicate' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
