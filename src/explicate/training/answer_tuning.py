"""Fine-tuning on answers alone: low-rank adapters learn what to say after a prompt, nothing about the prompt.

Source: Hu et al. (2022), "LoRA: Low-Rank Adaptation of Large Language Models"; the defaults are those of Minder et al.
(2024), "Controllable Context Sensitivity and the Knob Behind It", appendix B.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from explicate.core.cost import spend
from explicate.core.method import Parameterised
from explicate.errors import FileFormatError, InputError, ModelError, WindowError
from explicate.models.language import LanguageModel
from explicate.models.tiny.adapters import with_adapters
from explicate.runtime.files import cache_folder, replacing
from explicate.runtime.fingerprint import digest
from explicate.runtime.progress import bar
from explicate.runtime.seeds import derive_seed, generator

if TYPE_CHECKING:
    import torch

FORMAT = 1


@dataclass(frozen=True)
class AnswerTuning(Parameterised):
    """Fine-tune a copy of a language model on the answers to prompts.

    The tokens that all prompts of a batch begin with go through once for the batch, and only answer tokens are
    unembedded; neither changes the gradient.

    Parameters
    ----------
    rank, alpha, dropout : of the adapters. modules : the projections that get one.
    learning_rate, warmup, weight_decay : of AdamW; the rate rises for `warmup` steps, then falls to 0 along a line.
    epochs, batch : passes over the rows, and rows per step. most_tokens : of a prompt and its answer.
    """

    name: ClassVar[str] = "answer-tuning"

    rank: int = 64
    alpha: int = 16
    dropout: float = 0.0
    modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    learning_rate: float = 2e-4
    warmup: int = 5
    weight_decay: float = 0.01
    epochs: int = 1
    batch: int = 16
    most_tokens: int = 2048

    def fit(
        self,
        model: LanguageModel,
        prompts: Any,
        answers: Sequence[Sequence[int]],
        *,
        seed: int = 0,
        name: str | None = None,
        cache: bool = True,
    ) -> LanguageModel:
        """Train adapters and give a model of their own weights merged with the given one's, which stays as it is.

        Parameters
        ----------
        prompts : as `encode` takes them. answers : the ids of each answer's tokens, end-of-text included if wanted.
        seed : of the adapters' first values and of the order of the rows.
        cache : keep the adapters in the user's cache, under a hash of model, rows and parameters, or find them there.

        Raises
        ------
        WindowError : a prompt with its answer is longer than `most_tokens`; nothing is cut.
        ModelError : the loss became NaN or infinite.
        """
        rows = self._rows(model, prompts, answers)
        tuned = with_adapters(
            copy.deepcopy(model.module),
            rank=self.rank,
            scale=self.alpha,
            modules=self.modules,
            dropout=self.dropout,
            seed=derive_seed(seed, "adapters"),
        )
        path = None
        if cache:
            key = digest(FORMAT, model.fingerprint(), self.key(), seed, [[list(a), list(b)] for a, b in rows])
            path = cache_folder("adapters") / f"{key}.safetensors"
        if path is not None and path.exists():
            _restore(tuned, path)
        else:
            self._train(tuned, rows, seed, name or model.name)
            if path is not None:
                _keep(tuned, path)
        module = tuned.merge_and_unload()
        for parameter in module.parameters():
            parameter.requires_grad_(True)
        return LanguageModel(module, model.tokenizer, name=name or f"{model.name}, tuned", score=model.score)

    def _rows(
        self, model: LanguageModel, prompts: Any, answers: Sequence[Sequence[int]]
    ) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        ids = model.encode(prompts)
        if len(ids) != len(answers) or not len(ids):
            raise InputError(f"{len(ids)} prompts and {len(answers)} answers; give one answer each, as token ids")
        found = []
        for number, (row, answer) in enumerate(zip(ids, answers, strict=True)):
            prompt = tuple(int(i) for i in row[row >= 0])
            if not len(answer):
                raise InputError(f"answer {number} is empty; give at least one token")
            if len(prompt) + len(answer) > self.most_tokens:
                raise WindowError(
                    f"prompt {number} and its answer have {len(prompt) + len(answer)} tokens, more than "
                    f"most_tokens={self.most_tokens}; shorten it (nothing is cut)"
                )
            found.append((prompt, tuple(int(i) for i in answer)))
        return found

    def _train(self, tuned: Any, rows: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], seed: int, name: str) -> None:
        import torch

        weights = [parameter for parameter in tuned.parameters() if parameter.requires_grad]
        optimiser = torch.optim.AdamW(weights, lr=self.learning_rate, weight_decay=self.weight_decay)
        steps = self.epochs * -(-len(rows) // self.batch)
        rng = generator(seed, "order of rows")
        progress = bar(steps, f"fine-tuning {name}")
        tuned.train()
        step = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "dropout"))
            for _ in range(self.epochs):
                order = rng.permutation(len(rows))
                for first in range(0, len(order), self.batch):
                    chosen = [rows[i] for i in order[first : first + self.batch]]
                    for group in optimiser.param_groups:
                        group["lr"] = self.learning_rate * self._share(step, steps)
                    with torch.enable_grad():
                        loss = answer_loss(tuned.get_base_model(), chosen)
                        optimiser.zero_grad()
                        loss.backward()
                    optimiser.step()
                    spend(gradients=len(chosen))
                    if not bool(torch.isfinite(loss)):
                        progress.close()
                        raise ModelError(f"fine-tuning {name}: the loss is {float(loss.detach())}; lower learning_rate")
                    step += 1
                    progress.update(1)
        progress.close()
        tuned.eval()

    def _share(self, step: int, steps: int) -> float:
        """The learning rate at a step, as a share of the largest."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        return (steps - step) / max(1, steps - self.warmup)


def answer_loss(module: Any, rows: Sequence[tuple[Sequence[int], Sequence[int]]]) -> torch.Tensor:
    """Mean surprise at the answers' tokens, in nats, of a causal model on (prompt, answer) pairs of ids."""
    import torch
    from transformers import DynamicCache

    texts = [[*prompt, *answer] for prompt, answer in rows]
    common = min(_common(texts), min(len(prompt) for prompt, _ in rows) - 1)
    device = next(module.parameters()).device
    width = max(len(text) for text in texts)
    padded = torch.zeros((len(texts), width), dtype=torch.long, device=device)  # on the right: nothing real sees it
    for row, text in enumerate(texts):
        padded[row, : len(text)] = torch.tensor(text, device=device)
    past = None
    if common > 0:
        past = DynamicCache()
        module.base_model(input_ids=padded[:1, :common], past_key_values=past, use_cache=True)
        past.batch_repeat_interleave(len(texts))
    rest = padded[:, common:-1]
    states = module.base_model(input_ids=rest, past_key_values=past, use_cache=past is not None).last_hidden_state
    places = [
        (row, len(prompt) - 1 + i - common, token)
        for row, (prompt, answer) in enumerate(rows)
        for i, token in enumerate(answer)
    ]
    at = torch.tensor(places, device=device)
    logits = module.get_output_embeddings()(states[at[:, 0], at[:, 1]])
    logits = logits.float() if logits.dtype.itemsize < 4 else logits
    return torch.nn.functional.cross_entropy(logits, at[:, 2])


def _common(texts: Sequence[Sequence[int]]) -> int:
    """How many tokens all texts begin with."""
    shortest = min(len(text) for text in texts)
    block = np.array([list(text[:shortest]) for text in texts])
    same = (block == block[0]).all(axis=0)
    return shortest if same.all() else int(same.argmin())


def _keep(tuned: Any, path: Path) -> None:
    from safetensors.torch import save_file

    weights = {name: value.detach().contiguous() for name, value in tuned.named_parameters() if value.requires_grad}
    with replacing(path) as temporary:
        save_file(weights, temporary)


def _restore(tuned: Any, path: Path) -> None:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    own = {name: value for name, value in tuned.named_parameters() if value.requires_grad}
    try:
        kept = load_file(path)
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(kept[name])
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise FileFormatError(f"the kept adapters {path} are damaged; delete the file to train them again") from error
