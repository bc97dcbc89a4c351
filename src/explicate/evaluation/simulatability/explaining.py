"""Studies from models: balanced batches, and every case explained by every method, as texts and as `Narrative`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import xarray as xr

from explicate.attribution.anchors import Anchor
from explicate.attribution.conditional_omission import ConditionalOmission
from explicate.attribution.lime_tabular import LIME
from explicate.core.capabilities import Array, Floats, Targets
from explicate.core.explanation import Explanation
from explicate.core.kinds import Narrative
from explicate.core.provenance import Provenance
from explicate.core.registry import unknown
from explicate.counterfactuals.decision_boundary import DecisionBoundary
from explicate.data.table import Table
from explicate.errors import InputError
from explicate.evaluation.simulatability import layout
from explicate.evaluation.simulatability.batches import Batches, BatchSizes, draw_batches
from explicate.evaluation.simulatability.study import Item, SimulationStudy

METHODS = ("lime", "anchor", "decision-boundary", "prototype", "composite")
ALONE = "omission"  # importance alone: shown where it is asked for
NEEDS_PROTOTYPES = ("prototype", "composite")


@dataclass(frozen=True)
class ExplanationSettings:
    """The parameters of the methods; defaults are the source's.

    Parameters
    ----------
    lime : a linear model of P(second class) with 5 features of 5,000 samples.
    anchor, boundary, omission : as their classes say.
    """

    lime: LIME = field(default_factory=lambda: LIME(samples=5000, kept=5))
    anchor: Anchor = field(default_factory=Anchor)
    boundary: DecisionBoundary = field(default_factory=DecisionBoundary)
    omission: ConditionalOmission = field(default_factory=ConditionalOmission)


@dataclass(frozen=True)
class ItemExplainer:
    """Explains rows by the methods of a study; what several of them need is made once.

    Parameters
    ----------
    model : the task model, a classifier of two classes on table rows.
    prototypes : the prototype model for the "prototype" method, which is read from its own reasoning.
    frozen : the one for "composite", on the task model's own latent space; by default `prototypes`.
    """

    model: Any
    prototypes: Any = None
    frozen: Any = None
    settings: ExplanationSettings = field(default_factory=ExplanationSettings)

    def texts(self, methods: Sequence[str], rows: Array, seed: int = 0) -> dict[str, Narrative]:
        """Method -> the explanations of the model's predictions of rows (sample, feature), as people read them.

        Raises
        ------
        InputError : a method that is unknown, or that needs a prototype model where there is none.
        """
        for method in methods:
            if method not in (*METHODS, ALONE):
                raise unknown(method, [*METHODS, ALONE], "explanation method of studies")
            if method in NEEDS_PROTOTYPES and self.prototypes is None:
                raise InputError(f"the method {method!r} needs a prototype model: give prototypes=")
        classes = tuple(self.model.output_name(index) for index in range(2))
        made: dict[str, Explanation] = {}
        lists: dict[str, list[str]] = {}
        wanted = set(methods) | ({"lime", "anchor", "decision-boundary"} if "composite" in methods else set())
        settings, samples = self.settings, range(len(rows))
        if "lime" in wanted:
            made["lime"] = found = settings.lime.explain(Probabilities(self.model), rows, target=1, seed=seed)
            lists["lime"] = [layout.lime_text(found, sample, classes) for sample in samples]
        if "anchor" in wanted:
            made["anchor"] = rules = settings.anchor.explain(self.model, rows, seed=seed)
            precision = settings.anchor.precision
            lists["anchor"] = [layout.anchor_text(rules, sample, precision) for sample in samples]
        if "decision-boundary" in wanted:
            made["decision-boundary"] = paths = settings.boundary.explain(self.model, rows, seed=seed)
            lists["decision-boundary"] = [layout.boundary_text(paths, sample, classes) for sample in samples]
        if "prototype" in wanted:
            made["prototype"], lists["prototype"] = self._cases(self.prototypes, rows, classes, seed)
        if "composite" in wanted:
            made["composite"], cases = self._cases(self.frozen or self.prototypes, rows, classes, seed)
            parts = zip(lists["lime"], lists["anchor"], lists["decision-boundary"], cases, strict=True)
            lists["composite"] = [layout.composite_text(*own) for own in parts]
        if ALONE in wanted:
            made[ALONE] = alone = settings.omission.explain(self.model, rows, seed=seed)
            lists[ALONE] = [layout.omission_text(alone, sample, classes) for sample in samples]
        return {method: narrative(method, lists[method], made[method].provenance) for method in methods}

    def _cases(self, model: Any, rows: Array, classes: tuple[str, ...], seed: int) -> tuple[Explanation, list[str]]:
        found = model.explain(rows)
        omission = self.settings.omission.explain(model, rows, seed=seed)
        return found, [layout.prototype_text(found, omission, sample, classes) for sample in range(len(rows))]


class Explains(Protocol):
    """What explains the cases of a study: of rows, `ItemExplainer`."""

    def texts(self, methods: Sequence[str], rows: Any, seed: int = 0) -> dict[str, Narrative]:
        """Method -> the explanations of the model's predictions, as people read them."""


class Probabilities:
    """A model of logits, or of probabilities, seen through its probabilities; LIME explains P(second class)."""

    def __init__(self, model: Any) -> None:
        self.inner = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def predict(self, inputs: Array) -> Floats:
        """(sample, class) probabilities."""
        count = self.inner.output_count
        each = [self.inner.probabilities(inputs, np.full(len(inputs), target)) for target in range(count)]
        return np.stack(each, axis=1)

    def scores(self, inputs: Array, targets: Targets) -> Floats:
        """The targets' probabilities (sample,)."""
        return np.asarray(self.inner.probabilities(inputs, targets), dtype=float)


def make_study(
    explainer: ItemExplainer,
    development: Table,
    test: Table,
    *,
    methods: Sequence[str] = METHODS,
    sizes: BatchSizes | None = None,
    seed: int = 0,
    **texts: Any,
) -> SimulationStudy:
    """Balanced batches of a table model's cases, explained by each method.

    Parameters
    ----------
    development, test : tables that learning cases, and cases to predict, are drawn from; the models must not have been
        trained on them.
    texts : title, introduction, consent, thing, planted of the `SimulationStudy`.

    Raises
    ------
    InputError : see `draw_batches` and `ItemExplainer.texts`.
    """
    batches = draw_batches(
        explainer.model, development, test, second=explainer.prototypes, sizes=sizes, seed=seed
    )  # fmt: skip
    first, second = test.class_names
    return study_of(batches, explainer, (first, second), methods, seed, **texts)


def study_of(
    batches: Batches, explainer: Explains, classes: tuple[str, str], methods: Sequence[str], seed: int = 0, **texts: Any
) -> SimulationStudy:
    """The study of some batches; see `make_study`."""
    groups = []
    for items, rows in (
        (batches.learning, batches.learning_rows),
        (batches.counterfactual, batches.counterfactual_rows),
    ):
        narratives = explainer.texts(methods, rows, seed) if len(rows) else {}
        each = {method: [str(text) for text in found["text"].values] for method, found in narratives.items()}
        groups.append(_explained(items, each))
    return SimulationStudy(classes, tuple(methods), groups[0], batches.forward, groups[1], **texts)


def _explained(items: Sequence[Item], each: dict[str, list[str]]) -> tuple[Item, ...]:
    return tuple(
        dataclasses.replace(item, explanations={method: texts[place] for method, texts in each.items()})
        for place, item in enumerate(items)
    )


def accuracies(models: Mapping[str, Any], inputs: Array, labels: Array) -> dict[str, float]:
    """The accuracy of each model on encoded cases, of those that there are."""
    return {
        name: float((model.predict(inputs).argmax(axis=1) == labels).mean())
        for name, model in models.items()
        if model is not None
    }


def narrative(method: str, texts: Sequence[str], origin: Provenance) -> Narrative:
    """Explanations by one method as people read them."""
    data = xr.Dataset({"text": ("sample", np.array(list(texts), dtype=object))}, attrs={"layout": method})
    return Narrative(data, origin)
