"""Probes with hidden layers: what can be worked out from activations, not only read off them.

Source: Jin, Rinard (2023), "Evidence of Meaning in Language Models Trained on Programs", arXiv 2305.11169, section 4
and the authors' settings: first hidden layer 256, the next four times as wide, a norm before each ReLU, AdamW with a
falling rate, the best epoch on evaluation rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.mechanisms.probing.probe import Probe, Problem
from explicate.mechanisms.probing.splits import group_numbers
from explicate.runtime.seeds import derive_seed, generator

if TYPE_CHECKING:
    import torch

Norm = Literal["layer", "batch", "none"]
NORMS = ("layer", "batch", "none")
ROWS_AT_ONCE = 4096
SMALL = 1e-5  # added to a variance


@register("mlp-probe", "parts")
@dataclass(frozen=True)
class MLPProbe(Probe):
    """A feed-forward classifier; all problems of one place are trained together, each with its own weights.

    Parameters
    ----------
    hidden : widths of the hidden layers; none gives a linear probe that is trained the same way, to be compared with
        deeper ones.
    norm : before each ReLU: "layer", "batch" (over the rows of a step; running means afterwards) or "none".
    epochs : passes over the training rows. batch : rows a step.
    learning_rate, weight_decay : of AdamW. The rate is multiplied by `decay` at the end of each of `stages` equal parts
        of the training.
    evaluation : share of the training groups that is not learned from but chooses the best epoch; 0: the last one.
    """

    name: ClassVar[str] = "mlp-probe"

    hidden: tuple[int, ...] = (256,)
    norm: Norm = "layer"
    epochs: int = 200
    batch: int = 1024
    learning_rate: float = 0.01
    weight_decay: float = 0.2
    decay: float = 0.95
    stages: int = 150
    evaluation: float = 0.1

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise InputError(f"norm {self.norm!r} is unknown; use one of {', '.join(NORMS)}")
        if self.epochs < 1 or self.batch < 2 or self.stages < 1 or not self.learning_rate > 0:
            raise InputError("epochs and stages must be at least 1, batch at least 2, and the learning rate above 0")
        if any(width < 1 for width in self.hidden) or not 0 <= self.evaluation < 1:
            raise InputError("hidden widths are 1 or more, evaluation is a share of 0 or more and below 1")

    def outputs(self, features: Floats, problems: Sequence[Problem], classes: int, seed: int = 0) -> Floats:
        """As `Probe.outputs`; the same seed gives the same probes."""
        import torch

        if classes < 2:
            raise InputError(f"{self.name} reads classes: give labels of 2 or more of them, not {classes}")
        features = np.asarray(features, dtype=np.float32)
        if not np.isfinite(features).all():
            raise InputError("activations hold NaN or infinite values; no probe can be fitted to them")
        held = np.stack([self._held(problem, seed) for problem in problems], axis=1)
        learned = np.stack([problem.train for problem in problems], axis=1) & ~held
        if not learned.any(axis=0).all():
            raise InputError("a probe has no rows to learn from; give more training rows or groups")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "probe"))
            stack = _Stack(features, np.stack([problem.labels for problem in problems], axis=1), classes, self, learned)
            stack.learn(held, generator(seed, "order"))
        return stack.outputs()

    def _held(self, problem: Problem, seed: int) -> Array:
        """(sample,) bool: training rows that choose the epoch, in whole groups."""
        numbers = group_numbers(problem.groups, len(problem.train))
        own = np.unique(numbers[problem.train])
        count = round(self.evaluation * len(own))
        chosen = generator(seed, "evaluation").permutation(own)[:count]
        return np.asarray(problem.train & np.isin(numbers, chosen))


class _Stack:
    """Networks of one shape, one a problem, that read the same features."""

    def __init__(self, features: Floats, labels: Array, classes: int, recipe: MLPProbe, learned: Array) -> None:
        import torch

        self.recipe = recipe
        self.learned = torch.from_numpy(learned)
        self.labels = torch.from_numpy(np.where(labels >= 0, labels, 0).astype(np.int64))
        used = features[learned.any(axis=1)]
        spread = used.std(axis=0)
        scaled = (features - used.mean(axis=0)) / np.where(spread > 0, spread, 1)
        self.features = torch.from_numpy(scaled.astype(np.float32))
        problems = labels.shape[1]
        sizes = (features.shape[1], *recipe.hidden, classes)
        self.weights, self.biases = [], []
        for before, after in pairwise(sizes):
            bound = before**-0.5
            self.weights.append(torch.empty(problems, before, after).uniform_(-bound, bound).requires_grad_())
            self.biases.append(torch.empty(problems, 1, after).uniform_(-bound, bound).requires_grad_())
        self.scales = [torch.ones(problems, 1, width, requires_grad=True) for width in recipe.hidden]
        self.shifts = [torch.zeros(problems, 1, width, requires_grad=True) for width in recipe.hidden]
        self.means = [torch.zeros(problems, 1, width) for width in recipe.hidden]
        self.variances = [torch.ones(problems, 1, width) for width in recipe.hidden]

    @property
    def parameters(self) -> list[torch.Tensor]:
        norms = [] if self.recipe.norm == "none" else [*self.scales, *self.shifts]
        return [*self.weights, *self.biases, *norms]

    def learn(self, held: Array, rng: np.random.Generator) -> None:
        """Train, and put each problem's best epoch in force."""
        import torch

        recipe = self.recipe
        rows = np.flatnonzero(self.learned.any(dim=1).numpy())
        optimiser = torch.optim.AdamW(
            self.parameters, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        steps = -(-len(rows) // recipe.batch)
        total, done = recipe.epochs * steps, 0
        chosen = np.flatnonzero(held.any(axis=1))
        best, kept = torch.full((held.shape[1],), -1.0), [each.detach().clone() for each in self._state]
        for _ in range(recipe.epochs):
            for part in np.array_split(rng.permutation(rows), steps):
                stage = done * recipe.stages // total
                for group in optimiser.param_groups:
                    group["lr"] = recipe.learning_rate * recipe.decay**stage
                self._descend(torch.from_numpy(part), optimiser)
                done += 1
            if len(chosen):
                right = self._right(torch.from_numpy(chosen), torch.from_numpy(held[chosen]))
                better = right > best
                best = torch.where(better, right, best)
                for old, new in zip(kept, self._state, strict=True):
                    old[better] = new.detach()[better]
        if len(chosen):
            with torch.no_grad():
                for own, old in zip(self._state, kept, strict=True):
                    own.copy_(old)

    def outputs(self) -> Floats:
        """Logits of all rows (problem, sample, class)."""
        import torch

        with torch.no_grad():
            parts = [self._forward(rows) for rows in self.features.split(ROWS_AT_ONCE)]
            return np.asarray(torch.cat(parts, dim=1).numpy())

    @property
    def _state(self) -> list[torch.Tensor]:
        running = [*self.means, *self.variances] if self.recipe.norm == "batch" else []
        return [*self.parameters, *running]

    def _descend(self, rows: torch.Tensor, optimiser: Any) -> None:
        import torch.nn.functional as F

        logits = self._forward(self.features[rows], training=True)
        counted = self.learned[rows].T
        losses = F.cross_entropy(logits.transpose(1, 2), self.labels[rows].T, reduction="none")
        loss = ((losses * counted).sum(dim=1) / counted.sum(dim=1).clamp(min=1)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def _right(self, rows: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
        """(problem,) share of right answers on the rows that count for it."""
        import torch

        with torch.no_grad():
            guesses = torch.cat([self._forward(self.features[part]).argmax(-1) for part in rows.split(ROWS_AT_ONCE)], 1)
        right = (guesses == self.labels[rows].T) & counted.T
        return right.sum(dim=1) / counted.sum(dim=0).clamp(min=1)

    def _forward(self, rows: torch.Tensor, training: bool = False) -> torch.Tensor:
        """Logits (problem, row, class)."""
        import torch

        last = len(self.weights) - 1
        state = rows.expand(len(self.weights[0]), *rows.shape)
        for layer, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            state = torch.baddbmm(bias, state, weights)
            if layer < last:
                state = torch.relu(self._normed(state, layer, training))
        return state

    def _normed(self, state: torch.Tensor, layer: int, training: bool) -> torch.Tensor:
        import torch

        if self.recipe.norm == "none":
            return state
        if self.recipe.norm == "layer":
            mean, variance = state.mean(-1, keepdim=True), state.var(-1, correction=0, keepdim=True)
        elif training:
            mean, variance = state.mean(1, keepdim=True), state.var(1, correction=0, keepdim=True)
            with torch.no_grad():
                self.means[layer].lerp_(mean, 0.1)
                self.variances[layer].lerp_(variance, 0.1)
        else:
            mean, variance = self.means[layer], self.variances[layer]
        scaled = (state - mean) * torch.rsqrt(variance + SMALL)
        return scaled * self.scales[layer] + self.shifts[layer]
