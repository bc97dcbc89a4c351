"""A prototype network and its training: warm-up, joint steps, and the push that makes each prototype a training patch.

Source: Chen, Li, Tao, Barnett, Su, Rudin (2019), "This Looks Like That: Deep Learning for Interpretable Image
Recognition", arXiv 1806.10574.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.models.tiny.training import descend
from explicate.runtime.seeds import derive_seed, generator

if TYPE_CHECKING:
    import torch

    from explicate.glassbox.prototypes.encoders import Encoder

EPSILON = 1e-4
OFF_CLASS = -0.5  # what the last layer begins with
CHUNK = 64  # cases encoded at a time; the last chunk is filled up, so that a case is encoded alike in any company


@dataclass(frozen=True)
class Schedule:
    """How a network is trained; see `PrototypeNetwork`."""

    prototypes: int
    width: int
    epochs: int
    warm_epochs: int
    push_start: int
    push_every: int
    last_steps: int
    learning_rate: float
    encoder_rate: float
    cluster: float
    separation: float
    sparsity: float
    batch: int
    seed: int

    def pushes(self) -> list[int]:
        """The numbers of finished epochs at which prototypes are pushed."""
        return [
            n
            for n in range(1, self.epochs + 1)
            if n >= self.push_start and (n - self.push_start) % self.push_every == 0
        ]


@dataclass(frozen=True)
class Push:
    """One push: after how many epochs, and the training accuracy before it, after it, and after the last layer."""

    epoch: int
    before: float
    pushed: float
    after: float


class Network:
    """Encoder, the two maps to patches of `width` numbers in [0, 1], prototypes, and a last layer without bias.

    Attributes
    ----------
    classes : (prototype,) whose each is. source, patch : (prototype,) training case and place in it, after a push.
    pushes : what each push did.
    """

    def __init__(self, encoder: Encoder, shape: tuple[int, ...], classes: int, schedule: Schedule) -> None:
        import torch
        from torch import nn

        self.schedule = schedule
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(schedule.seed, "weights"))
            self.encoder = encoder(shape)
            width = schedule.width
            self.add_on = nn.Sequential(
                nn.Linear(self.encoder.channels, width), nn.ReLU(), nn.Linear(width, width), nn.Sigmoid()
            )
            self.classes = np.repeat(np.arange(classes), schedule.prototypes)
            self.prototypes = nn.Parameter(torch.rand(len(self.classes), width))
        own = torch.as_tensor(self.classes[:, None] == np.arange(classes))
        self.own = own.float()
        self.last = nn.Parameter(torch.where(own, 1.0, OFF_CLASS))
        self.source: Array | None = None
        self.patch: Array | None = None
        self.pushes: list[Push] = []

    def patches(self, inputs: Array) -> Array:
        """(case, patch, width), float32; alike for a case whatever the others are."""
        import torch

        found = []
        with torch.no_grad():
            for start in range(0, len(inputs), CHUNK):
                part = np.asarray(inputs[start : start + CHUNK], dtype=np.float32)
                filled = np.concatenate([part, np.zeros((CHUNK - len(part), *part.shape[1:]), dtype=np.float32)])
                found.append(self.add_on(self.encoder(torch.from_numpy(filled)))[: len(part)].numpy())
        return np.concatenate(found) if found else np.empty((0, 1, self.schedule.width), dtype=np.float32)

    def maps(self, patches: Array) -> Array:
        """Squared distances (case, prototype, patch), up to rounding."""
        prototypes = self.prototypes.detach().numpy()
        squares = np.square(patches).sum(axis=2)[:, None] + np.square(prototypes).sum(axis=1)[None, :, None]
        return np.maximum(squares - 2 * (prototypes @ patches.transpose(0, 2, 1)), 0.0)

    def nearest(self, patches: Array) -> tuple[Array, Array]:
        """The nearest patch of each case to each prototype (case, prototype), and its squared distance.

        The distance is summed over differences: it is 0, and not nearly so, for a prototype's own patch.
        """
        place = self.maps(patches).argmin(axis=2)
        prototypes = self.prototypes.detach().numpy()
        found = np.empty(place.shape, dtype=np.float32)
        rows = np.arange(len(patches))
        for number, prototype in enumerate(prototypes):
            found[:, number] = np.square(patches[rows, place[:, number]] - prototype).sum(axis=1)
        return found, place

    def fit(self, inputs: Array, codes: Array) -> None:
        """Train on cases (case, ...) with class codes (case,)."""
        import torch

        x = torch.as_tensor(np.asarray(inputs, dtype=np.float32))
        y = torch.as_tensor(codes)
        schedule = self.schedule
        parts = [*self.add_on.parameters(), self.prototypes]
        warm = torch.optim.Adam(parts, schedule.learning_rate)
        joint = torch.optim.Adam(
            [
                {"params": list(self.encoder.parameters()), "lr": schedule.encoder_rate},
                {"params": [*parts, self.last], "lr": schedule.learning_rate},
            ]
        )
        warmed = min(schedule.warm_epochs, schedule.epochs)
        bounds = sorted({0, warmed, *schedule.pushes(), schedule.epochs})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(schedule.seed, "steps"))
            for begin, end in pairwise(bounds):
                descend(
                    warm if end <= warmed else joint,
                    lambda rows: self._loss(x[rows], y[rows]),
                    len(x),
                    epochs=end - begin,
                    batch=schedule.batch,
                    rng=generator(schedule.seed, "order", begin),
                    name="a prototype network",
                )
                if end in schedule.pushes():
                    self._push(inputs, codes, end)

    def _loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        import torch.nn.functional as F

        patches = self.add_on(self.encoder(x))
        squares = patches.square().sum(dim=2)[:, None] + self.prototypes.square().sum(dim=1)[None, :, None]
        distances = (squares - 2 * self.prototypes @ patches.transpose(1, 2)).relu().amin(dim=2)
        logits = similarity(distances) @ self.last
        own = self.own[:, y].T > 0
        far = distances.new_tensor(float("inf"))
        near = distances.where(own, far).amin(dim=1).mean()
        others = distances.where(~own, far).amin(dim=1).mean()
        off_class = (self.last * (1 - self.own)).abs().sum()
        schedule = self.schedule
        return (
            F.cross_entropy(logits, y)
            + schedule.cluster * near
            - schedule.separation * others
            + schedule.sparsity * off_class
        )

    def _push(self, inputs: Array, codes: Array, epoch: int) -> None:
        """Put each prototype where the nearest patch of a training case of its class is, then adapt the last layer."""
        import torch

        patches = self.patches(inputs)
        distances, places = self.nearest(patches)
        before = self._accuracy(distances, codes)
        source = np.empty(len(self.classes), dtype=np.int64)
        for number, own in enumerate(self.classes):
            cases = np.flatnonzero(codes == own)
            source[number] = cases[np.argmin(distances[cases, number])]
        place = places[source, np.arange(len(source))]
        with torch.no_grad():
            self.prototypes.copy_(torch.from_numpy(patches[source, place]))
        self.source, self.patch = source, place
        distances, _ = self.nearest(patches)
        pushed = self._accuracy(distances, codes)
        self._adapt(distances, codes)
        self.pushes.append(Push(epoch, before, pushed, self._accuracy(distances, codes)))

    def _adapt(self, distances: Array, codes: Array) -> None:
        """Steps on the last layer alone."""
        import torch
        import torch.nn.functional as F

        near, y = similarity(torch.from_numpy(distances)), torch.as_tensor(codes)
        adam = torch.optim.Adam([self.last], self.schedule.learning_rate)

        def loss(rows: torch.Tensor) -> torch.Tensor:
            off_class = (self.last * (1 - self.own)).abs().sum()
            return F.cross_entropy(near @ self.last, y) + self.schedule.sparsity * off_class

        descend(
            adam, loss, len(near), epochs=self.schedule.last_steps, batch=len(near),
            rng=generator(self.schedule.seed, "last"), name="the last layer",
        )  # fmt: skip

    def _accuracy(self, distances: Array, codes: Array) -> float:
        logits = similarity(distances) @ self.last.detach().numpy()
        return float((logits.argmax(axis=1) == codes).mean())


def similarity(distances: Any) -> Any:
    """log((d + 1) / (d + 1e-4)), of arrays and tensors."""
    ratio = (distances + 1) / (distances + EPSILON)
    return np.log(ratio) if isinstance(ratio, np.ndarray) else ratio.log()
