"""Prediction by the nearest prototype: a case has the class of the training case that it is most similar to.

Source: Hase and Bansal (2020), arXiv 2005.01831, section 4 and appendix, after Chen et al. (2019), arXiv 1806.10574.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.explanation import Explanation
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.data.table import Table
from explicate.errors import InputError
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.kinds import Prototypes, texts
from explicate.glassbox.parameters import check_positive, check_weight, check_whole
from explicate.models.table_model import TableModel
from explicate.models.tiny.categories import CategoryModel, latents
from explicate.models.tiny.training import descend
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import checked_seed, derive_seed, generator

if TYPE_CHECKING:
    import torch

FARTHEST = 4.0  # squared distance beyond which the nearest prototype of another class is far enough


@register("nearest-prototype", "glassboxes")
class NearestPrototype(GlassBox, TableModel):
    """The score of a class is the largest similarity exp(-distance^2) to one of its prototypes, which are training
    rows.

    The similarity is taken in the space before the last layer of a task model, which is trained on with the prototypes
    or left as it is (`frozen`). After `warm_epochs`, whenever the accuracy on development rows is above that of the
    best model so far, each prototype becomes the nearest training row of its class, no row twice, nearest pairs first.
    The best of the models after such a push is kept.

    It is no scikit-learn estimator: it starts from a trained network and learns from tables of categories.

    Parameters
    ----------
    prototypes : of each class (the source: 20 for tables, 40 for sentences).
    epochs, warm_epochs : of training, and before the first push (80 for tables, 20 for sentences).
    separation : weight of the mean squared distance, at most 4, to the nearest prototype of another class.
    learning_rate, momentum, weight_decay, batch : of stochastic gradient descent.
    frozen : leave the extractor as it is, and learn the prototypes alone.
    seed : of first prototypes and order of rows.
    """

    reads_cases: ClassVar[bool] = False

    def __init__(
        self,
        prototypes: int = 20,
        epochs: int = 300,
        warm_epochs: int = 80,
        separation: float = 0.1,
        learning_rate: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        batch: int = 1000,
        frozen: bool = False,
        seed: int = 0,
    ) -> None:
        TableModel.__init__(self, "nearest-prototype")
        self.prototypes = prototypes
        self.epochs = epochs
        self.warm_epochs = warm_epochs
        self.separation = separation
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.batch = batch
        self.frozen = frozen
        self.seed = seed

    @classmethod
    def for_table(cls, rows: int, classes: int) -> None:
        """Nothing for tables in general: it starts from a trained network over categories."""

    def fit(self, start: CategoryModel, training: Table, development: Table) -> Self:
        """Train prototypes, and the extractor too unless it is frozen.

        Parameters
        ----------
        start : a trained task model, see `explicate.models.tiny.categories`; it is not changed.
        training : rows that prototypes are taken from. development : rows that decide when to push.

        Raises
        ------
        InputError : a parameter out of its range; a class with fewer rows than prototypes; no push in all epochs.
        """
        import copy

        import torch

        self._check()
        few = int(np.bincount(training.labels, minlength=training.classes).min())
        if few < self.prototypes:
            raise InputError(f"a class has {few} rows for {self.prototypes} prototypes; give more rows")
        self._set_table(training.frame, training.features, (), training.class_names)
        self.module_: Any = copy.deepcopy(start.module)
        for parameter in self.module_.parameters():
            parameter.requires_grad_(not self.frozen)
        self.owner_ = np.repeat(np.arange(training.classes), self.prototypes)
        rows, labels = training.values(), training.labels
        self.source_: Array | None = None
        self.pushes_ = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "steps"))
            self._train(rows, labels, development)
        if self.source_ is None:
            raise InputError(
                f"there was no push in {self.epochs} epochs after the first {self.warm_epochs}; train for longer"
            )
        self.module_.eval()
        return self

    # -- predictions -----------------------------------------------------------------------------------------------

    def predict(self, X: Any) -> Any:
        """Scores (row, class) of rows, encoded or not: the largest similarity to a prototype of each class, 0 to 1."""
        return TableModel.predict(self, X if isinstance(X, np.ndarray) else self.encode(X))

    def fingerprint(self) -> str:
        """A hash of weights and prototypes."""
        weights = [[name, value.float().numpy()] for name, value in self.module_.state_dict().items()]
        return digest(self.name, weights, self.places_)

    def latent(self, inputs: Array) -> Floats:
        """The space in which rows are compared (row, width)."""
        return latents(self.module_, inputs)

    def similarities(self, inputs: Array) -> Floats:
        """exp(-squared distance) of rows to prototypes (row, prototype)."""
        self._check_fitted()
        return np.exp(-_distances(self.latent(inputs), self.places_))

    def _forward(self, inputs: Array) -> Floats:
        return _largest(self.similarities(inputs), self.owner_)

    # -- the contract of glass boxes -------------------------------------------------------------------------------

    def explain(self, X: Any = None) -> Prototypes:
        """The prototypes (X is None), or also how similar each row of X is to each of them."""
        self._check_fitted()
        start = time.perf_counter()
        data = xr.Dataset(
            {
                "weight": (("prototype", "label"), np.eye(len(self.class_names or ()))[self.owner_]),
                "prototype_class": ("prototype", self.owner_),
                "source": ("prototype", self.source_),
                "source_input": (("prototype", "feature"), self.rows_),
                "source_text": (("prototype", "feature"), self.feature_labels(self.rows_)["input_text"][1]),
            },
            {"label": texts(self.class_names), "feature": texts(self.feature_names)},
            {"input_kind": "table", "combine": "largest"},
        )
        inputs = ""
        if X is not None:
            rows = self.encode(X)
            similar = self.similarities(rows)
            data = data.assign(
                similarity=(("sample", "prototype"), similar),
                distance=(("sample", "prototype"), -np.log(np.maximum(similar, 1e-300))),
                inputs=(("sample", "feature"), rows),
                **{"input_text": self.feature_labels(rows)["input_text"]},
            )
            inputs = digest(rows)
        provenance = Provenance(
            method=self.name,
            parameters={name: getattr(self, name) for name in _PARAMETERS},
            model=type(self).__name__,
            model_fingerprint=self.fingerprint(),
            inputs_fingerprint=inputs,
            seed=self.seed,
            evaluations=0 if X is None else len(data["inputs"]),
            seconds=time.perf_counter() - start,
        )
        return Prototypes(data, provenance)

    @classmethod
    def replay(cls, explanation: Explanation, X: Any = None) -> Array:
        """Scores (sample, class) from similarities alone; X explains the cases, where `explanation` does not."""
        cases = explanation if X is None else X
        if not isinstance(cases, Prototypes) or "similarity" not in cases.data:
            raise InputError("a row reaches the prototypes through the network; give explain(rows) to replay")
        return _largest(cases["similarity"].values, explanation["prototype_class"].values)

    # -- training --------------------------------------------------------------------------------------------------

    def _train(self, rows: Array, labels: Array, development: Table) -> None:
        import torch

        x, y = torch.as_tensor(rows), torch.as_tensor(labels)
        with torch.no_grad():
            first = self.module_.latent(x).double().numpy()
        prototypes = torch.nn.Parameter(torch.as_tensor(self._clusters(first, labels), dtype=torch.float32))
        owner = torch.as_tensor(self.owner_)
        learned = [prototypes, *(p for p in self.module_.parameters() if p.requires_grad)]

        def loss(chosen: torch.Tensor) -> torch.Tensor:
            squared = (self.module_.latent(x[chosen])[:, None] - prototypes).square().sum(dim=2)
            own = owner == y[chosen][:, None]
            similar = torch.stack(
                [(-squared[:, owner == label]).exp().amax(dim=1) for label in range(len(self.class_names or ()))], dim=1
            )
            others = squared.where(~own, squared.new_tensor(float("inf"))).amin(dim=1).clamp(max=FARTHEST)
            return torch.nn.functional.cross_entropy(similar, y[chosen]) - self.separation * others.mean()

        best = -1.0
        tested = development.values()

        def accuracy(found: Floats, centres: Floats) -> float:
            scores = _largest(np.exp(-_distances(found, centres)), self.owner_)
            return float((scores.argmax(axis=1) == development.labels).mean())

        def after_epoch(epoch: int) -> None:
            nonlocal best
            if epoch + 1 < self.warm_epochs:
                return
            found = latents(self.module_, tested)
            with torch.no_grad():
                if accuracy(found, prototypes.numpy().astype(float)) <= best:
                    return
                places = latents(self.module_, rows)
                source = nearest_pairs(_distances(places, prototypes.numpy().astype(float)), labels, self.owner_)
                prototypes.copy_(torch.as_tensor(places[source], dtype=torch.float32))
            self.pushes_ += 1
            pushed = accuracy(found, places[source])
            if pushed > best:
                best = pushed
                self.source_, self.rows_, self.places_ = source, rows[source], places[source]
                kept.update({name: value.clone() for name, value in self.module_.state_dict().items()})

        kept: dict[str, Any] = {}
        self.module_.train()
        descend(
            torch.optim.SGD(learned, self.learning_rate, self.momentum, weight_decay=self.weight_decay),
            loss,
            len(rows),
            epochs=self.epochs,
            batch=self.batch,
            rng=generator(self.seed, "order"),
            name="nearest prototypes",
            after_epoch=after_epoch,  # type: ignore[arg-type]  # never ends the training
        )
        if kept:
            self.module_.load_state_dict(kept)

    def _clusters(self, places: Floats, labels: Array) -> Floats:
        """k-means centres of each class."""
        from sklearn.cluster import KMeans

        found = []
        for label in range(len(self.class_names or ())):
            means = KMeans(self.prototypes, n_init=1, random_state=derive_seed(self.seed, "clusters", label) % 2**31)
            found.append(means.fit(places[labels == label]).cluster_centers_)
        return np.concatenate(found)

    def _check_fitted(self) -> None:
        if not hasattr(self, "places_"):
            raise InputError("the prototype model is not trained yet; call fit first")

    def _check(self) -> None:
        check_whole(prototypes=self.prototypes, epochs=self.epochs, batch=self.batch)
        check_positive(learning_rate=self.learning_rate)
        check_weight(
            warm_epochs=self.warm_epochs,
            separation=self.separation,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )
        checked_seed(self.seed)


_PARAMETERS = (
    "prototypes", "epochs", "warm_epochs", "separation", "learning_rate", "momentum", "weight_decay", "batch", "frozen",
    "seed",
)  # fmt: skip


def nearest_pairs(distances: Floats, labels: Array, owner: Array) -> Array:
    """A training row of its own class for each prototype, no row twice: (prototype,). The nearest pairs come first.

    Parameters
    ----------
    distances : (row, prototype). labels : (row,). owner : (prototype,), the class of each.
    """
    open_pairs = np.where(labels[:, None] == owner, distances, np.inf)
    source = np.full(len(owner), -1)
    for _ in owner:
        row, prototype = np.unravel_index(int(np.argmin(open_pairs)), open_pairs.shape)
        source[prototype] = row
        open_pairs[row, :] = np.inf
        open_pairs[:, prototype] = np.inf
    return source


def _distances(places: Floats, prototypes: Floats) -> Floats:
    """Squared distances (row, prototype), summed over differences: exactly 0 for a prototype's own row."""
    found = np.empty((len(places), len(prototypes)))
    for number, prototype in enumerate(prototypes):
        found[:, number] = ((places - prototype) ** 2).sum(axis=1)
    return found


def _largest(similarities: Floats, owner: Array) -> Floats:
    """The largest similarity to a prototype of each class (row, class)."""
    return np.stack([similarities[:, owner == label].max(axis=1) for label in range(int(owner.max()) + 1)], axis=1)
