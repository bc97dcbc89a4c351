"""Small networks over tables of categories, with the space before their last layer in the open.

Source of the sizes and the training: Hase and Bansal (2020), arXiv 2005.01831, appendix.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.data.table import Table
from explicate.errors import InputError
from explicate.models.tiny.training import descend
from explicate.models.torch_tabular import TorchTabularModel
from explicate.runtime.seeds import derive_seed, generator

if TYPE_CHECKING:
    import torch

HIDDEN = (50, 50)
BOTTLENECK = 16


def category_network(counts: tuple[int, ...], classes: int = 2, bottleneck: int | None = None) -> torch.nn.Module:
    """An untrained network: one-hot columns, two hidden layers of 50 with ReLU, perhaps a narrow sigmoid layer, logits.

    Parameters
    ----------
    counts : categories of each column; inputs are their codes (row, column). classes : outputs.
    bottleneck : width of a sigmoid layer before the last one; None leaves it out.
    """
    import torch
    from torch import nn

    class CategoryNetwork(nn.Module):
        starts: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            width = sum(counts)
            starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
            self.register_buffer("starts", torch.as_tensor(starts, dtype=torch.int64), persistent=False)
            self.width = width
            self.first = nn.Linear(width, HIDDEN[0])
            layers: list[nn.Module] = [nn.ReLU(), nn.Linear(*HIDDEN), nn.ReLU()]
            if bottleneck is not None:
                layers += [nn.Linear(HIDDEN[1], bottleneck), nn.Sigmoid()]
            self.rest = nn.Sequential(*layers)
            self.last = nn.Linear(bottleneck or HIDDEN[1], classes)

        def latent(self, codes: torch.Tensor) -> torch.Tensor:
            columns = torch.zeros(len(codes), self.width).scatter_(1, codes.long() + self.starts, 1.0)
            return self.rest(self.first(columns))

        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            return self.last(self.latent(codes))

    return CategoryNetwork()


class CategoryModel(TorchTabularModel):
    """A handle on a network of `category_network`; scores are logits."""

    def latent(self, inputs: Array) -> Floats:
        """What the last layer reads (row, width)."""
        return latents(self.module, inputs)


def latents(module: Any, inputs: Array) -> Floats:
    """The space before the last layer of a category network (row, width), float64."""
    import torch

    with torch.no_grad():
        return np.asarray(module.latent(torch.as_tensor(np.asarray(inputs))).double().numpy())


@dataclass(frozen=True)
class CategoryRecipe:
    """How a category network is trained: Adam, and the weights of the epoch with the best accuracy on other rows.

    Parameters
    ----------
    epochs : at most. patience : epochs without a better accuracy after which the training ends.
    learning_rate, batch : of Adam. seed : of the first weights and of the order of the rows.
    """

    epochs: int = 300
    patience: int = 150
    learning_rate: float = 1e-3
    batch: int = 1000
    seed: int = 0


def trained_categories(
    training: Table, development: Table, recipe: CategoryRecipe | None = None, bottleneck: int | None = None
) -> CategoryModel:
    """A network trained on a table of categories; the accuracy on `development` chooses the epoch.

    Raises
    ------
    InputError : a column that is no category, no labels, or tables that differ in columns.
    """
    import torch

    recipe = recipe or CategoryRecipe()
    counts = category_counts(training)
    if development.features != training.features:
        raise InputError("training and development rows must have the same columns and categories")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "weights"))
        module = category_network(counts, training.classes, bottleneck)
    x, y = torch.as_tensor(training.values()), torch.as_tensor(training.labels)
    watch = BestWeights(module, development.values(), development.labels, recipe.patience)
    module.train()
    descend(
        torch.optim.Adam(module.parameters(), recipe.learning_rate),
        lambda rows: torch.nn.functional.cross_entropy(module(x[rows]), y[rows]),
        len(x),
        epochs=recipe.epochs,
        batch=recipe.batch,
        rng=generator(recipe.seed, "order"),
        name="a category network",
        after_epoch=watch,
    )
    watch.restore()
    return CategoryModel(
        module.eval(),
        training.frame,
        features=training.features,
        class_names=training.class_names,
        name=f"category network on {training.name}",
    )


class BestWeights:
    """Called after each epoch: keeps the weights that do best on other rows, and ends the training after `patience`."""

    def __init__(self, module: torch.nn.Module, inputs: Array, labels: Array, patience: int) -> None:
        self.module, self.inputs, self.labels, self.patience = module, inputs, labels, patience
        self.best, self.since = -1.0, 0
        self.weights: dict[str, Any] = {}

    def __call__(self, epoch: int) -> bool:
        import torch

        with torch.no_grad():
            found = self.module(torch.as_tensor(self.inputs)).argmax(dim=1).numpy()
        accuracy = float((found == self.labels).mean())
        self.since += 1
        if accuracy > self.best:
            self.best, self.since = accuracy, 0
            self.weights = copy.deepcopy(self.module.state_dict())
        return self.since >= self.patience

    def restore(self) -> None:
        """Put the best weights back."""
        self.module.load_state_dict(self.weights)


def category_counts(table: Table) -> tuple[int, ...]:
    """How many categories each column has; an `InputError` names a column of numbers."""
    for feature in table.features:
        if not feature.categories:
            raise InputError(f"column {feature.name!r} holds numbers; cut it into ranges, so that it is a category")
    if table.task != "classification":
        raise InputError(f"the table {table.name!r} has no classes to learn")
    return tuple(len(feature.categories) for feature in table.features)
