"""Fusion in the decoder: passages are encoded each by itself, and one decoder reads them all.

So a set of passages is a mask on what the decoder looks at: each is encoded once, whichever others are there. Source:
Izacard, Grave (2021), "Leveraging Passage Retrieval with Generative Models for Open Domain Question Answering".
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from explicate.core.capabilities import Array, Masks, ModelKind
from explicate.core.cost import spend
from explicate.errors import CapabilityError, InputError
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import torch

ROWS = 100  # sets of passages that are decoded together
SIMILAR = 16  # passages that are encoded together


@dataclass(frozen=True, eq=False)
class Encoded:
    """Passages as the decoder sees them: states (passage, token, width), and which are tokens (passage, token)."""

    states: torch.Tensor
    present: Masks


class FusionInDecoder:
    """A T5 that was trained to read many passages at once.

    Parameters
    ----------
    module, tokenizer : an encoder-decoder of transformers whose encoder takes an attention mask.
    passage_tokens : of one passage at most; longer ones are cut, with a warning that lists them.
    name, source : how reports call it, and the text that loads it again.
    """

    kind: ClassVar[ModelKind] = "text"

    def __init__(
        self,
        module: Any,
        tokenizer: Any,
        *,
        passage_tokens: int = 256,
        name: str = "fusion-in-decoder",
        source: str | None = None,
    ) -> None:
        if not hasattr(module, "get_encoder") or not getattr(module.config, "is_encoder_decoder", False):
            raise CapabilityError(
                f"{type(module).__name__} has no encoder: encoding documents apart explains another model unless it "
                "was trained so; use LanguageModel for a decoder"
            )
        self.module, self.tokenizer = module.eval(), tokenizer
        self.passage_tokens, self.name, self.source = passage_tokens, name, source
        self.encoded = self.passes = 0

    def __repr__(self) -> str:
        return f"<FusionInDecoder {self.name!r}>"

    def fingerprint(self) -> str:
        """A hash of the weights."""
        weights = [[key, value.detach().float().cpu().numpy()] for key, value in self.module.state_dict().items()]
        return digest(type(self).__name__, str(self.module), weights)

    def tokens(self, texts: Sequence[str]) -> tuple[list[Array], list[Array]]:
        """Token ids of passages, and the characters (token, 2) that each stands for; long ones are cut and listed."""
        ids, spans, cut = [], [], []
        for number, text in enumerate(texts):
            read = self.tokenizer(text, return_offsets_mapping=True)
            if len(read["input_ids"]) > self.passage_tokens:
                cut.append(number + 1)
            ids.append(np.asarray(read["input_ids"][: self.passage_tokens], dtype=np.int64))
            spans.append(np.asarray(read["offset_mapping"][: self.passage_tokens], dtype=np.int64).reshape(-1, 2))
            if not len(ids[-1]):
                raise InputError(f"passage {number + 1} has no tokens")
        if cut:
            listed = ", ".join(map(str, cut))
            warnings.warn(f"passages cut to {self.passage_tokens} tokens: {listed}", UserWarning, stacklevel=3)
        return ids, spans

    def encode_passages(self, ids: Sequence[Array], seen: Sequence[Masks] | None = None) -> Encoded:
        """Encode passages, each by itself.

        Parameters
        ----------
        ids : token ids of each. seen : which of its tokens are there; the others keep their places, seen by nobody.
        """
        import torch

        wide = max(map(len, ids))
        padded = np.zeros((len(ids), wide), dtype=np.int64)
        present = np.zeros((len(ids), wide), dtype=bool)
        for row, one in enumerate(ids):
            padded[row, : len(one)] = one
            present[row, : len(one)] = True if seen is None else seen[row]
        encoder, parts = self.module.get_encoder(), []
        with torch.no_grad():
            for start in range(0, len(ids), SIMILAR):
                rows = slice(start, start + SIMILAR)
                tensors = (
                    torch.as_tensor(x[rows], device=self.module.device) for x in (padded, present.astype(np.int64))
                )
                given = dict(zip(("input_ids", "attention_mask"), tensors, strict=True))
                parts.append(encoder(**given).last_hidden_state)
        self.encoded += len(ids)
        return Encoded(torch.cat(parts), present)

    def write(self, encoded: Encoded, visible: Masks, max_new_tokens: int = 20) -> list[list[int]]:
        """Greedy answers, as token ids without that of the end, to sets of passages: visible is (set, passage)."""
        found: list[list[int]] = []
        for start in range(0, len(visible), ROWS):
            found += self._write(encoded, visible[start : start + ROWS], max_new_tokens)
        return found

    def text(self, ids: Sequence[int]) -> str:
        """What token ids say."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def _write(self, encoded: Encoded, visible: Masks, max_new_tokens: int) -> list[list[int]]:
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        used = visible.any(axis=0)  # what no set of this batch has need not be looked at
        seen = (visible[:, used, None] & encoded.present[used][None]).reshape(len(visible), -1)
        shown = encoded.present[used].ravel()
        if not seen.any(axis=1).all():
            raise InputError("a set of passages without a single token has nothing to answer from")
        states = encoded.states[torch.as_tensor(used)].flatten(0, 1)[torch.as_tensor(shown)]
        mask = torch.as_tensor(seen[:, shown].astype(np.int64), device=states.device)
        outputs = BaseModelOutput(last_hidden_state=states[None].expand(len(visible), -1, -1))
        config = self.module.config
        token = torch.full((len(visible), 1), int(config.decoder_start_token_id), device=states.device)
        cache: Any = None
        found: list[list[int]] = [[] for _ in visible]
        ended = np.zeros(len(visible), dtype=bool)
        with torch.no_grad():
            for _ in range(max_new_tokens):
                step = self.module(
                    encoder_outputs=outputs,
                    attention_mask=mask,
                    decoder_input_ids=token,
                    past_key_values=cache,
                    use_cache=True,
                )
                self.passes += 1
                cache = step.past_key_values
                token = step.logits[:, -1:].argmax(dim=-1)
                for row, index in enumerate(token[:, 0].tolist()):
                    ended[row] |= index == config.eos_token_id
                    if not ended[row]:
                        found[row].append(int(index))
                if ended.all():
                    break
        spend(evaluations=len(visible))
        return found
