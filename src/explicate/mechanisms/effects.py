"""What a change does to the next token: logit, logit difference, probability, KL divergence, rank.

Every figure is of the token after a prompt's last one. A cut prompt gives the figure of an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from explicate.core.capabilities import Array, Targets
from explicate.errors import InputError, NonFiniteScoreError, TargetError
from explicate.models.language import LanguageModel

if TYPE_CHECKING:
    import torch

Metric: TypeAlias = Literal["logit", "logit-difference", "log-probability", "probability", "kl", "rank", "logits"]
ALL_LOGITS: Literal["logits"] = "logits"
"""No figure but all logits; for `logits_of`."""
Figures: TypeAlias = "Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]"
"""Log-probabilities of the untouched prompts and of rows (row, vocabulary), and each row's prompt -> (row, figure)."""
METRICS = ("logit", "logit-difference", "log-probability", "probability", "kl", "rank")
LOGITS_AT_ONCE = 1 << 24
TOKENS_OF_TARGETS = 2  # the most columns of the unembedding that a target needs


@dataclass(frozen=True, eq=False)
class Readout:
    """From the final states of rows to one figure each.

    Attributes
    ----------
    model : the handle.
    metric : "logit" of the target, "logit-difference" of a contrast's two, "log-probability" or "probability" of the
        target (of a contrast: the difference), "kl" from the untouched prompt's distribution to the row's, in nats,
        "rank" of the target among all tokens, 0 for the likeliest (of a contrast: of its first).
    targets : tokens, (sample,) or (sample, 2).
    reference : states after the final norm of the untouched prompts, (sample, width).
    figures : your own figures, several a row, in the place of the metric.
    """

    model: LanguageModel
    metric: Metric
    targets: Targets
    reference: torch.Tensor
    figures: Figures | None = None

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        metric: Metric | None,
        targets: Targets | None,
        reference: torch.Tensor,
        figures: Figures | None = None,
    ) -> Readout:
        """Defaults filled in: the likeliest token of each untouched prompt; its logit, or a contrast's difference."""
        if targets is None:
            logits = cls(model, "logit", np.zeros(0, dtype=np.int64), reference).logits(reference)
            targets = np.asarray(logits.argmax(-1).cpu().numpy(), dtype=np.int64)
        return cls(model, checked_metric(metric, targets), targets, reference, figures)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """All logits (row, vocabulary) of normed states (row, width)."""
        return self._capped(self.model.module.get_output_embeddings()(states))

    def values(self, states: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """The figures (row,) of normed states (row, width); differentiable but for the rank."""
        if self._few_tokens:
            return self._differences(self._chosen(states, self._targets(states)[samples]))
        return self._from_logits(self.logits(states), samples)

    def from_states(self, states: torch.Tensor, samples: Array) -> Array:
        """As `values`, in slices that fit into memory, checked: float64 (row,)."""
        import torch

        found: list[Array] = []
        size = max(1, LOGITS_AT_ONCE // self.model.output_count)
        if self._few_tokens:
            size = max(size, len(states))
        with torch.no_grad():
            for start in range(0, len(states), size):
                part = slice(start, start + size)
                index = torch.as_tensor(samples[part], device=states.device)
                found.append(self.values(states[part], index).double().cpu().numpy())
        return self._finite(np.concatenate(found))

    def from_logits(self, logits: torch.Tensor, samples: Array) -> Array:
        """The figures (row,) of rows whose logits (row, vocabulary) are known."""
        import torch

        index = torch.as_tensor(samples, device=logits.device)
        if self._few_tokens:
            targets = self._targets(logits)[index]
            found = self._differences(logits.gather(1, targets if targets.ndim == 2 else targets[:, None]))
        else:
            found = self._from_logits(logits, index)
        return self._finite(found.double().cpu().numpy())

    def untouched(self) -> Array:
        """The figures of the untouched prompts (sample,)."""
        return self.from_states(self.reference, np.arange(len(self.reference)))

    @property
    def _few_tokens(self) -> bool:
        """Whether the logits of the targets alone are enough."""
        return self.figures is None and self.metric in ("logit", "logit-difference")

    def _before(self, samples: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of the rows' untouched prompts (row, vocabulary)."""
        own, which = samples.unique(return_inverse=True)
        return self.logits(self.reference[own]).to(like.dtype).log_softmax(-1)[which]

    def _from_logits(self, logits: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        if self.metric == ALL_LOGITS:
            return logits
        logits = logits.float() if logits.dtype.itemsize < 4 else logits
        if self.figures is not None:
            return self.figures(self._before(samples, logits), logits.log_softmax(-1), samples)
        targets = self._targets(logits)[samples]
        if self.metric == "kl":
            before, after = self._before(samples, logits), logits.log_softmax(-1)
            return (before.exp() * (before - after)).sum(-1).clamp(min=0)
        pair = targets if targets.ndim == 2 else targets[:, None]
        if self.metric == "rank":
            return (logits > logits.gather(1, pair[:, :1])).sum(-1).to(logits.dtype)
        spread = logits.log_softmax(-1) if self.metric == "log-probability" else logits.softmax(-1)
        return self._differences(spread.gather(1, pair))

    def _chosen(self, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Logits of some tokens only, (row, one or two)."""
        unembedding = self.model.module.get_output_embeddings()
        chosen = targets if targets.ndim == 2 else targets[:, None]
        found = (unembedding.weight[chosen] * states[:, None]).sum(-1)
        if unembedding.bias is not None:
            found = found + unembedding.bias[chosen]
        return self._capped(found)

    def _differences(self, pair: torch.Tensor) -> torch.Tensor:
        return pair[:, 0] - pair[:, 1] if pair.shape[1] == TOKENS_OF_TARGETS else pair[:, 0]

    def _capped(self, logits: torch.Tensor) -> torch.Tensor:
        cap = getattr(self.model.config, "final_logit_softcapping", None)
        return logits if cap is None else (logits / cap).tanh() * cap

    def _targets(self, like: Any) -> torch.Tensor:
        import torch

        return torch.as_tensor(self.targets, device=like.device)

    def _finite(self, found: Array) -> Array:
        if not np.isfinite(found).all():
            row = int(np.argwhere(~np.isfinite(found))[0][0])
            raise NonFiniteScoreError(f"the model {self.model.name!r} gave NaN or infinity for row {row} of a sweep")
        return found


def checked_metric(metric: Metric | None, targets: Targets) -> Metric:
    """The metric, or the one that suits the targets."""
    if metric is None or (metric == "logit" and targets.ndim == 2):
        return "logit" if targets.ndim == 1 else "logit-difference"
    if metric not in (*METRICS, ALL_LOGITS):
        raise InputError(f"metric {metric!r} is unknown; use one of {', '.join(METRICS)}")
    if metric == "logit-difference" and targets.ndim == 1:
        raise TargetError('a logit difference needs two tokens: target=explicate.Contrast("Mary", "John")')
    return metric
