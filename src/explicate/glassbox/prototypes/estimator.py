"""Prototype networks as scikit-learn classifiers: a case is what the training cases are that it looks like.

Source: Chen, Li, Tao, Barnett, Su, Rudin (2019), "This Looks Like That: Deep Learning for Interpretable Image
Recognition", NeurIPS, arXiv 1806.10574.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from explicate.core.capabilities import Array, Floats
from explicate.core.explanation import Explanation
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.glassbox.cells import numeric_columns
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.fold.columns import as_frame
from explicate.glassbox.kinds import Prototypes, texts
from explicate.glassbox.labels import read_labels
from explicate.glassbox.parameters import check_choice, check_positive, check_weight, check_whole, plain
from explicate.glassbox.prototypes.boxes import boxes
from explicate.glassbox.prototypes.encoders import ENCODERS, Encoder
from explicate.glassbox.prototypes.network import Network, Schedule, similarity
from explicate.glassbox.sums import weighted_sum
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import checked_seed


class PrototypeNetwork(ClassifierMixin, GlassBox, BaseEstimator):
    """What the classifiers share. A class's score is the sum of similarity times weight over all prototypes.

    Each prototype is a patch of a training case of its class, from the last push on. A case's patches come from a
    trained encoder, so the explanation of the whole is replayed on the explanation of cases.

    Parameters
    ----------
    encoder : what turns a case into patches: a name from `ENCODERS`, or a function from the shape of a case to a torch
        module, see `explicate.glassbox.prototypes.encoders`.
    prototypes : for each class. width : of a patch.
    epochs, warm_epochs : in the first ones only the prototypes and the maps before them learn.
    push_start, push_every : the push comes after these epochs. last_steps : on the last layer alone, after a push.
    learning_rate : of Adam. encoder_rate : of the encoder, which begins untrained; the paper's 1e-4 is for a trained
        one.
    cluster, separation, sparsity : weights of the mean distance to the nearest prototype of the own class, of minus
        that to the nearest of another, and of the absolute weights between prototypes and other classes.
    batch : cases a step. seed : of weights and order.

    Attributes
    ----------
    classes_ : (class,) the labels, sorted. network_ : what was trained. pushes_ : what each push did to the training
        accuracy.
    """

    reads_cases: ClassVar[bool] = False

    def __init__(
        self,
        encoder: str | Encoder = "vectors",
        prototypes: int = 10,
        width: int = 128,
        epochs: int = 30,
        warm_epochs: int = 5,
        push_start: int = 10,
        push_every: int = 10,
        last_steps: int = 20,
        learning_rate: float = 3e-3,
        encoder_rate: float = 1e-3,
        cluster: float = 0.8,
        separation: float = 0.08,
        sparsity: float = 1e-4,
        batch: int = 64,
        seed: int = 0,
    ) -> None:
        self.encoder = encoder
        self.prototypes = prototypes
        self.width = width
        self.epochs = epochs
        self.warm_epochs = warm_epochs
        self.push_start = push_start
        self.push_every = push_every
        self.last_steps = last_steps
        self.learning_rate = learning_rate
        self.encoder_rate = encoder_rate
        self.cluster = cluster
        self.separation = separation
        self.sparsity = sparsity
        self.batch = batch
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Self:
        """Train encoder, prototypes and weights.

        Parameters
        ----------
        X : cases: (row, column) numbers, (picture, channel, row, column), or graphs (graph, node, node).
        y : (case,) labels.

        Raises
        ------
        InputError : a parameter out of its range; gaps or infinities; a class with fewer cases than prototypes.
        ModelError : the loss became NaN or infinite.
        """
        schedule = self._schedule()
        inputs, names = self._read(X)
        labels = read_labels(y, len(inputs))
        counts = np.bincount(labels.codes)
        few = int(np.argmin(counts))
        if len(counts) < 2:
            raise InputError(
                f"label column {labels.name!r} has one class only, {labels.classes.tolist()[0]!r}; two are needed"
            )
        if counts[few] < self.prototypes:
            raise InputError(
                f"class {labels.classes.tolist()[few]!r} has {counts[few]} cases for {self.prototypes} prototypes; "
                "give more cases or lower `prototypes`"
            )
        self.classes_ = labels.classes
        self._centre = inputs.mean(axis=0) if inputs.ndim == 2 else np.zeros(1)
        spread = inputs.std(axis=0) if inputs.ndim == 2 else np.ones(1)
        self._spread = np.where(spread > 0, spread, 1.0)
        self._shape = inputs.shape[1:]
        encoder = ENCODERS[self.encoder] if isinstance(self.encoder, str) else self.encoder
        self.network_ = Network(encoder, self._shape, len(self.classes_), schedule)
        self.network_.fit(self._scaled(inputs), labels.codes)
        self.pushes_ = self.network_.pushes
        self._sources = None if self.network_.source is None else inputs[self.network_.source]
        self._names = names
        self.n_features_in_ = int(np.prod(self._shape))
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.array(names, dtype=object)
        elif "feature_names_in_" in self.__dict__:
            del self.feature_names_in_
        return self

    @classmethod
    def for_table(cls, rows: int, classes: int) -> None:
        """Nothing for tables in general, which have categories."""

    def predict(self, X: Any) -> Array:
        """(case,) labels."""
        chosen = self._logits(X).argmax(axis=1)
        return np.asarray(self.classes_[chosen])

    def predict_proba(self, X: Any) -> Floats:
        """(case, class)."""
        from scipy.special import softmax

        return np.asarray(softmax(self._logits(X), axis=1))

    def explain(self, X: Any = None) -> Prototypes:
        """The prototypes (X is None), or the prototypes and how similar each case of X is to each of them.

        Raises
        ------
        InputError : there was no push yet, so the prototypes are no cases.
        """
        check_is_fitted(self)
        if self._sources is None:
            raise InputError(
                f"there was no push in {self.epochs} epochs, so the prototypes are no training cases yet; "
                f"train for at least push_start={self.push_start} epochs"
            )
        start = time.perf_counter()
        network = self.network_
        dims = _dims(self._shape)
        data = xr.Dataset(
            {
                "weight": (("prototype", "label"), self._weights()),
                "prototype_class": ("prototype", network.classes),
                "source": ("prototype", network.source),
                "source_patch": ("prototype", network.patch),
                "source_input": (("prototype", *dims), self._sources),
            },
            {"label": texts(self.classes_) if self.classes_.dtype.kind in "OUST" else self.classes_},
            {"input_kind": {2: "graph", 3: "image"}.get(len(self._shape), "table")},
        )
        if len(self._shape) == 1:
            data = data.assign_coords(feature=texts(self._names))
        if len(self._shape) == 3:
            maps = network.maps(network.patches(self._scaled(self._sources)))
            own = np.arange(len(maps))
            data = data.assign(source_box=(("prototype", "side"), boxes(maps[own, own], self._shape[1:])))
        inputs = ""
        if X is not None:
            read = self._cases(X)
            patches = network.patches(self._scaled(read))
            distances, places = network.nearest(patches)
            data = data.assign(
                similarity=(("sample", "prototype"), similarity(distances.astype(float))),
                distance=(("sample", "prototype"), distances),
                patch=(("sample", "prototype"), places),
                inputs=(("sample", *dims), read),
            )
            if len(self._shape) == 3:
                maps = network.maps(patches)
                found = boxes(maps.reshape(-1, maps.shape[2]), self._shape[1:])
                data = data.assign(box=(("sample", "prototype", "side"), found.reshape(*maps.shape[:2], 4)))
            inputs = digest(read)
        provenance = Provenance(
            method=self.name,
            parameters={key: _named(value) for key, value in self.get_params().items()},
            model=type(self).__name__,
            model_fingerprint=digest(self._weights(), network.prototypes.detach().numpy(), self._sources),
            inputs_fingerprint=inputs,
            seed=self.seed,
            evaluations=0 if X is None else data.sizes["sample"],
            seconds=time.perf_counter() - start,
        )
        return Prototypes(data, provenance)

    @classmethod
    def replay(cls, explanation: Explanation, X: Any = None) -> Array:
        """Labels from similarities and weights alone.

        Parameters
        ----------
        X : for the explanation of the whole: the explanation of some cases, which has their similarities.
        """
        cases = explanation if X is None else X
        if not isinstance(cases, Prototypes):
            raise InputError("a case reaches the prototypes through the encoder; give explain(X) instead of X")
        if "similarity" not in cases.data:
            raise InputError("the explanation is of the whole model, not of cases; give explain(X) to replay it on")
        logits = weighted_sum(cases["similarity"].values, explanation["weight"].values)
        return np.asarray(explanation.data["label"].values[logits.argmax(axis=1)])

    def _logits(self, X: Any) -> Floats:
        check_is_fitted(self)
        inputs = self._cases(X)
        distances, _ = self.network_.nearest(self.network_.patches(self._scaled(inputs)))
        return weighted_sum(similarity(distances.astype(float)), self._weights())

    def _cases(self, X: Any) -> Array:
        inputs, _ = self._read(X, self._names or None)
        if inputs.shape[1:] != self._shape:
            raise InputError(f"cases of shape {inputs.shape[1:]}; the model was fitted on {self._shape}")
        return inputs

    def _weights(self) -> Floats:
        return np.asarray(self.network_.last.detach().double().numpy())

    def _scaled(self, inputs: Array) -> Array:
        return np.asarray((inputs - self._centre) / self._spread)

    def _read(self, X: Any, names: list[str] | None = None) -> tuple[Array, list[str]]:
        """Cases as numbers, and the names of a table's columns."""
        if hasattr(X, "columns") or hasattr(X, "nnz") or np.asarray(X).ndim <= 2:
            frame = as_frame(X, names, type(self).__name__)
            return numeric_columns(frame), [str(name) for name in frame]
        inputs = np.asarray(X, dtype=float)
        if not np.isfinite(inputs).all():
            case = int(np.argwhere(~np.isfinite(inputs))[0][0])
            raise InputError(f"case {case} holds NaN or infinite values; fill them in or drop it")
        return inputs, []

    def _schedule(self) -> Schedule:
        if isinstance(self.encoder, str):
            check_choice("encoder", self.encoder, tuple(ENCODERS))
        check_whole(
            prototypes=self.prototypes, width=self.width, epochs=self.epochs, push_start=self.push_start,
            push_every=self.push_every, last_steps=self.last_steps, batch=self.batch,
        )  # fmt: skip
        check_positive(learning_rate=self.learning_rate, encoder_rate=self.encoder_rate)
        check_weight(
            warm_epochs=self.warm_epochs, cluster=self.cluster, separation=self.separation, sparsity=self.sparsity
        )
        return Schedule(
            self.prototypes, self.width, self.epochs, self.warm_epochs, self.push_start, self.push_every,
            self.last_steps, self.learning_rate, self.encoder_rate, self.cluster, self.separation, self.sparsity,
            self.batch, checked_seed(self.seed),
        )  # fmt: skip


@register("prototypes", "glassboxes")
class PrototypeClassifier(PrototypeNetwork):
    """Whole training cases as prototypes: for tables of numbers, graphs, and sentences given as vectors.

    `PrototypeNetwork` has the parameters.
    """


@register("prototype-parts", "glassboxes")
class PrototypePartsClassifier(PrototypeNetwork):
    """Parts of training pictures as prototypes ("this looks like that"): for pictures (picture, channel, row, column).

    `PrototypeNetwork` has the parameters. scikit-learn's `check_estimator`, which gives tables, does not apply.
    """

    def __init__(
        self,
        encoder: str | Encoder = "pictures",
        prototypes: int = 10,
        width: int = 128,
        epochs: int = 30,
        warm_epochs: int = 5,
        push_start: int = 10,
        push_every: int = 10,
        last_steps: int = 20,
        learning_rate: float = 3e-3,
        encoder_rate: float = 1e-3,
        cluster: float = 0.8,
        separation: float = 0.08,
        sparsity: float = 1e-4,
        batch: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(
            encoder, prototypes, width, epochs, warm_epochs, push_start, push_every, last_steps, learning_rate,
            encoder_rate, cluster, separation, sparsity, batch, seed,
        )  # fmt: skip

    def _read(self, X: Any, names: list[str] | None = None) -> tuple[Array, list[str]]:
        if np.ndim(X) != 4:
            raise InputError(f"pictures are (picture, channel, row, column), not of {np.ndim(X)} dimensions")
        return super()._read(X, names)


def _dims(shape: tuple[int, ...]) -> tuple[str, ...]:
    return {1: ("feature",), 2: ("node", "neighbour"), 3: ("channel", "row", "column")}[len(shape)]


def _named(value: Any) -> Any:
    return getattr(value, "__qualname__", repr(value)) if callable(value) else plain(value)
