"""Token ids in, batches of similar length through: what every handle on a transformer over tokens starts from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from explicate.core.capabilities import Array, ModelKind
from explicate.core.cost import spend
from explicate.core.interventions import Intervention
from explicate.core.sites import Site
from explicate.errors import InputError, NonFiniteScoreError, TargetError, counted
from explicate.models.base import Model, model_errors
from explicate.models.language import architectures, tokens
from explicate.models.language.architectures import Architecture
from explicate.models.language.positions import Frame, Handler, visit
from explicate.models.language.tokens import ABSENT, Batch
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import torch

Score = Literal["logit", "log-probability", "probability"]
SCORES = ("logit", "log-probability", "probability")


class TokenModel(Model):
    """A Hugging Face transformer with its tokenizer.

    Parameters
    ----------
    module : the transformers model; its weights and its attention kernel are left as they are.
    tokenizer : its tokenizer.
    name, source : see `Model`.
    chunk : most texts sent through at once; None leaves it to `tokens_at_once`.
    tokens_at_once : most columns, padding included, sent through at once.
    fingerprint : content hash of the weights, when the caller has one; otherwise it is taken of them.
    """

    kind: ClassVar[ModelKind] = "text"
    feature_dims: ClassVar[tuple[str, ...]] = ("token",)
    side: ClassVar[Literal["left", "right"]]

    def __init__(
        self,
        module: Any,
        tokenizer: Any,
        *,
        name: str | None = None,
        source: str | None = None,
        chunk: int | None = None,
        tokens_at_once: int = tokens.TOKENS_AT_ONCE,
        score: Score = "logit",
        fingerprint: str | None = None,
    ) -> None:
        super().__init__(name or type(module).__name__, source, chunk)
        if score not in SCORES:
            raise InputError(f"score {score!r} is unknown; use one of {', '.join(SCORES)}")
        self.module = module.eval()
        self.tokenizer = tokenizer
        self.score: Score = score
        self.tokens_at_once = tokens_at_once
        self.frame: Frame | None = None
        self.embed_handlers: list[tuple[Site, Handler]] = []
        self.logit_handlers: list[tuple[Site, Handler]] = []
        self.head_handlers: dict[int, list[tuple[Site, Handler]]] = {}
        self._active: list[Intervention] = []
        self._weights_fingerprint = fingerprint
        self._weights_seen = stamps(self.module)
        self._changes_seen: tuple[dict[str, Stamp], str] = ({}, "")
        self._special = np.array(sorted(set(tokenizer.all_special_ids)), dtype=np.int64)

    # -- layout ----------------------------------------------------------------------------------------------------

    @property
    def config(self) -> Any:
        """The transformers configuration."""
        return self.module.config

    @property
    def architecture(self) -> Architecture:
        """The entry of the architectures' table; a `CapabilityError` says how to add one."""
        return architectures.architecture_of(self.config, self.name)

    @property
    def blocks(self) -> Any:
        """The blocks, in order."""
        return self.module.base_model.get_submodule(self.architecture.blocks)

    @property
    def layer_count(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @property
    def head_count(self) -> int:
        """Number of query heads in a block."""
        return int(self.config.num_attention_heads)

    @property
    def width(self) -> int:
        """Width of an embedding."""
        return int(self.module.get_input_embeddings().weight.shape[1])

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return int(self.module.get_input_embeddings().weight.shape[0])

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        found: torch.device = next(self.module.parameters()).device
        return found

    # -- texts and tokens ------------------------------------------------------------------------------------------

    def encode(self, inputs: Any) -> Array:
        """Texts as int64 ids (sample, token), -1 on the right where a text is shorter.

        Takes a text, a list of texts, one or more lists of ids, or what a tokenizer gives (ids and attention mask).
        Special tokens are added as the tokenizer does it by default.
        """
        longest = getattr(self.config, "max_position_embeddings", None)
        return tokens.encode(inputs, self.tokenizer, self.vocabulary, longest, self.name)

    def decode(self, inputs: Array) -> list[str]:
        """Encoded texts as text; what is absent is left out."""
        return [str(self.tokenizer.decode(row[row >= 0].tolist())) for row in np.asarray(inputs)]

    def token_text(self, index: int) -> str:
        """The text of one token id, with its leading space."""
        return tokens.piece(self.tokenizer, int(index))

    def token_index(self, text: str) -> int:
        """The id of the one token that `text` is, with or without a leading space.

        Where both exist ("Mary" and " Mary"), a text that starts with a letter or digit means the token with the space,
        as it stands inside a sentence; give the id to mean the other.

        Raises
        ------
        TargetError : the text is several tokens.
        """
        spaced = " " + text
        for candidate in (spaced, text) if text[:1].isalnum() else (text, spaced):
            ids = tokens.tokenized(self.tokenizer, candidate, "the target", add_special_tokens=False)
            if len(ids) == 1 and ids[0] != self.tokenizer.unk_token_id:
                return int(ids[0])
            if text in (self.tokenizer.all_special_tokens or ()):
                return int(self.tokenizer.convert_tokens_to_ids(text))
        ids = tokens.tokenized(self.tokenizer, text, "the target", add_special_tokens=False)
        pieces = ", ".join(f"{self.token_text(i)!r} ({i})" for i in ids[:6])
        raise TargetError(f"{text!r} is not one token of {self.name!r} but {len(ids)}: {pieces}; choose one of them")

    def special_tokens(self, inputs: Array) -> Array:
        """Which entries are special tokens (beginning, separator, ...): bool, of the shape of `inputs`."""
        return np.isin(inputs, self._special)

    def words(self, sample: Array) -> Array:
        """The word that each token of one encoded text belongs to: int (token,), -1 for special and absent tokens."""
        texts = [self.token_text(int(i)) for i in sample]
        pieces = "##s" in self.tokenizer.get_vocab()
        return np.array(tokens.word_numbers(texts, self.special_tokens(sample).tolist(), pieces), dtype=np.int64)

    @property
    def blank_token(self) -> int:
        """The token that stands for a masked one.

        The tokenizer's mask token; where it has none (causal models), its padding token, else its end-of-text token,
        else the token of a single space.
        """
        for index in (
            self.tokenizer.mask_token_id,
            self.tokenizer.pad_token_id,
            self.tokenizer.eos_token_id,
        ):
            if index is not None:
                return int(index)
        return self.token_index(" ")

    @property
    def stand_in_token(self) -> int:
        """What a text consists of when all its tokens were deleted: the token that begins texts, else a blank one."""
        for index in (self.tokenizer.bos_token_id, self.tokenizer.cls_token_id):
            if index is not None:
                return int(index)
        return self.blank_token

    def feature_labels(self, inputs: Array) -> Mapping[str, Any]:
        """The tokens' texts as "input_text", and which of them are there as "present"."""
        texts = np.empty(inputs.shape, dtype=object)
        for place, index in np.ndenumerate(inputs):
            texts[place] = self.token_text(int(index))
        dims = ("sample", "token")
        return {"input_text": (dims, texts), "present": (dims, inputs != ABSENT)}

    # -- passes ----------------------------------------------------------------------------------------------------

    def batch(self, inputs: Array, prompt: Array | None = None) -> Batch:
        """Encoded texts as one padded batch on the model's device."""
        return tokens.make_batch(inputs, self.side, self.stand_in_token, self.device, prompt)

    def embeddings(self, batch: Batch, points: torch.Tensor | None = None) -> torch.Tensor:
        """Input embeddings (sample, column, width) of a batch; `points` take the place of its tokens' own."""
        import torch

        found = self.module.get_input_embeddings()(batch.ids)
        if batch.empty is not None:
            found = found.masked_fill(batch.empty[..., None], 0.0)
        if points is not None:
            inside = torch.as_tensor(batch.origin >= 0, device=found.device)
            found = points if bool(inside.all()) else points.where(inside[..., None], found)
        return self.embed_visited(found)

    def embed_visited(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings after what interventions do at the site `embed`."""
        for site, handler in self.embed_handlers:
            embeddings = visit(embeddings, site, self.frame or Frame.full(embeddings), handler)
        return embeddings

    @contextmanager
    def framed(self, frame: Frame | None) -> Iterator[None]:
        """Tell the hooks where the tokens are; None: a batch without padding."""
        before, self.frame = self.frame, frame
        try:
            yield
        finally:
            self.frame = before

    def _ids(self, inputs: Array) -> Array:
        inputs = np.asarray(inputs)
        if inputs.ndim != 2 or inputs.dtype.kind not in "iu":
            raise InputError(f"{self.name!r} takes token ids (sample, token); encode the texts first")
        if len(inputs) == 0:
            raise InputError(f"no samples given to the model {self.name!r}")
        return inputs

    def _chunks(self, inputs: Array) -> Iterator[Array]:
        """Row numbers of texts of similar length. Values that belong to rows or tokens keep all rows together."""
        lengths = np.maximum(tokens.lengths_of(inputs), 1)
        if self._keeps_rows_together():
            yield np.arange(len(inputs))
        else:
            yield from tokens.by_length(lengths, self.tokens_at_once, self.chunk)

    def _evaluated(self, rows: Array, function: Any, gradients: bool = False) -> Any:
        """Run one chunk: errors named, cost counted, answers checked."""
        with model_errors(self.name, f"on {counted(len(rows), 'text')}"):
            found = function()
        spend(**{"gradients" if gradients else "evaluations": len(rows)})
        if found is not None and not np.isfinite(found).all():
            row = int(rows[np.flatnonzero(~np.isfinite(found).reshape(len(rows), -1).all(axis=1))[0]])
            what = "gradient" if gradients else "score"
            raise NonFiniteScoreError(f"the model {self.name!r} gave a {what} that is NaN or infinite for sample {row}")
        return found

    def _own_fingerprint(self) -> str:
        """A hash of the weights, and of those changed, or added by an adapter, since the handle was made."""
        if self._weights_fingerprint is None:
            weights = [[key, value.detach().float().cpu().numpy()] for key, value in self.module.state_dict().items()]
            self._weights_fingerprint = digest(str(self.module), weights)
            self._weights_seen = stamps(self.module)
        now = stamps(self.module)
        if {stamp[0] for stamp in now.values()}.isdisjoint(stamp[0] for stamp in self._weights_seen.values()):
            self._weights_seen = now  # moved to another device as a whole: the values are the same
        if now == self._weights_seen:
            return self._weights_fingerprint
        if now != self._changes_seen[0]:
            parameters = dict(self.module.named_parameters())
            names = sorted(name for name, stamp in now.items() if self._weights_seen.get(name) != stamp)
            values = [[name, parameters[name].detach().float().cpu().numpy()] for name in names]
            gone = sorted(self._weights_seen.keys() - now.keys())
            self._changes_seen = (now, digest(self._weights_fingerprint, values, gone))
        return self._changes_seen[1]

    def _keeps_rows_together(self) -> bool:
        """Whether what is in force has values for single rows, so that all of them must run together and in order."""
        return False


Stamp = tuple[str, int, int]


def stamps(module: Any) -> dict[str, Stamp]:
    """Each parameter's device, place and number of writes: a cheap sign of changed values."""
    return {n: (str(p.device), p.data_ptr(), p._version) for n, p in module.named_parameters()}
