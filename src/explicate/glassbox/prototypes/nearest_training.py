"""Prototypes that are training cases: their training, and the similarity to them, whatever the network reads.

Source: Hase and Bansal (2020), arXiv 2005.01831, section 4 and appendix, after Chen et al. (2019), arXiv 1806.10574.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.explanation import Explanation
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.kinds import Prototypes, texts
from explicate.glassbox.parameters import check_positive, check_weight, check_whole
from explicate.models.tiny.training import descend
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import checked_seed, derive_seed, generator

if TYPE_CHECKING:
    import torch

FARTHEST = 4.0  # squared distance beyond which the nearest prototype of another class is far enough


class NearestPrototypes(GlassBox):
    """What prototype models of rows and of sentences share; see `NearestPrototype` for the parameters.

    Attributes
    ----------
    owner_ : (prototype,), the class of each. source_ : (prototype,), the training case that each is.
    rows_ : those cases as the network reads them. places_ : (prototype, width), where they lie in the latent space.
    pushes_ : how often prototypes were moved onto training cases. accuracy_ : on development cases, of what was kept.
    """

    reads_cases: ClassVar[bool] = False
    class_names: tuple[str, ...] | None
    prototypes: int
    epochs: int
    warm_epochs: int
    separation: float
    learning_rate: float
    momentum: float
    weight_decay: float
    batch: int
    frozen: bool
    trusted: bool
    seed: int
    module_: Any
    accuracy_: float
    rows_: Array
    places_: Floats

    def _set_parameters(self, given: Mapping[str, Any]) -> None:
        for name in PARAMETERS:
            setattr(self, name, given[name])

    @abstractmethod
    def latent(self, inputs: Array) -> Floats:
        """The space in which cases are compared (case, width)."""

    def similarities(self, inputs: Array) -> Floats:
        """exp(-squared distance) of cases to prototypes (case, prototype)."""
        self._check_fitted()
        return np.exp(-_distances(self.latent(inputs), self.places_))

    def _forward(self, inputs: Array) -> Floats:
        return _largest(self.similarities(inputs), self.owner_)

    @classmethod
    def for_table(cls, rows: int, classes: int) -> None:
        """Nothing for tables in general: it starts from a trained network."""

    @classmethod
    def replay(cls, explanation: Explanation, X: Any = None) -> Array:
        """Scores (sample, class) from similarities alone; X explains the cases, where `explanation` does not."""
        cases = explanation if X is None else X
        if not isinstance(cases, Prototypes) or "similarity" not in cases.data:
            raise InputError("a row reaches the prototypes through the network; give explain(rows) to replay")
        return _largest(cases["similarity"].values, explanation["prototype_class"].values)

    # -- the explanation ---------------------------------------------------------------------------------------------

    def _of_prototypes(self) -> xr.Dataset:
        """What explanations say of the prototypes."""
        self._check_fitted()
        return xr.Dataset(
            {
                "weight": (("prototype", "label"), np.eye(len(self.class_names or ()))[self.owner_]),
                "prototype_class": ("prototype", self.owner_),
                "source": ("prototype", self.source_),
            },
            {"label": texts(self.class_names)},
            {"combine": "largest"},
        )

    def _of_cases(self, inputs: Array) -> dict[str, Any]:
        """How similar cases are to each prototype."""
        similar = self.similarities(inputs)
        return {
            "similarity": (("sample", "prototype"), similar),
            "distance": (("sample", "prototype"), -np.log(np.maximum(similar, 1e-300))),
        }

    def _origin(self, fingerprint: str, cases: Array | None, seconds: float) -> Provenance:
        return Provenance(
            method="nearest-prototype",
            parameters={name: getattr(self, name) for name in PARAMETERS},
            model=type(self).__name__,
            model_fingerprint=fingerprint,
            inputs_fingerprint="" if cases is None else digest(cases),
            seed=self.seed,
            evaluations=0 if cases is None else len(cases),
            seconds=seconds,
        )

    # -- training --------------------------------------------------------------------------------------------------

    def _learn(self, start: Any, rows: Array, labels: Array, tested: Array, answers: Array) -> None:
        """Train prototypes of a copy of the network `start`, and the copy too unless it is frozen.

        Parameters
        ----------
        rows, labels : training cases as the network reads them, and their classes. tested, answers : development cases.
        """
        import copy

        import torch

        self._check()
        classes = len(self.class_names or ())
        few = int(np.bincount(labels, minlength=classes).min())
        if few < self.prototypes:
            raise InputError(f"a class has {few} rows for {self.prototypes} prototypes; give more rows")
        self.module_ = copy.deepcopy(start)
        for parameter in self.module_.parameters():
            parameter.requires_grad_(not self.frozen)
        self.owner_ = np.repeat(np.arange(classes), self.prototypes)
        self.source_: Array | None = None
        self.pushes_ = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "steps"))
            self._train(rows, labels, tested, answers)
        if self.source_ is None:
            raise InputError(
                f"there was no push in {self.epochs} epochs after the first {self.warm_epochs}; train for longer"
            )
        self.module_.eval()

    def _train(self, rows: Array, labels: Array, tested: Array, answers: Array) -> None:
        import torch

        x, y = torch.as_tensor(rows), torch.as_tensor(labels)
        self.module_.eval()
        first = self.latent(rows)
        candidates = labels if not self.trusted else np.where(self._agrees(rows, labels), labels, -1)
        if (np.bincount(candidates + 1, minlength=1)[1:] < self.prototypes).any():
            raise InputError(
                f"a class has fewer than {self.prototypes} rows that the network puts into it; lower prototypes"
            )
        prototypes = torch.nn.Parameter(torch.as_tensor(self._clusters(first, candidates), dtype=torch.float32))
        owner = torch.as_tensor(self.owner_)
        learned = [prototypes, *(p for p in self.module_.parameters() if p.requires_grad)]

        fixed = torch.as_tensor(first, dtype=torch.float32)

        def loss(chosen: torch.Tensor) -> torch.Tensor:
            cases = fixed[chosen] if self.frozen else self.module_.latent(x[chosen])
            squared = (cases[:, None] - prototypes).square().sum(dim=2)
            own = owner == y[chosen][:, None]
            similar = torch.stack(
                [(-squared[:, owner == label]).exp().amax(dim=1) for label in range(len(self.class_names or ()))], dim=1
            )
            others = squared.where(~own, squared.new_tensor(float("inf"))).amin(dim=1).clamp(max=FARTHEST)
            return torch.nn.functional.cross_entropy(similar, y[chosen]) - self.separation * others.mean()

        best = -1.0

        def accuracy(found: Floats, centres: Floats) -> float:
            scores = _largest(np.exp(-_distances(found, centres)), self.owner_)
            return float((scores.argmax(axis=1) == answers).mean())

        def after_epoch(epoch: int) -> None:
            if epoch + 1 < self.warm_epochs:
                return
            self.module_.eval()
            push(self.latent(tested))
            self.module_.train()

        def push(found: Floats) -> None:
            nonlocal best
            with torch.no_grad():
                if accuracy(found, prototypes.numpy().astype(float)) <= best:
                    return
                places = self.latent(rows)
                source = nearest_pairs(_distances(places, prototypes.numpy().astype(float)), candidates, self.owner_)
                prototypes.copy_(torch.as_tensor(places[source], dtype=torch.float32))
            self.pushes_ += 1
            pushed = accuracy(found, places[source])
            if pushed > best:
                best = self.accuracy_ = pushed
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

    def _agrees(self, rows: Array, labels: Array) -> Array:
        """Whether the network that training starts from puts each case into its class."""
        import torch

        with torch.no_grad():
            return np.asarray(self.module_(torch.as_tensor(rows)).argmax(dim=1).numpy() == labels)

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


PARAMETERS = (
    "prototypes", "epochs", "warm_epochs", "separation", "learning_rate", "momentum", "weight_decay", "batch", "frozen",
    "trusted", "seed",
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
