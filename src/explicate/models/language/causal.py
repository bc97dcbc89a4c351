"""Causal language models: the score of the next token, white box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from explicate.core.capabilities import Floats
from explicate.core.sites import Site
from explicate.errors import CapabilityError
from explicate.models.language import architectures, folders
from explicate.models.language.generation import Generation
from explicate.models.language.positions import Frame, visit
from explicate.models.language.text_model import TextModel
from explicate.models.language.tokens import Batch

if TYPE_CHECKING:
    import torch

MOST_LOGITS = 1 << 26  # 256 MiB: as many as one prompt may have for its last logits to be taken from all of them


class LanguageModel(Generation, TextModel):
    """A Hugging Face causal language model; its outputs are the vocabulary, scored after the last token.

    Offers `Predictor`, `Differentiable` (in its input embeddings), `Transparent` and `Generator`. The model runs as
    transformers loads it, its attention kernel included: for one prompt and without interventions the logits are those
    of the plain model, bit for bit. (Batches are padded on the left and agree up to rounding, as do the few columns
    that `scores` computes. Prompts whose logits would be more than 2**26 numbers are scored by their last position
    alone, as `generate` does in transformers.)

    Parameters
    ----------
    module, tokenizer : from `AutoModelForCausalLM` and `AutoTokenizer`.
    score : "logit", "log-probability" or "probability" of the next token.
    name, source, chunk, tokens_at_once, fingerprint : see `TextModel`.

    Raises
    ------
    CapabilityError : the module does not score a vocabulary.
    """

    side: ClassVar[Literal["left", "right"]] = "left"

    def __init__(self, module: Any, tokenizer: Any, **options: Any) -> None:
        name = type(module).__name__
        if not hasattr(module, "get_output_embeddings") or module.get_output_embeddings() is None:
            raise CapabilityError(
                f"{name} has no output over a vocabulary; load it with AutoModelForCausalLM, or use TextEncoder"
            )
        entry = architectures.known(module.config)
        if entry is not None and not entry.causal:
            raise CapabilityError(f"{name} reads in both directions; use TextEncoder for it")
        super().__init__(module, tokenizer, **options)

    @classmethod
    def from_folder(cls, folder: Any, **options: Any) -> LanguageModel:
        """Load a folder in Hugging Face's layout (safetensors only); see `explicate.models.loading` for names."""
        return folders.from_folder(cls, folder, "AutoModelForCausalLM", **options)

    @property
    def output_count(self) -> int:
        """The size of the vocabulary."""
        return int(self.module.get_output_embeddings().weight.shape[0])

    def output_name(self, index: int) -> str:
        """The token's text, with its leading space."""
        return self.token_text(index)

    def output_index(self, name: str) -> int:
        """The id of a token given as text; see `token_index`."""
        return self.token_index(name)

    def logits(self, inputs: Any) -> Floats:
        """Logits at every token of one text (token, vocabulary), exactly those of the plain model."""
        found = self.capture(inputs, [Site("logits")])[Site("logits")]
        return np.asarray(found[0])

    # -- passes ----------------------------------------------------------------------------------------------------

    def score_tensor(self, batch: Batch, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores (sample, vocabulary) after the last token."""
        single = len(batch.ids) == 1 and not batch.frame.ragged and batch.frame.width * self.output_count <= MOST_LOGITS
        return self.transformed(self._logits(batch, embeddings, 0 if single else 1)[:, -1])

    def target_tensor(self, batch: Batch, embeddings: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The targets' scores (sample,); for logits only the targets' rows of the unembedding are used."""
        if self.score != "logit" or not self._plain_unembedding():
            return super().target_tensor(batch, embeddings, targets)
        state = self._states(batch, embeddings)[:, -1]
        chosen = targets if targets.ndim == 2 else targets[:, None]
        unembedding = self.module.get_output_embeddings()
        found = (unembedding.weight[chosen] * state[:, None]).sum(-1)
        if unembedding.bias is not None:
            found = found + unembedding.bias[chosen]
        return found[:, 0] if targets.ndim == 1 else found[:, 0] - found[:, 1]

    def run(self, batch: Batch, embeddings: torch.Tensor, logits: bool) -> None:
        """Send a batch through, for what the hooks see."""
        if logits:
            self._logits(batch, embeddings, self._kept())
        else:
            self._states(batch, embeddings)

    def _states(self, batch: Batch, embeddings: torch.Tensor) -> torch.Tensor:
        """Final states (sample, column, width)."""
        outputs = self.module.base_model(
            inputs_embeds=embeddings,
            attention_mask=batch.mask,
            position_ids=batch.position_ids,
            use_cache=False,
        )
        states: torch.Tensor = outputs.last_hidden_state
        return states

    def _logits(self, batch: Batch, embeddings: torch.Tensor, keep: int) -> torch.Tensor:
        """Logits of the last `keep` columns (0: all of them): (sample, column, vocabulary)."""
        keep = keep if keep == 0 or not self.logit_handlers else self._kept()
        outputs = self.module(
            inputs_embeds=embeddings,
            attention_mask=batch.mask,
            position_ids=batch.position_ids,
            use_cache=False,
            logits_to_keep=keep,
        )
        return self.logits_visited(outputs.logits)

    def logits_visited(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits after what interventions do at the site `logits`."""
        for site, handler in self.logit_handlers:
            logits = visit(logits, site, self.frame or Frame.full(logits), handler)
        return logits

    def _kept(self) -> int:
        """Columns whose logits are needed: the last one, or those from the end that handlers ask for; 0 means all."""
        asked = [site.positions for site, _ in self.logit_handlers]
        if any(positions is None or max(positions) >= 0 for positions in asked):
            return 0
        return max([1, *(-position for positions in asked for position in positions or ())])

    def _plain_unembedding(self) -> bool:
        """Whether logits are the unembedding of the final state and nothing more happens to them, now."""
        import torch

        if architectures.known(self.config) is None or self.logit_handlers:
            return False
        unembedding = self.module.get_output_embeddings()
        return (
            type(unembedding) is torch.nn.Linear
            and not unembedding._forward_hooks
            and not self.module._forward_hooks
            and not getattr(self.config, "final_logit_softcapping", None)
        )
