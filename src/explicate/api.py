"""The verbs a user types: explain, load, rerun, write_report. (`compare`, `evaluate`: see `explicate.evaluation`.)"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core import registry
from explicate.core.capabilities import Differentiable
from explicate.core.explanation import Explanation
from explicate.core.kinds import Attribution
from explicate.core.targets import Contrast, Target
from explicate.errors import InputError
from explicate.models.loading import load_model, reload_model, resolve_model

if TYPE_CHECKING:
    from explicate.evaluation.comparison import Comparison

DEFAULT_METHODS = {"table": "kernel-shap", "image": "integrated-gradients", "text": "integrated-gradients"}


def explain(
    model: Any, inputs: Any, method: Any = "auto", *, target: Target = None, seed: int = 0, **parameters: Any
) -> Any:
    """Explain why `model` gives the scores that it gives for `inputs`; or, in words, why it gives its answers.

    Methods that explain in words ("self-refine", "reference-check") take a chat model, or text that names one, and
    items with choices or references; they give a `Narrative`.

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
    found = narrator(method, parameters)
    if found is not None:
        if target is not None:
            raise InputError(f"{found.name} explains the answer that the model gives; leave out the target")
        return found.asking(model).explain(inputs, seed=seed)
    model = resolve_model(model)
    return resolve_method(method, model, parameters).explain(model, inputs, target=target, seed=seed)


def narrates(method: Any) -> bool:
    """Whether a method, given by its name, class or itself, explains a model's answers in words."""
    return narrator(method, {}) is not None


def narrator(method: Any, parameters: dict[str, Any]) -> Any:
    """A method that explains answers in words, from its name, class or itself; None for all others."""
    from explicate.rationales.asking import Narrates

    if isinstance(method, str) and method != "auto":
        method = registry.find(method, "methods")
    if isinstance(method, type) and issubclass(method, Narrates):
        return method.from_parameters(parameters)
    if isinstance(method, Narrates):
        return replace(method, **parameters)
    return None


def resolve_method(method: Any, model: Any, parameters: dict[str, Any] | None = None) -> Any:
    """An explainer from a name, a class or an explainer."""
    parameters = parameters or {}
    if method == "auto":
        method = DEFAULT_METHODS[model.kind] if isinstance(model, Differentiable) else "kernel-shap"
    if isinstance(method, str):
        method = registry.find(method, "methods")
    if not hasattr(method, "explain") and not callable(method):
        raise InputError(f"{method!r} is no method; give a registered name, 'auto' or an Explainer")
    if isinstance(method, type) or not hasattr(method, "explain"):
        found = method.from_parameters(parameters) if parameters else method()
        return found
    if parameters:
        return replace(method, **parameters)
    return method


def load(path: str | Path) -> Any:
    """Read an explanation that `save` wrote."""
    return Explanation.load(path)


def write_report(comparison: Comparison, path: str | Path = "report.html", model: Any = None) -> Path:
    """Write a comparison as one self-contained HTML page: pictures, the table, and what to believe.

    Parameters
    ----------
    model : the handle that was explained, for its card.
    """
    from explicate.report.comparison import comparison_report

    return comparison_report(comparison, model).save(path)


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


def rerun(path: str | Path, model: Any = None, background: Any = None) -> Rerun:
    """Make an explanation again from its file alone: same method, parameters, inputs, target and seed.

    Parameters
    ----------
    model : needed only when the file does not say where the model comes from.
    background : typical rows for an estimator, an array, a data frame or the path of a table; needed only when the
        table that was given at first is gone or has changed.
    """
    before = Attribution.load(path)
    about = before.provenance
    if model is None:
        model = reload_model(about, background)
    elif isinstance(model, str | Path) and background is not None:
        model = load_model(model, background=background)
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
