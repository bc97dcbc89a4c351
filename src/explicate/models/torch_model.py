"""Torch modules over arrays: scores and gradients, in chunks, parameters untouched. Base of images and torch tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explicate.core.capabilities import Array, Floats, Targets
from explicate.core.cost import spend
from explicate.errors import InputError, NonFiniteScoreError
from explicate.models.base import Model, model_errors
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import torch

Score = Literal["logit", "probability"]


class TorchModel(Model):
    """A torch module in evaluation mode; offers `Predictor` and `Differentiable`.

    Parameters
    ----------
    module : maps a float tensor (sample, *feature) to (sample, output) or (sample,).
    score : "logit" explains the module's outputs as they are; "probability" their softmax (sigmoid for one output).
    """

    def __init__(
        self,
        module: torch.nn.Module,
        name: str | None = None,
        source: str | None = None,
        chunk: int | None = None,
        score: Score = "logit",
    ) -> None:
        super().__init__(name or type(module).__name__, source, chunk)
        if score not in ("logit", "probability"):
            raise InputError(f"score {score!r} is unknown; use 'logit' or 'probability'")
        self.module = module.eval()
        self.score = score

    def dtype(self) -> torch.dtype:
        """The type of the module's parameters; inputs are converted to it."""
        import torch

        return next((p.dtype for p in self.module.parameters() if p.is_floating_point()), torch.float32)

    def device(self) -> torch.device:
        """Where the module's parameters are."""
        import torch

        return next((p.device for p in self.module.parameters()), torch.device("cpu"))

    def tensor(self, inputs: Array) -> torch.Tensor:
        """A chunk as the module takes it."""
        import torch

        return torch.as_tensor(np.require(inputs, requirements=("C", "W"))).to(device=self.device(), dtype=self.dtype())

    def outputs(self, tensor: torch.Tensor) -> torch.Tensor:
        """The module's outputs for a chunk, as a tensor (sample, output); subclasses may run a faster equal module."""
        return self.called(self.module, tensor)

    def called(self, module: torch.nn.Module, tensor: torch.Tensor) -> torch.Tensor:
        """What `module` makes of a chunk, (sample, output); its own errors are named."""
        with model_errors(self.name, f"on inputs of shape {tuple(tensor.shape)}"):
            found = module(tensor)
            found = getattr(found, "logits", found)
            return found[:, None] if found.ndim == 1 else found

    def score_tensor(self, outputs: torch.Tensor) -> torch.Tensor:
        """Outputs in the space that is explained."""
        if self.score == "logit":
            return outputs
        return outputs.sigmoid() if outputs.shape[1] == 1 else outputs.softmax(dim=1)

    def _forward(self, inputs: Array) -> Floats:
        import torch

        with torch.no_grad():
            return self.score_tensor(self.outputs(self.tensor(inputs))).cpu().numpy()

    def probabilities(self, inputs: Array, targets: Targets) -> Floats:
        """Softmax (one output: sigmoid) probabilities of the targets (sample,)."""
        if self.score == "probability":
            return self.scores(inputs, targets)
        logits = self.predict(inputs).astype(float)
        if logits.shape[1] == 1:
            return 1 / (1 + np.exp(-logits[:, 0]))
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        first = targets if targets.ndim == 1 else targets[:, 0]
        return np.asarray(shares[np.arange(len(shares)), first])

    def continuous(self, inputs: Array) -> Floats:
        """Inputs are points already."""
        return inputs

    def collapse(self, values: Floats) -> Floats:
        """Nothing was added, so nothing is summed."""
        return values

    def point_scores(self, points: Floats, targets: Targets, inputs: Array | None = None) -> Floats:
        """The targets' scores (sample,)."""
        return self.scores(points, targets)

    def gradients(self, points: Floats, targets: Targets, inputs: Array | None = None) -> Floats:
        """Gradients of the targets' scores, of the shape of `points`; counted and checked."""
        return np.concatenate([self._gradient(*chunk) for chunk in self.chunks(points, targets)])

    def _gradient(self, points: Floats, targets: Targets) -> Floats:
        import torch

        tensor = self.tensor(points).requires_grad_(True)
        asking = f"when asked for gradients at inputs of shape {points.shape}"
        with model_errors(self.name, asking), torch.enable_grad():
            scores = self.score_tensor(self.outputs(tensor))
            chosen = torch.as_tensor(targets, device=scores.device)
            rows = torch.arange(len(scores), device=scores.device)
            if chosen.ndim == 1:
                total = scores[rows, chosen].sum()
            else:
                total = (scores[rows, chosen[:, 0]] - scores[rows, chosen[:, 1]]).sum()
            (gradient,) = torch.autograd.grad(total, tensor)
        spend(gradients=len(points))
        found = gradient.cpu().numpy()
        if not np.isfinite(found).all():
            raise NonFiniteScoreError(f"the model {self.name!r} has a gradient that is NaN or infinite")
        return np.asarray(found)

    def fingerprint(self) -> str:
        """A hash of the module's structure, its weights and what is explained."""
        if getattr(self, "_fingerprint", None) is None:
            weights = [[name, value.detach().float().cpu().numpy()] for name, value in self.module.state_dict().items()]
            self._fingerprint = digest(self.kind, str(self.module), self.score, weights)
        return self._fingerprint


def without_parameter_gradients(module: Any) -> Any:
    """Mark all parameters as constants, which makes gradients with respect to inputs cheaper."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module
