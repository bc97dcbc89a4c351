"""A study of any table of two classes: models trained, batches drawn, all explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.data.categorical_adult import categorical_adult
from explicate.data.ranges import table_in_ranges
from explicate.data.table import Table
from explicate.errors import InputError
from explicate.evaluation.simulatability.batches import BatchSizes
from explicate.evaluation.simulatability.explaining import (
    METHODS,
    NEEDS_PROTOTYPES,
    ItemExplainer,
    accuracies,
    make_study,
)
from explicate.evaluation.simulatability.study import SimulationStudy
from explicate.glassbox.prototypes.nearest import NearestPrototype
from explicate.models.tiny.categories import BOTTLENECK, CategoryModel, CategoryRecipe, trained_categories
from explicate.runtime.seeds import generator

FEW_ROWS = 3000  # below this, prototypes are fewer and learning is by smaller batches


@dataclass(frozen=True)
class Parts:
    """A table in three parts, each with as many rows of one class as of the other."""

    training: Table
    development: Table
    test: Table


@dataclass(frozen=True)
class StudyModels:
    """The task model, the prototype model, and the prototypes in the task model's own latent space.

    Attributes
    ----------
    accuracy : of the task model and the prototype models on the balanced test part.
    """

    task: CategoryModel
    prototypes: NearestPrototype | None
    frozen: NearestPrototype | None
    accuracy: dict[str, float]

    def explainer(self) -> ItemExplainer:
        """What explains the cases of a study."""
        return ItemExplainer(self.task, self.prototypes, self.frozen)


def adult_parts(seed: int = 0) -> Parts:
    """Adult as categories: the publishers' training part for training and development, their test part for tests."""
    training, development = categorical_adult("train", seed).split(0.1, seed)
    return Parts(training, development, categorical_adult("test", seed))


def table_parts(table: Table, seed: int = 0) -> Parts:
    """Any table of two classes, numbers cut into ranges and classes balanced: 60 % to learn from, 20 and 20."""
    if table.task != "classification" or table.classes != 2:
        raise InputError(f"a study needs two classes; the table {table.name!r} has {table.classes or 'none'}")
    rows = generator(seed, "balance").permutation(len(table))
    few = int(np.bincount(table.labels, minlength=2).min())
    kept = np.sort(np.concatenate([rows[table.labels[rows] == label][:few] for label in (0, 1)]))
    rest, test = table_in_ranges(table).take(kept).split(0.2, seed)
    training, development = rest.split(0.25, seed)
    return Parts(training, development, test)


def train_study_models(
    parts: Parts,
    methods: Sequence[str] = METHODS,
    *,
    seed: int = 0,
    recipe: CategoryRecipe | None = None,
    **prototypes: Any,
) -> StudyModels:
    """The models that a study of these methods needs.

    Parameters
    ----------
    recipe : of the task model and of the network that the prototypes start from. prototypes : parameters of
        `NearestPrototype`; here only `trusted` rows become prototypes, other than in the source.
    """  # fmt: skip
    small = len(parts.training) < FEW_ROWS
    recipe = recipe or CategoryRecipe(batch=100 if small else 1000, seed=seed)
    how: dict[str, Any] = {"seed": seed, "batch": recipe.batch, "trusted": True, **prototypes}
    if small:
        how.setdefault("prototypes", 8)
    task = trained_categories(parts.training, parts.development, recipe)
    own = frozen = None
    if any(method in NEEDS_PROTOTYPES for method in methods):
        start = trained_categories(parts.training, parts.development, recipe, BOTTLENECK)
        own = NearestPrototype(**how).fit(start, parts.training, parts.development)
    if "composite" in methods:
        frozen = NearestPrototype(**{**how, "frozen": True}).fit(task, parts.training, parts.development)
    models = {"task": task, "prototypes": own, "frozen prototypes": frozen}
    return StudyModels(task, own, frozen, accuracies(models, parts.test.values(), parts.test.labels))


def table_study(
    parts: Parts,
    models: StudyModels,
    methods: Sequence[str] = METHODS,
    *,
    sizes: BatchSizes | None = None,
    seed: int = 0,
    **texts: Any,
) -> SimulationStudy:
    """The study itself; see `make_study`."""
    return make_study(
        models.explainer(), parts.development, parts.test, methods=methods, sizes=sizes, seed=seed, **texts
    )
