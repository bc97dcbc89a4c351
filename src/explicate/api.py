"""The verbs a user types: explain, load, rerun. (`compare` and `evaluate` live in `explicate.evaluation`.)"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from explicate.core import registry
from explicate.core.capabilities import Differentiable, Generator, Predictor, require
from explicate.core.explanation import Explanation
from explicate.core.kinds import Attribution
from explicate.core.targets import Contrast, Target
from explicate.errors import CapabilityError, InputError

DEFAULT_METHODS = {"table": "kernel-shap", "image": "integrated-gradients", "text": "integrated-gradients"}


def explain(
    model: Any, inputs: Any, method: Any = "auto", *, target: Target = None, seed: int = 0, **parameters: Any
) -> Attribution:
    """Explain why `model` gives the scores that it gives for `inputs`.

    Parameters
    ----------
    model : a handle (`TabularModel`, `VisionModel`, `LanguageModel`, the zoo's), or text that `load_model` understands.
    inputs : rows, pictures or texts, as the model takes them.
    method : a registered name (`explicate.core.registry.names("methods")`), an `Explainer`, or "auto": kernel-shap for
        tables and for models without gradients, integrated-gradients for the rest.
    target : output index, name or `Contrast`; default: the highest score of each input.
    seed : all randomness comes from it.
    parameters : fields of the method, when it is given by name.
    """
    model = resolve_model(model)
    return resolve_method(method, model, parameters).explain(model, inputs, target=target, seed=seed)


def resolve_model(model: Any) -> Any:
    """A handle from a handle or from text; raw estimators are refused with the line that wraps them."""
    if isinstance(model, str | Path):
        from explicate.models.loading import load_model

        return load_model(str(model))
    if isinstance(model, Generator) and not isinstance(model, Predictor):
        require(model, Predictor, "an attribution", "it writes text: ask it, or give the folder of a model held here")
    if not isinstance(model, Predictor):
        raise CapabilityError(
            f"{type(model).__name__} is no model handle; wrap it first, for example "
            "explicate.TabularModel(model, background_rows)"
        )
    return model


def resolve_method(method: Any, model: Any, parameters: dict[str, Any] | None = None) -> Any:
    """An explainer from a name, a class or an explainer."""
    parameters = parameters or {}
    if method == "auto":
        method = DEFAULT_METHODS[model.kind] if isinstance(model, Differentiable) else "kernel-shap"
    if isinstance(method, str):
        method = registry.find(method, "methods")
    if isinstance(method, type) or not hasattr(method, "explain"):
        found = method.from_parameters(parameters) if parameters else method()
        return found
    if parameters:
        return replace(method, **parameters)
    return method


def load(path: str | Path) -> Any:
    """Read an explanation that `save` wrote."""
    return Explanation.load(path)


@dataclass(frozen=True)
class Rerun:
    """An explanation made again.

    Attributes
    ----------
    before, after : the stored explanation, and the new one.
    largest_difference : of the main variable, in its units. largest_value : its largest size, to compare with.
    same_model : whether the model's fingerprint is the stored one.
    """

    before: Attribution
    after: Attribution
    largest_difference: float
    largest_value: float
    same_model: bool

    @property
    def equal(self) -> bool:
        """Whether the values agree to float32 tolerance, relative to the largest."""
        return self.largest_difference <= 1e-5 * max(self.largest_value, 1e-12)


def rerun(path: str | Path, model: Any = None) -> Rerun:
    """Make an explanation again from its file alone: same method, parameters, inputs, target and seed.

    Parameters
    ----------
    model : needed only when the file does not say where the model comes from.
    """
    before = Attribution.load(path)
    about = before.provenance
    if model is None:
        if about.model_source is None:
            raise InputError(f"{path} does not say where the model {about.model!r} comes from; give it as `model`")
        model = about.model_source
    model = resolve_model(model)
    explainer = registry.find(about.method, "methods").from_parameters(about.parameters)
    targets = before.targets
    target: Any = [int(t) for t in targets] if targets.ndim == 1 else [Contrast(int(a), int(b)) for a, b in targets]
    after = explainer.explain(model, before["inputs"].values, target=target, seed=about.seed)
    if after.values.shape != before.values.shape:
        raise InputError(f"the model {about.model!r} now gives attributions of another shape; is it another version?")
    return Rerun(
        before,
        after,
        float(np.abs(after.values - before.values).max()),
        float(np.abs(before.values).max()),
        after.provenance.model_fingerprint == about.model_fingerprint,
    )
