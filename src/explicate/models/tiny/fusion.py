"""A small fusion-in-decoder model, trained from scratch on questions whose answer one of several passages holds."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.language.documents import DocumentQuestion, document_questions
from explicate.errors import InputError, ModelError
from explicate.models.language.fusion_in_decoder import FusionInDecoder
from explicate.runtime.files import cache_folder, replacing
from explicate.runtime.fingerprint import digest
from explicate.runtime.progress import bar
from explicate.runtime.seeds import derive_seed

if TYPE_CHECKING:
    import torch

FORMAT = 1
PADDING, END, UNKNOWN = "<pad>", "</s>", "<unk>"


@dataclass(frozen=True)
class FusionRecipe:
    """The model's shape, and how it is trained.

    Parameters
    ----------
    width, heads, mlp_width, encoder_layers, decoder_layers : of the T5.
    steps, batch, learning_rate : of Adam, with a linear warm-up over a tenth of the steps and a linear fall after it.
    documents, rivals, filler : of each training question (see `document_questions`); fewer documents than are read
        later do, for each is encoded by itself.
    seed : of the weights and of the questions.
    """

    width: int = 256
    heads: int = 4
    mlp_width: int = 512
    encoder_layers: int = 3
    decoder_layers: int = 2
    steps: int = 600
    batch: int = 16
    learning_rate: float = 1e-3
    documents: int = 4
    rivals: int = 0
    filler: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or not self.learning_rate > 0 or self.width % self.heads:
            raise InputError("steps and batch must be at least 1, the learning rate above 0, width a multiple of heads")


def passage(question: str, number: int, title: str, text: str) -> str:
    """A passage as `PassageReader` makes it of a `DocumentPrompt`."""
    return f"{question} Document [{number}] (Title: {title}) {text}"


def tokenizer() -> Any:
    """Words and single digits and signs; the vocabulary is that of `document_questions`."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words: set[str] = set(map(str, range(10))) | set("[]():.,?")
    for one in document_questions(400, 0, 10, 8, 3):
        texts = [one.question, *(passage("", 1, d.title, d.text) for d in one.documents)]
        words |= {word for text in texts for word in re.findall(r"[A-Za-z]+", text)}
    known = [PADDING, END, UNKNOWN, *sorted(words)]
    inner = Tokenizer(models.WordLevel({word: place for place, word in enumerate(known)}, unk_token=UNKNOWN))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[A-Za-z]+|\d|[^\sA-Za-z\d]"), "removed", invert=True)
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token=PADDING, eos_token=END, unk_token=UNKNOWN)


def train_fusion(recipe: FusionRecipe | None = None, cache: bool = True) -> FusionInDecoder:
    """Train the model, or load it from the cache.

    Raises
    ------
    ModelError : the loss became NaN or infinite.
    """
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import T5Config, T5ForConditionalGeneration

    recipe = recipe or FusionRecipe()
    words = tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "weights"))
        config = T5Config(
            vocab_size=len(words), d_model=recipe.width, d_kv=recipe.width // recipe.heads, d_ff=recipe.mlp_width,
            num_layers=recipe.encoder_layers, num_decoder_layers=recipe.decoder_layers, num_heads=recipe.heads,
            dropout_rate=0.0, pad_token_id=0, eos_token_id=1,
        )  # fmt: skip
        config.decoder_start_token_id = 0
        module = T5ForConditionalGeneration(config)
        sample = [dataclasses.astuple(one) for one in _questions(recipe, 0)[:2]]
        key = digest(FORMAT, dataclasses.asdict(recipe), sorted(words.get_vocab()), repr(sample))
        path = cache_folder("tiny") / f"fusion-{key}.safetensors"
        if cache and path.exists():
            module.load_state_dict(
                load_file(path), strict=False
            )  # the embedding that encoder and decoder share is once
            return FusionInDecoder(module, words, name="tiny-fusion")
        _descend(module, words, recipe)
    if cache:
        with replacing(path) as temporary:
            save_file({"shared.weight": module.shared.weight.detach().clone(), **_own(module)}, temporary)
    return FusionInDecoder(module, words, name="tiny-fusion")


def _own(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    tied = ("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
    return {key: value.detach().clone() for key, value in module.state_dict().items() if key not in tied}


def _questions(recipe: FusionRecipe, step: int) -> list[DocumentQuestion]:
    seed = derive_seed(recipe.seed, "training", step)
    return document_questions(recipe.batch, seed, recipe.documents, recipe.filler, recipe.rivals)


def _descend(module: Any, words: Any, recipe: FusionRecipe) -> None:
    import torch

    optimiser = torch.optim.Adam(module.parameters(), recipe.learning_rate)
    warm = max(1, recipe.steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, (recipe.steps - step) / max(1, recipe.steps - warm))
    )
    module.train()
    progress = bar(recipe.steps, "training a fusion-in-decoder model")
    for step in range(recipe.steps):
        asked = _questions(recipe, step)
        ids, mask, labels = (torch.as_tensor(part) for part in _batch(words, asked))
        states = module.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        joined = states.reshape(len(asked), -1, states.shape[-1])
        loss = module(encoder_outputs=(joined,), attention_mask=mask.reshape(len(asked), -1), labels=labels).loss
        if not bool(torch.isfinite(loss)):
            raise ModelError(f"training a fusion-in-decoder model: the loss is {loss.item()}; lower the learning rate")
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        progress.update(1)
    progress.close()
    module.eval()


def _batch(words: Any, asked: Sequence[DocumentQuestion]) -> tuple[Array, Array, Array]:
    texts = [
        passage(one.question, number, document.title, document.text)
        for one in asked
        for number, document in enumerate(one.documents, 1)
    ]
    read = words(texts, padding=True, return_tensors="np")
    answers = words([one.answer for one in asked], return_tensors="np")["input_ids"]
    labels = np.concatenate([answers, np.full((len(asked), 1), words.eos_token_id)], axis=1)
    return read["input_ids"], read["attention_mask"], labels
