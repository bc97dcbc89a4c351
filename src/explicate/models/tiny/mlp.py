"""Small fully connected networks, as studies of tabular explainers use them.

Source of the defaults: Han, Srinivas, Lakkaraju (2022), arXiv 2206.01254, appendix: width 8; tanh for regression, ReLU
and a sigmoid for classification; SGD, batch 64, 300 epochs, learning rate 0.5 (0.9 for the classifier of five layers),
cosine schedule.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from explicate.core.capabilities import Array
from explicate.errors import InputError
from explicate.models.tiny.training import Recipe, train

if TYPE_CHECKING:
    import torch

ACTIVATIONS = ("relu", "tanh")


def network(
    inputs: int, outputs: int = 1, *, layers: int = 3, width: int = 8, activation: str = "relu"
) -> torch.nn.Module:
    """An untrained network in double precision: `layers` linear layers with the activation between them.

    Parameters
    ----------
    inputs, outputs : numbers of features and of outputs (logits or values). layers : 1 is a linear model.
    width : of the hidden layers. activation : "relu" or "tanh".
    """
    import torch

    if activation not in ACTIVATIONS:
        raise InputError(f"activation {activation!r} is unknown; use one of {', '.join(ACTIVATIONS)}")
    if layers < 1 or width < 1:
        raise InputError(f"{layers} layers of width {width}; both must be at least 1")
    sizes = [inputs, *[width] * (layers - 1), outputs]
    parts: list[torch.nn.Module] = []
    for before, after in pairwise(sizes):
        parts += [torch.nn.Linear(before, after), torch.nn.ReLU() if activation == "relu" else torch.nn.Tanh()]
    return torch.nn.Sequential(*parts[:-1]).double()


def paper_recipe(classification: bool, layers: int, seed: int, epochs: int = 300) -> Recipe:
    """The training of the study named above."""
    return Recipe(
        objective="binary-cross-entropy" if classification else "mean-squared-error",
        epochs=epochs,
        batch=64,
        optimiser="sgd",
        learning_rate=0.9 if classification and layers == 5 else 0.5,
        schedule="cosine",
        seed=seed,
    )


def trained_network(
    inputs: Array, labels: Array, *, classification: bool, layers: int = 3, seed: int = 0, epochs: int = 300
) -> torch.nn.Module:
    """A network of the study named above, trained on rows (sample, feature) scaled to [0, 1], or from the cache.

    Parameters
    ----------
    labels : (sample,), 0 and 1 for a classifier (the module then gives one logit), else values near [0, 1].
    """
    return train(
        lambda: network(inputs.shape[1], layers=layers, activation="relu" if classification else "tanh"),
        inputs,
        labels,
        paper_recipe(classification, layers, seed, epochs),
        name=f"{layers} layers",
    )
