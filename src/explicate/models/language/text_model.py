"""Scores of texts and their gradients in embedding space: what causal models and encoders share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array, Floats, Targets
from explicate.errors import InputError
from explicate.models.language.open_model import OpenModel
from explicate.models.language.token_model import Score
from explicate.models.language.tokens import Batch

if TYPE_CHECKING:
    import torch


class TextModel(OpenModel):
    """A transformer over token ids; offers `Predictor`, `Differentiable` and `Transparent`. See `TokenModel`."""

    @abstractmethod
    def score_tensor(self, batch: Batch, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores (sample, output) of a batch; differentiable."""

    def target_tensor(self, batch: Batch, embeddings: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The targets' scores (sample,) of a batch; differentiable."""
        scores = self.score_tensor(batch, embeddings)
        rows = scores.gather(1, targets if targets.ndim == 2 else targets[:, None])
        return rows[:, 0] if targets.ndim == 1 else rows[:, 0] - rows[:, 1]

    # -- scores ----------------------------------------------------------------------------------------------------

    def predict(self, inputs: Array) -> Floats:
        """Scores (sample, output) of encoded inputs."""
        inputs = self._ids(inputs)
        found = np.empty((len(inputs), self.output_count), dtype=np.float32)
        for rows in self._chunks(inputs):
            found[rows] = self._evaluated(rows, lambda rows=rows: self._forward(inputs[rows]))
        return found

    def scores(self, inputs: Array, targets: Targets) -> Floats:
        """The explained scores (sample,); only the targets' columns are computed where that suffices."""
        inputs = self._ids(inputs)
        found = np.empty(len(inputs), dtype=np.float32)
        for rows in self._chunks(inputs):
            found[rows] = self._evaluated(rows, lambda rows=rows: self._target_scores(inputs[rows], targets[rows]))
        return found

    def probabilities(self, inputs: Array, targets: Targets) -> Floats:
        """Softmax probabilities of the targets (sample,); of a contrast, the first one's."""
        inputs = self._ids(inputs)
        first = targets if targets.ndim == 1 else targets[:, 0]
        found = np.empty(len(inputs), dtype=np.float32)
        with self.scored_by("probability"):
            for rows in self._chunks(inputs):
                found[rows] = self._evaluated(rows, lambda rows=rows: self._target_scores(inputs[rows], first[rows]))
        return found

    @contextmanager
    def scored_by(self, score: Score) -> Iterator[None]:
        """Explain another score inside the block."""
        before, self.score = self.score, score
        try:
            yield
        finally:
            self.score = before

    def transformed(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (sample, output) in the space that is explained."""
        if self.score == "logit":
            return logits
        return logits.log_softmax(dim=-1) if self.score == "log-probability" else logits.softmax(dim=-1)

    def _forward(self, inputs: Array) -> Floats:
        import torch

        with torch.no_grad():
            batch = self.batch(inputs)
            with self.framed(batch.frame):
                return _numpy(self.score_tensor(batch, self.embeddings(batch)))

    def _target_scores(self, inputs: Array, targets: Targets) -> Floats:
        import torch

        with torch.no_grad():
            batch = self.batch(inputs)
            with self.framed(batch.frame):
                return _numpy(self.target_tensor(batch, self.embeddings(batch), self._target(targets)))

    # -- gradients -------------------------------------------------------------------------------------------------

    def continuous(self, inputs: Array) -> Floats:
        """Input embeddings (sample, token, width), as the model takes them in; 0 where there is no token."""
        import torch

        inputs = self._ids(inputs)
        with torch.no_grad():
            ids = torch.as_tensor(np.where(inputs >= 0, inputs, 0), device=self.device)
            found = self.module.get_input_embeddings()(ids).float().cpu().numpy()
        found[inputs < 0] = 0.0
        return np.asarray(found)

    def collapse(self, values: Floats) -> Floats:
        """Sum over the embedding's width: (sample, token, width) -> (sample, token)."""
        return np.asarray(values.sum(axis=-1))

    def point_scores(self, points: Floats, targets: Targets, inputs: Array | None = None) -> Floats:
        """The targets' scores (sample,) at points (sample, token, width); `inputs` says which tokens are there."""
        import torch

        inputs = self._points(points, inputs)
        found = np.empty(len(points), dtype=np.float32)

        def evaluate(rows: Array) -> Floats:
            with torch.no_grad():
                batch = self.batch(inputs[rows])
                with self.framed(batch.frame):
                    embeddings = self.embeddings(batch, self._compacted(batch, points[rows]))
                    return _numpy(self.target_tensor(batch, embeddings, self._target(targets[rows])))

        for rows in self._chunks(inputs):
            found[rows] = self._evaluated(rows, lambda rows=rows: evaluate(rows))
        return found

    def gradients(self, points: Floats, targets: Targets, inputs: Array | None = None) -> Floats:
        """Gradients of the targets' scores, of the shape of `points`; 0 where there is no token."""
        import torch

        inputs = self._points(points, inputs)
        found = np.zeros(points.shape, dtype=np.float32)

        def evaluate(rows: Array) -> Floats:
            batch = self.batch(inputs[rows])
            with torch.enable_grad(), self.framed(batch.frame), constant_weights(self.module):
                leaf = self._compacted(batch, points[rows]).requires_grad_(True)
                scores = self.target_tensor(batch, self.embeddings(batch, leaf), self._target(targets[rows]))
                (gradient,) = torch.autograd.grad(scores.sum(), leaf)
            placed = np.zeros((len(rows), *points.shape[1:]), dtype=np.float32)
            row, column = np.nonzero(batch.origin >= 0)
            placed[row, batch.origin[row, column]] = _numpy(gradient)[row, column]
            return placed

        for rows in self._chunks(inputs):
            found[rows] = self._evaluated(rows, lambda rows=rows: evaluate(rows), gradients=True)
        return found

    def _points(self, points: Floats, inputs: Array | None) -> Array:
        if points.ndim != 3 or points.shape[2] != self.width or len(points) == 0:
            raise InputError(
                f"points of {self.name!r} have the shape (sample, token, {self.width}), not {tuple(points.shape)}"
            )
        if inputs is None:
            return np.zeros(points.shape[:2], dtype=np.int64)
        if inputs.shape != points.shape[:2]:
            raise InputError(f"points of shape {tuple(points.shape)} for inputs of shape {tuple(inputs.shape)}")
        return self._ids(inputs)

    def _compacted(self, batch: Batch, points: Floats) -> torch.Tensor:
        import torch

        place = np.maximum(batch.origin, 0)[..., None]
        dtype = self.module.get_input_embeddings().weight.dtype
        return torch.as_tensor(np.take_along_axis(points, place, axis=1), device=self.device, dtype=dtype)

    def _target(self, targets: Targets) -> torch.Tensor:
        import torch

        return torch.as_tensor(np.ascontiguousarray(targets), device=self.device)


@contextmanager
def constant_weights(module: Any) -> Iterator[None]:
    """Weights as constants: a backward pass to the inputs then keeps much less."""
    changed = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in changed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in changed:
            parameter.requires_grad_(True)


def _numpy(tensor: torch.Tensor) -> Floats:
    return np.asarray(tensor.detach().float().cpu().numpy())
