"""Sparse autoencoders: activations as sums of few directions out of many, trained with many restarts at once.

`f = ReLU(W_e x + b_e)`, `x^ = W_d f + b_d`, decoder directions of length 1, loss `||x - x^||^2 + penalty ||f||_1`.
Source: Cunningham, Ewart, Riggs, Huben, Sharkey (2023), "Sparse Autoencoders Find Highly Interpretable Features in
Language Models"; the bias and the unit norms as in Bricken et al. (2023), "Towards Monosemanticity".
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.method import Parameterised
from explicate.errors import InputError, ModelError
from explicate.runtime.progress import bar
from explicate.runtime.seeds import derive_seed, generator

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class SparseAutoencoders:
    """Trained autoencoders of one size, one for each restart.

    Inputs are measured in units of `scale`, so that their mean squared length is their width; penalties and activations
    are in these units. The decoder's directions have length 1.

    Attributes
    ----------
    encoder : (restart, feature, width). encoder_bias : (restart, feature).
    decoder : (restart, feature, width). decoder_bias : (restart, width).
    penalties : (restart,). seeds : (restart,).
    scale : the length of an input by which it is divided, over the square root of the width.
    losses : (restart, step), of the training batches.
    """

    encoder: Floats
    encoder_bias: Floats
    decoder: Floats
    decoder_bias: Floats
    penalties: Floats
    seeds: tuple[int, ...]
    scale: float
    losses: Floats

    def __len__(self) -> int:
        return len(self.encoder)

    @property
    def feature_count(self) -> int:
        """Features of each autoencoder."""
        return int(self.encoder.shape[1])

    def encode(self, inputs: Floats, restart: int = 0) -> Floats:
        """Activations (input, feature) of inputs (input, width) in one restart."""
        own = (np.asarray(inputs) / self.scale) @ self.encoder[restart].T + self.encoder_bias[restart]
        return np.maximum(own, 0.0)

    def decode(self, activations: Floats, restart: int = 0) -> Floats:
        """Inputs (input, width) that activations (input, feature) stand for."""
        return (activations @ self.decoder[restart] + self.decoder_bias[restart]) * self.scale

    def quality(self, inputs: Floats, restart: int = 0) -> dict[str, float]:
        """On inputs that may be new: `explained` variance, `active` features per input, share of `dead` ones."""
        inputs = np.asarray(inputs, dtype=float)
        found = self.encode(inputs, restart)
        error = ((inputs - self.decode(found, restart)) ** 2).sum()
        spread = ((inputs - inputs.mean(axis=0)) ** 2).sum()
        active = found > 0
        return {
            "explained": float(1 - error / spread) if spread > 0 else 0.0,
            "active": float(active.sum(axis=1).mean()),
            "dead": float((~active.any(axis=0)).mean()),
        }

    def restart(self, number: int) -> SparseAutoencoders:
        """One of them by itself."""
        part = slice(number, number + 1)
        return replace(
            self,
            encoder=self.encoder[part],
            encoder_bias=self.encoder_bias[part],
            decoder=self.decoder[part],
            decoder_bias=self.decoder_bias[part],
            penalties=self.penalties[part],
            seeds=self.seeds[part],
            losses=self.losses[part],
        )


@dataclass(frozen=True)
class SparseAutoencoder(Parameterised):
    """Train sparse autoencoders on activations; all restarts (seeds times penalties) are one batch of tensors.

    Each restart has first weights and an order of the inputs of its own, so it comes out as if it was trained alone.

    Parameters
    ----------
    features : directions to learn. With fewer inputs than that: half as many as there are inputs, and a warning.
    penalties : weights of the sum of activations in the loss, each with every seed.
    steps, inputs_at_once, learning_rate : of Adam; with `inputs_at_once` None each step sees all inputs.
    restarts_at_once : bounds the memory; the result is the same.
    """

    name: ClassVar[str] = "sparse-autoencoder"

    features: int = 512
    penalties: tuple[float, ...] = (0.3,)
    steps: int = 1000
    inputs_at_once: int | None = None
    learning_rate: float = 1e-2
    restarts_at_once: int = 25

    def fit(self, inputs: Floats, seeds: Sequence[int] = (0,)) -> SparseAutoencoders:
        """Train on inputs (input, width), one restart for each seed and penalty.

        Raises
        ------
        InputError : inputs that are no finite matrix or all zero, no seeds, a parameter out of its range.
        ModelError : the loss became NaN or infinite.
        """
        inputs = self._checked(inputs, seeds)
        features = self.features
        if len(inputs) < features:
            features = max(1, len(inputs) // 2)
            warnings.warn(
                f"{len(inputs)} inputs for {self.features} features: {features} features are learned", stacklevel=2
            )
        scale = float(np.sqrt((inputs**2).sum(axis=1).mean() / inputs.shape[1]))
        restarts = [(seed, penalty) for penalty in self.penalties for seed in seeds]
        parts = []
        progress = bar(self.steps * -(-len(restarts) // self.restarts_at_once), "training sparse autoencoders")
        for start in range(0, len(restarts), self.restarts_at_once):
            some = restarts[start : start + self.restarts_at_once]
            parts.append(self._trained((inputs / scale).astype(np.float32), some, features, progress))
        progress.close()
        encoder, encoder_bias, decoder, decoder_bias, losses = (np.concatenate(e) for e in zip(*parts, strict=True))
        penalties, own_seeds = np.array([p for _, p in restarts]), tuple(int(seed) for seed, _ in restarts)
        return SparseAutoencoders(encoder, encoder_bias, decoder, decoder_bias, penalties, own_seeds, scale, losses)

    def _checked(self, inputs: Floats, seeds: Sequence[int]) -> Floats:
        inputs = np.asarray(inputs, dtype=float)
        if inputs.ndim != 2 or len(inputs) < 2 or not np.isfinite(inputs).all():
            raise InputError(f"{self.name} needs a finite matrix (input, width) of two inputs or more")
        if not (inputs != 0).any():
            raise InputError(f"{self.name}: all inputs are zero; capture them at another site")
        if not len(seeds) or not self.penalties or min(self.penalties) < 0:
            raise InputError(f"{self.name} needs seeds, and penalties of 0 or more")
        if min(self.features, self.steps, self.restarts_at_once) < 1 or not self.learning_rate > 0:
            raise InputError(f"{self.name}: features, steps and restarts_at_once are at least 1, learning_rate above 0")
        return inputs

    def _trained(self, inputs: Array, restarts: Any, features: int, progress: Any) -> tuple[Floats, ...]:
        import torch

        weights = [self._start(inputs.shape[1], features, inputs, seed) for seed, _ in restarts]
        encoder, decoder, decoder_bias = (torch.tensor(np.stack(each)) for each in zip(*weights, strict=True))
        encoder_bias = torch.zeros(len(restarts), 1, features)
        parameters = [x.requires_grad_() for x in (encoder, encoder_bias, decoder, decoder_bias)]
        optimiser = torch.optim.Adam(parameters, self.learning_rate)
        penalty = torch.tensor([p for _, p in restarts], dtype=torch.float32)
        x = torch.tensor(inputs)
        orders = [generator(derive_seed(seed, "order")) for seed, _ in restarts]
        losses = np.empty((len(restarts), self.steps))
        for step in range(self.steps):
            for group in optimiser.param_groups:  # falls to zero in the last fifth
                group["lr"] = self.learning_rate * min(1.0, 5 * (self.steps - step) / self.steps)
            batch = self._batch(x, orders)
            with torch.enable_grad():
                found = torch.relu(batch @ encoder.transpose(1, 2) + encoder_bias)
                error = (batch - found @ decoder - decoder_bias).square().sum(-1).mean(-1)
                loss = error + penalty * found.sum(-1).mean(-1)
                optimiser.zero_grad()
                loss.sum().backward()
            optimiser.step()
            with torch.no_grad():
                decoder.div_(decoder.norm(dim=-1, keepdim=True).clamp(min=1e-8))
            losses[:, step] = loss.detach().numpy()
            if not np.isfinite(losses[:, step]).all():
                progress.close()
                raise ModelError(f"{self.name}: the loss became {losses[:, step].max()}; lower the learning rate")
            progress.update(1)
        own = [x.detach().numpy() for x in (encoder, encoder_bias[:, 0], decoder, decoder_bias[:, 0])]
        return (*own, losses)

    def _start(self, width: int, features: int, inputs: Array, seed: int) -> tuple[Array, Array, Array]:
        """First weights: directions at random, the encoder their transpose, the bias the inputs' mean."""
        directions = generator(seed, "weights").standard_normal((features, width)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return directions.copy(), directions, inputs.mean(axis=0, keepdims=True)

    def _batch(self, x: torch.Tensor, orders: list[np.random.Generator]) -> torch.Tensor:
        """Inputs of one step: (restart, input, width), or all inputs for all."""
        import torch

        if self.inputs_at_once is None or self.inputs_at_once >= len(x):
            return x
        chosen = np.stack([rng.choice(len(x), self.inputs_at_once, replace=False) for rng in orders])
        return x[torch.as_tensor(chosen)]
