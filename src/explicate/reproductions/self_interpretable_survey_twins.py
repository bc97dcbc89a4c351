"""Black-box twins of the readable models: gradient boosting, a perceptron, and the same encoders with a dense layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from explicate.data.tables import Table
from explicate.glassbox.prototypes.encoders import ENCODERS
from explicate.models.tiny.training import Recipe, train


def boosting(training: Table, held_out: Table) -> np.ndarray:
    """(row, class) probabilities of gradient boosting with its defaults; categories are told to it as such."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    categorical = [feature.kind == "categorical" for feature in training.features]
    model = HistGradientBoostingClassifier(categorical_features=categorical, random_state=0)
    return np.asarray(model.fit(training.values(), training.labels).predict_proba(held_out.values()))


def multilayer(x: np.ndarray, y: np.ndarray, seed: int) -> Any:
    """A perceptron of two hidden layers, as wide as the equation learner's."""
    from sklearn.neural_network import MLPRegressor

    model = MLPRegressor(hidden_layer_sizes=(20, 20), activation="tanh", max_iter=2000, random_state=seed, tol=1e-6)
    return model.fit(x, y)


def network_accuracy(
    encoder: str, x: np.ndarray, y: np.ndarray, test: np.ndarray, labels: np.ndarray, epochs: int, seed: int
) -> float:
    """Accuracy of an encoder of prototype networks with a dense layer in place of the prototypes."""
    import torch

    def build() -> torch.nn.Module:
        head = ENCODERS[encoder](x.shape[1:])
        with torch.no_grad():
            patches = head(torch.zeros(1, *x.shape[1:]))
        return torch.nn.Sequential(head, torch.nn.Flatten(), torch.nn.Linear(patches.numel(), int(y.max()) + 1))

    module = train(build, x.astype(np.float32), y, Recipe(epochs=epochs, learning_rate=1e-3, seed=seed), cache=False)
    with torch.no_grad():
        found = module(torch.from_numpy(test.astype(np.float32))).argmax(dim=1).numpy()
    return float((found == labels).mean())
