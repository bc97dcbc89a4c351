"""A feed-forward binary classifier in scikit-learn's manner, and many of them trained at once.

Studies train the same small network hundreds of times. One step of such a network is so short that a framework's
bookkeeping costs more than its arithmetic, so the gradients are written out here and networks of one shape are stacked:
a batch of matrix products serves all of them. Source of the recipe: Mhasawade et al. (2024), arXiv 2401.14539.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from explicate.errors import InputError
from explicate.runtime.seeds import generator

if TYPE_CHECKING:
    import torch

    from explicate.core.capabilities import Array, Floats

FORWARD_ROWS = 4096  # rows sent through at once: their activations stay in the processor's cache
STEPS_AHEAD = 64  # training steps whose rows are gathered together


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Layers with ReLU between them and a sigmoid at the end; binary cross-entropy, Adam, weight decay in the gradient.

    Parameters
    ----------
    hidden : widths of the hidden layers; none gives logistic regression.
    learning_rate, weight_decay : of Adam. The decay is added to the gradient, as in torch's `Adam`.
    batch : rows per step; an epoch leaves out the rows that do not fill a last batch, others each time.
    epochs : passes over the training rows.
    categories : per column the number of codes of a categorical column (which becomes so many 0/1 columns), or 0 for a
        column that is used as it is; empty: all columns are used as they are.
    standardise : scale the columns that are used as they are by their training mean and standard deviation.
    seed : of the initial weights (uniform within 1 / sqrt(inputs of the layer)) and of the order of the rows.

    Attributes
    ----------
    classes_ : the two labels, sorted. layers_ : (weights (input, output), biases (output,)) of each layer, float32.
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (50, 100, 200),
        *,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        batch: int = 64,
        epochs: int = 100,
        categories: tuple[int, ...] = (),
        standardise: bool = False,
        seed: int = 0,
    ) -> None:
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch = batch
        self.epochs = epochs
        self.categories = categories
        self.standardise = standardise
        self.seed = seed

    def fit(self, inputs: Array, labels: Array) -> Self:
        """Train on rows (sample, feature) with two different labels (sample,)."""
        fit_networks([self], [inputs], [labels])
        return self

    def predict_proba(self, inputs: Array) -> Floats:
        """Probabilities (sample, 2) of the two classes."""
        positive = 1.0 / (1.0 + np.exp(-np.clip(self.decision_function(inputs), -60.0, 60.0)))
        return np.stack([1.0 - positive, positive], axis=1)

    def predict(self, inputs: Array) -> Array:
        """The more probable class of each row."""
        return np.asarray(self.classes_[(self.decision_function(inputs) >= 0).astype(int)])

    def decision_function(self, inputs: Array) -> Floats:
        """Log-odds (sample,) of the second class."""
        import torch

        rows = np.asarray(inputs, dtype=float)
        layers = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in self.layers_]
        found = np.empty(len(rows))
        with torch.no_grad():
            for start in range(0, len(rows), FORWARD_ROWS):
                block = torch.from_numpy(self._columns(rows[start : start + FORWARD_ROWS]))
                for place, (weights, bias) in enumerate(layers):
                    block = torch.addmm(bias, block, weights)
                    if place < len(layers) - 1:
                        block.relu_()
                found[start : start + len(block)] = block[:, 0].numpy()
        return found

    def module(self) -> torch.nn.Sequential:
        """The trained network as a torch module from rows (sample, feature) to log-odds (sample, 1).

        Raises
        ------
        InputError : the network recodes or scales its columns, which the module would not.
        """
        import torch

        if any(self.categories) or self.standardise:
            raise InputError(
                "a network with categories or standardise recodes its columns; it is no plain torch module"
            )
        parts: list[torch.nn.Module] = []
        for weights, bias in self.layers_:
            linear = torch.nn.Linear(*weights.shape)
            linear.weight.data, linear.bias.data = torch.from_numpy(weights.T.copy()), torch.from_numpy(bias.copy())
            parts += [linear, torch.nn.ReLU()]
        return torch.nn.Sequential(*parts[:-1])

    def linear_effects(self, inputs: Array, training: Array) -> Floats:
        """What each feature (sample, feature) does to the log-odds of a model without hidden layers.

        For a column that is used as it is: its weight times its standard deviation over the `training` rows. For a
        categorical one (also a 0/1 column): the weight of the row's value minus the mean weight of the other values,
        each as often as in `training`. These are the units of a surrogate over scaled columns and "equals the
        instance's value", so that the two can be compared.

        Raises
        ------
        InputError : the model has hidden layers; no single weight belongs to a feature then.
        """
        if len(self.layers_) != 1:
            raise InputError("a network with hidden layers has no weight per feature; use hidden=()")
        rows, training = np.asarray(inputs, dtype=float), np.asarray(training, dtype=float)
        weights = self.layers_[0][0][:, 0].astype(float)
        effects = np.empty(rows.shape)
        place = 0
        for j, codes in enumerate(self._codes(rows.shape[1])):
            two = codes == 0 and set(np.unique(training[:, j])) <= {0.0, 1.0}
            values = weights[place : place + codes] if codes else np.array([0.0, weights[place] / self.scale_[j]])
            place += max(codes, 1)
            if not codes and not two:
                effects[:, j] = values[1] * training[:, j].std()
                continue
            share = np.bincount(training[:, j].astype(int), minlength=len(values)) / len(training)
            own = rows[:, j].astype(int)
            others = np.maximum(1.0 - share[own], 1e-12)
            effects[:, j] = values[own] - (share @ values - share[own] * values[own]) / others
        return effects

    def _codes(self, width: int) -> tuple[int, ...]:
        if self.categories and len(self.categories) != width:
            raise InputError(f"categories name {len(self.categories)} columns, the rows have {width}")
        return tuple(self.categories) or (0,) * width

    def _learn_columns(self, rows: Array) -> None:
        self.mean_ = rows.mean(axis=0) if self.standardise else np.zeros(rows.shape[1])
        spread = rows.std(axis=0) if self.standardise else np.ones(rows.shape[1])
        self.scale_ = np.where(spread > 0, spread, 1.0)

    def _columns(self, rows: Array) -> Array:
        codes = self._codes(rows.shape[1])
        if not any(codes):
            return ((rows - self.mean_) / self.scale_).astype(np.float32)
        width = sum(max(count, 1) for count in codes)
        found = np.zeros((len(rows), width), dtype=np.float32)
        place = 0
        for j, count in enumerate(codes):
            if count:
                found[np.arange(len(rows)), place + rows[:, j].astype(int)] = 1.0
            else:
                found[:, place] = (rows[:, j] - self.mean_[j]) / self.scale_[j]
            place += max(count, 1)
        return found


def fit_networks(
    networks: Sequence[NetworkClassifier], inputs: Sequence[Array], labels: Sequence[Array]
) -> list[NetworkClassifier]:
    """Train networks of one shape together, each on its own rows and from its own seed.

    Parameters
    ----------
    networks : of equal parameters but for the seed. inputs : of each, (sample, feature); the numbers of rows may
        differ. labels : of each, (sample,).

    Raises
    ------
    InputError : parameters or widths that differ, labels that are not of two classes, NaN.
    """
    first = networks[0]
    alike = ("hidden", "learning_rate", "weight_decay", "batch", "epochs", "categories", "standardise")
    for network in networks:
        for name in alike:
            if getattr(network, name) != getattr(first, name):
                raise InputError(f"networks trained together must have equal {name}; train them one by one")
    columns, targets = [], []
    for network, rows, answers in zip(networks, inputs, labels, strict=True):
        rows = np.asarray(rows, dtype=float)
        if not np.isfinite(rows).all():
            raise InputError("the training rows hold NaN or infinite values; fill or drop them first")
        network.classes_, codes = np.unique(np.asarray(answers), return_inverse=True)
        if len(network.classes_) != 2:
            raise InputError(f"the labels have {len(network.classes_)} classes; a binary classifier needs 2")
        network.n_features_in_ = rows.shape[1]
        network._learn_columns(rows)
        columns.append(network._columns(rows))
        targets.append(codes.astype(np.float32)[:, None])
    if len({block.shape[1] for block in columns}) > 1:
        raise InputError("networks trained together must have equally many features")
    seeds = [network.seed for network in networks]
    for network, layers in zip(networks, _train(first, columns, targets, seeds), strict=True):
        network.layers_ = layers
    return list(networks)


def _train(
    recipe: NetworkClassifier, columns: list[Array], targets: list[Array], seeds: list[int]
) -> list[list[tuple[Array, Array]]]:
    """The stacked networks' layers after training."""
    import torch

    sizes = (columns[0].shape[1], *recipe.hidden, 1)
    stack = _Stack(sizes, [_initial(sizes, seed) for seed in seeds])
    adam = torch.optim.Adam([stack.parameter], recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    batches = [min(recipe.batch, len(rows)) for rows in columns]
    batch = min(batches)
    lasts = [recipe.epochs * (len(rows) // batch) for rows in columns]
    orders = [_order(generator(seed, "order"), len(rows), batch) for seed, rows in zip(seeds, columns, strict=True)]
    finished: dict[int, list[tuple[Array, Array]]] = {}
    step, total = 0, max(lasts)
    with torch.no_grad():
        while step < total:
            ahead = min(STEPS_AHEAD, total - step)
            picks = [np.concatenate([next(order) for _ in range(ahead)]) for order in orders]
            x = torch.from_numpy(np.stack([rows[pick] for rows, pick in zip(columns, picks, strict=True)]))
            y = torch.from_numpy(np.stack([rows[pick] for rows, pick in zip(targets, picks, strict=True)]))
            for place in range(0, ahead * batch, batch):
                stack.differentiate(x[:, place : place + batch], y[:, place : place + batch])
                adam.step()
                step += 1
                if step in lasts:
                    finished |= {k: stack.layers(k) for k, last in enumerate(lasts) if last == step}
    return [finished[k] if k in finished else stack.layers(k) for k in range(len(seeds))]


def _order(rng: np.random.Generator, rows: int, batch: int) -> Iterator[Array]:
    """Batches of row indices, epoch after epoch."""
    while True:
        permutation = rng.permutation(rows)
        for start in range(0, rows - batch + 1, batch):
            yield permutation[start : start + batch]


def _initial(sizes: tuple[int, ...], seed: int) -> list[tuple[Array, Array]]:
    rng = generator(seed, "weights")
    layers = []
    for before, after in pairwise(sizes):
        bound = 1.0 / np.sqrt(before)
        weights, bias = rng.uniform(-bound, bound, (before, after)), rng.uniform(-bound, bound, after)
        layers.append((weights.astype(np.float32), bias.astype(np.float32)))
    return layers


class _Stack:
    """Networks of one shape in one flat vector, layer by layer, so that one optimiser step serves them all."""

    def __init__(self, sizes: tuple[int, ...], networks: list[list[tuple[Array, Array]]]) -> None:
        import torch

        count = len(networks)
        shapes = [(count, before, after) for before, after in pairwise(sizes)]
        length = sum(int(np.prod(shape)) + count * shape[2] for shape in shapes)
        flat, slope = torch.empty(length), torch.zeros(length)
        self.weights, self.biases = _views(flat, shapes)
        self.weight_slopes, self.bias_slopes = _views(slope, shapes)
        for layer in range(len(shapes)):
            self.weights[layer].copy_(torch.from_numpy(np.stack([network[layer][0] for network in networks])))
            self.biases[layer].copy_(torch.from_numpy(np.stack([network[layer][1] for network in networks])[:, None]))
        self.parameter = torch.nn.Parameter(flat)
        self.parameter.grad = slope

    def differentiate(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Put the gradient of each network's mean cross-entropy on (network, row, column) into the slopes."""
        import torch

        outputs = [x]
        last = len(self.weights) - 1
        for layer in range(last + 1):
            z = torch.baddbmm(self.biases[layer], outputs[-1], self.weights[layer])
            outputs.append(z.relu_() if layer < last else z.sigmoid_())
        error = (outputs[-1] - y).div_(x.shape[1])
        for layer in range(last, -1, -1):
            torch.bmm(outputs[layer].transpose(1, 2), error, out=self.weight_slopes[layer])
            torch.sum(error, 1, keepdim=True, out=self.bias_slopes[layer])
            if layer:
                error = torch.bmm(error, self.weights[layer].transpose(1, 2))
                error = torch.ops.aten.threshold_backward(error, outputs[layer], 0)

    def layers(self, network: int) -> list[tuple[Array, Array]]:
        """Copies of one network's weights and biases."""
        return [
            (weights[network].numpy().copy(), bias[network, 0].numpy().copy())
            for weights, bias in zip(self.weights, self.biases, strict=True)
        ]


def _views(flat: Any, shapes: Sequence[tuple[int, int, int]]) -> tuple[list[Any], list[Any]]:
    weights, biases, place = [], [], 0
    for count, before, after in shapes:
        weights.append(flat[place : place + count * before * after].view(count, before, after))
        place += count * before * after
        biases.append(flat[place : place + count * after].view(count, 1, after))
        place += count * after
    return weights, biases
