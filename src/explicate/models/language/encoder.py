"""BERT-shaped encoders: sentence embeddings and similarities, classifications, masked tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from explicate.core.capabilities import Floats
from explicate.errors import CapabilityError, InputError, TargetError
from explicate.models.language import folders
from explicate.models.language.positions import Selection
from explicate.models.language.text_model import TextModel
from explicate.models.language.tokens import Batch

if TYPE_CHECKING:
    import torch

Output = Literal["embedding", "similarity", "class", "token"]
Pooling = Literal["mean", "first"]
AUTO = {
    "embedding": "AutoModel",
    "similarity": "AutoModel",
    "class": "AutoModelForSequenceClassification",
    "token": "AutoModelForMaskedLM",
}


class TextEncoder(TextModel):
    """A Hugging Face encoder that reads in both directions.

    Offers `Predictor`, `Differentiable` (in its word embeddings) and `Transparent`. Batches are padded on the right.
    The site `embed` is the word embedding, before positions and norm are added; `logits` are the outputs before
    `score` is applied, (sample, output), and have no positions.

    Parameters
    ----------
    module, tokenizer : from `AutoModel...` and `AutoTokenizer`.
    output : what to explain; default: what the module is made for.
        "embedding": the pooled final state, one output per dimension.
        "similarity": its cosine with each of `references`.
        "class": a sequence classifier's classes.
        "token": the vocabulary at the text's one mask token.
    references : texts to compare with, for "similarity".
    pooling : how final states become one vector: their "mean", or the "first" token's.
    normalise : whether the embedding is scaled to length one.
    score : of "class" and "token": "logit", "log-probability" or "probability".
    name, source, chunk, tokens_at_once, fingerprint : see `TextModel`.
    """

    side: ClassVar[Literal["left", "right"]] = "right"

    def __init__(
        self,
        module: Any,
        tokenizer: Any,
        *,
        output: Output | None = None,
        references: Sequence[str] = (),
        pooling: Pooling = "mean",
        normalise: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(module, tokenizer, **options)
        self.output: Output = output or _made_for(module, bool(references))
        if self.output not in AUTO:
            raise InputError(f"output {self.output!r} is unknown; use one of {', '.join(AUTO)}")
        if pooling not in ("mean", "first"):
            raise InputError(f"pooling {pooling!r} is unknown; use 'mean' or 'first'")
        if self.output in ("embedding", "similarity") and self.score != "logit":
            raise InputError(f"the score {self.score!r} is for classes and tokens; an {self.output} has none")
        if (self.output == "similarity") != bool(references):
            raise InputError("similarity needs references, and references need output='similarity'")
        if self.output in ("class", "token") and _made_for(module, False) != self.output:
            raise CapabilityError(
                f"{type(module).__name__} has no {self.output} output; load it with {AUTO[self.output]}"
            )
        self.pooling: Pooling = pooling
        self.normalise = normalise
        self.references = tuple(references)
        self._reference_embeddings = self._embed_references() if references else None

    @classmethod
    def from_folder(cls, folder: Any, **options: Any) -> TextEncoder:
        """Load a folder in Hugging Face's layout (safetensors only)."""
        output = options.get("output") or _output_of(folders.configuration(folders.Path(folder).expanduser()), options)
        return folders.from_folder(cls, folder, AUTO[output], **{**options, "output": output})

    @property
    def output_count(self) -> int:
        """Dimensions, references, classes or tokens."""
        if self.output == "embedding":
            return int(self.config.hidden_size)
        if self.output == "similarity":
            return len(self.references)
        return int(self.config.num_labels) if self.output == "class" else self.vocabulary

    def output_name(self, index: int) -> str:
        """A dimension's number, a reference text, a class's name or a token."""
        if self.output == "embedding":
            return f"dimension {index}"
        if self.output == "similarity":
            return self.references[index]
        if self.output == "class":
            return str((self.config.id2label or {}).get(index, f"class {index}"))
        return self.token_text(index)

    def output_index(self, name: str) -> int:
        """The inverse of `output_name`; a token may be given as text."""
        if self.output == "token":
            return self.token_index(name)
        names = [self.output_name(index) for index in range(self.output_count)]
        if name not in names:
            raise TargetError(f"{self.name!r} has no output {name!r}; it has {', '.join(names[:8])}")
        return names.index(name)

    def score_tensor(self, batch: Batch, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores (sample, output)."""
        found = self._visited(self._outputs(batch, embeddings))
        return self.transformed(found) if self.output in ("class", "token") else found

    def run(self, batch: Batch, embeddings: torch.Tensor, logits: bool) -> None:
        """Send a batch through, for what the hooks see."""
        self._visited(self._outputs(batch, embeddings))

    def _outputs(self, batch: Batch, embeddings: torch.Tensor) -> torch.Tensor:
        import torch

        given = {"inputs_embeds": embeddings, "attention_mask": batch.mask}
        if self.output == "class":
            classes: torch.Tensor = self.module(**given).logits
            return classes
        if self.output == "token":
            states = self.module.base_model(**given).last_hidden_state
            rows = torch.arange(len(states), device=states.device)
            tokens: torch.Tensor = self.module.get_submodule("cls")(states[rows, self._mask_places(batch)])
            return tokens
        states = self.module.base_model(**given).last_hidden_state
        if self.pooling == "first":
            pooled = states[:, 0]
        else:
            weights = batch.present[..., None].to(states.dtype)
            pooled = (states * weights).sum(1) / weights.sum(1)
        if self.normalise or self.output == "similarity":
            pooled = torch.nn.functional.normalize(pooled, dim=1)
        if self.output == "embedding" or self._reference_embeddings is None:
            return pooled
        return pooled @ torch.as_tensor(self._reference_embeddings, device=pooled.device, dtype=pooled.dtype).T

    def _visited(self, outputs: torch.Tensor) -> torch.Tensor:
        for site, handler in self.logit_handlers:
            if site.positions is not None:
                raise InputError(f"{site}: the outputs of {self.name!r} have no positions; leave them out")
            found = handler(outputs[:, None], Selection())
            outputs = outputs if found is None else found[:, 0]
        return outputs

    def _mask_places(self, batch: Batch) -> torch.Tensor:
        masked = batch.present & (batch.ids == self.tokenizer.mask_token_id)
        counts = masked.sum(1)
        if bool((counts != 1).any()):
            row = int((counts != 1).nonzero()[0])
            raise InputError(
                f"sample {row} has {int(counts[row])} mask tokens; {self.name!r} scores the one at "
                f"{self.tokenizer.mask_token!r}, so write it exactly once"
            )
        return masked.long().argmax(1)

    def _embed_references(self) -> Floats:
        wanted, self.output = self.output, "embedding"
        try:
            return self.predict(self.encode(list(self.references)))
        finally:
            self.output = wanted

    def _facts(self) -> list[Any]:
        return [self.output, self.pooling, self.normalise, list(self.references)]


def _made_for(module: Any, compares: bool) -> Output:
    name = type(module).__name__
    if name.endswith("ForSequenceClassification"):
        return "class"
    if name.endswith("ForMaskedLM"):
        return "token"
    return "similarity" if compares else "embedding"


def _output_of(config: dict[str, Any], options: dict[str, Any]) -> Output:
    name = (config.get("architectures") or [""])[0]
    if options.get("references"):
        return "similarity"
    if name.endswith("ForSequenceClassification"):
        return "class"
    return "token" if name.endswith("ForMaskedLM") else "embedding"
