"""Generation with a key/value cache, greedy by default, also while interventions are in force.

What an intervention means during generation
--------------------------------------------
Positions count the tokens of each row's *prompt*: 0 is its first token, -1 its last, and they go on meaning those
tokens while new ones are added. So an intervention with positions acts while the prompt is read, and at `k` and `v` in
every later step too, because each step reads the prompt's keys and values again. One without positions acts on the
prompt and on every new token. With a cache this gives the same tokens as running the whole text again at every step,
because what a token has put into the cache was computed under the interventions and never changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import spend
from explicate.errors import InputError
from explicate.models.language import tokens
from explicate.runtime.seeds import generator

if TYPE_CHECKING:
    import torch

ROWS_AT_ONCE = 16
LOGITS_AT_ONCE = 1 << 26


class Generation:
    """The part of a causal language model that writes text; see the module's text for interventions."""

    if TYPE_CHECKING:
        name: str
        module: Any
        tokenizer: Any
        config: Any
        vocabulary: int
        output_count: Any
        encode: Any
        batch: Any
        embeddings: Any
        embed_visited: Any
        framed: Any
        logits_visited: Any
        blank_token: int
        _active: list[Any]
        _chunks: Any
        _kept: Any
        _evaluated: Any
        _logits: Any

    def generate(
        self,
        prompts: Sequence[str] | str,
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> list[str]:
        """One continuation per prompt, special tokens left out.

        Parameters
        ----------
        prompts : texts, or token ids as `encode` takes them.
        temperature : 0 takes the token with the highest logit; above 0 tokens are drawn.
        top_k, top_p : draw among the k likeliest tokens (0: all), or the fewest that reach this probability.
        stop : a continuation ends before the first of these texts.
        seed : draws of row i depend on this and i only, not on the batch.
        """
        found = []
        for ids in self.generate_tokens(
            prompts,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            stop=stop,
            seed=seed,
        ):
            text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
            for end in stop:
                text = text.split(end, 1)[0]
            found.append(text)
        return found

    def generate_tokens(
        self,
        prompts: Any,
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> list[list[int]]:
        """As `generate`, as token ids; an end-of-text token is kept."""
        if max_new_tokens < 1:
            raise InputError(f"max_new_tokens is {max_new_tokens}; ask for at least 1")
        if temperature < 0 or top_k < 0 or not 0 < top_p <= 1:
            raise InputError("temperature and top_k must be 0 or more, top_p above 0 and at most 1")
        inputs = self.encode(prompts)
        longest = getattr(self.config, "max_position_embeddings", None)
        lengths = tokens.lengths_of(inputs)
        if longest is not None and (lengths + max_new_tokens > longest).any():
            raise InputError(
                f"a prompt of {int(lengths.max())} tokens and {max_new_tokens} new ones are more than the {longest} "
                f"that {self.name!r} takes"
            )
        found: list[list[int]] = [[] for _ in inputs]
        for chunk in self._chunks(inputs):
            size = len(chunk) if self._active else ROWS_AT_ONCE
            for start in range(0, len(chunk), size):
                rows = chunk[start : start + size]
                draws = [generator(seed, int(row)) for row in rows] if temperature else []

                def write(rows: Array = rows, draws: list[np.random.Generator] = draws) -> None:
                    choose = _chooser(draws, temperature, top_k, top_p)
                    for row, ids in zip(rows, self._written(inputs[rows], max_new_tokens, choose, stop), strict=True):
                        found[row] = ids

                self._evaluated(rows, write)
        return found

    def _written(self, inputs: Array, count: int, choose: Any, stop: Sequence[str]) -> list[list[int]]:
        import torch

        ends = torch.tensor(self._end_tokens())
        written: list[list[int]] = [[] for _ in inputs]
        open_rows = np.ones(len(inputs), dtype=bool)
        steps = self._steps(inputs)
        logits = next(steps)
        for step in range(count):
            chosen = choose(logits)
            for row in np.flatnonzero(open_rows):
                written[row].append(int(chosen[row]))
                text = self.tokenizer.decode(written[row]) if stop else ""
                if bool((ends == chosen[row]).any()) or any(end in text for end in stop):
                    open_rows[row] = False
            if not open_rows.any() or step == count - 1:
                break
            spend(evaluations=int(open_rows.sum()))
            chosen[~torch.as_tensor(open_rows)] = self.blank_token
            logits = steps.send(chosen)
        steps.close()
        return written

    def _steps(self, inputs: Array) -> Any:
        """A coroutine: gives logits (sample, vocabulary), is sent the tokens (sample,) that follow."""
        import torch
        from transformers import DynamicCache

        batch = self.batch(inputs)
        frame, mask, positions = batch.frame, batch.mask, batch.position_ids
        cache = DynamicCache()
        embeddings = None
        ids = None
        while True:
            with torch.no_grad(), self.framed(frame):
                if ids is None:
                    embeddings = self.embeddings(batch)
                else:
                    embeddings = self.embed_visited(self.module.get_input_embeddings()(ids[:, None]))
                outputs = self.module(
                    inputs_embeds=embeddings,
                    attention_mask=mask,
                    position_ids=positions,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=self._kept() if ids is None else 1,
                )
                logits = self.logits_visited(outputs.logits)[:, -1].float().cpu()
            ids = (yield logits).to(batch.ids.device)
            positions = frame.totals[:, None]
            frame = frame.grown()
            if mask is not None:
                mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)

    def _end_tokens(self) -> list[int]:
        found = getattr(getattr(self.module, "generation_config", None), "eos_token_id", None)
        found = self.tokenizer.eos_token_id if found is None else found
        return [] if found is None else list(found) if isinstance(found, list | tuple) else [int(found)]

    def log_probabilities(self, prompts: Sequence[str], continuations: Sequence[str]) -> list[Floats]:
        """Log-probability of each token of each continuation after its prompt.

        Prompt and continuation become tokens each on its own, so a continuation inside a sentence starts with a space.
        Positions of interventions count in the prompt.
        """
        if isinstance(prompts, str) or isinstance(continuations, str) or len(prompts) != len(continuations):
            raise InputError("give as many continuations as prompts, each a list of texts")
        first = self.encode(list(prompts))
        heads = [row[row != tokens.ABSENT] for row in first]
        tails = []
        for number, text in enumerate(continuations):
            ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            if not ids:
                raise InputError(f"continuation {number} is empty; give at least one token")
            tails.append(np.asarray(ids, dtype=np.int64))
        inputs = self.encode([np.concatenate(pair).tolist() for pair in zip(heads, tails, strict=True)])
        sizes = np.array([len(tail) for tail in tails])
        found: list[Floats] = [np.empty(0)] * len(tails)
        for rows in self._chunks_of_logits(inputs, sizes):

            def score(rows: Array = rows) -> None:
                for row, values in zip(rows, self._continued(inputs[rows], sizes[rows]), strict=True):
                    found[row] = values

            self._evaluated(rows, score)
        return found

    def _chunks_of_logits(self, inputs: Array, sizes: Array) -> Iterator[Array]:
        for chunk in self._chunks(inputs):
            size = max(1, LOGITS_AT_ONCE // ((int(sizes[chunk].max()) + 1) * self.output_count))
            size = len(chunk) if self._active else size
            for start in range(0, len(chunk), size):
                yield chunk[start : start + size]

    def _continued(self, inputs: Array, sizes: Array) -> list[Floats]:
        import torch

        keep = int(sizes.max()) + 1
        with torch.no_grad():
            batch = self.batch(inputs, prompt=tokens.lengths_of(inputs) - sizes)
            with self.framed(batch.frame):
                logits = self._logits(batch, self.embeddings(batch), keep)
        found = []
        for row, size in enumerate(sizes):  # padding is on the left, so a row's last tokens are the last columns
            shares = logits[row, -size - 1 : -1].float().log_softmax(-1)
            found.append(shares.gather(1, batch.ids[row, -size:, None])[:, 0].cpu().numpy())
        return found


def _chooser(draws: list[np.random.Generator], temperature: float, top_k: int, top_p: float) -> Any:
    def greedy(logits: torch.Tensor) -> torch.Tensor:
        return logits.argmax(dim=-1)

    def drawn(logits: torch.Tensor) -> torch.Tensor:
        import torch

        shares = (logits.double() / temperature).softmax(-1).numpy()
        return torch.tensor([_draw(row, rng, top_k, top_p) for row, rng in zip(shares, draws, strict=True)])

    return drawn if draws else greedy


def _draw(shares: Floats, rng: np.random.Generator, top_k: int, top_p: float) -> int:
    order = np.argsort(-shares, kind="stable")
    keep = len(order) if top_k == 0 else min(top_k, len(order))
    reached = np.cumsum(shares[order])
    keep = min(keep, int(np.searchsorted(reached, top_p * (1 - 1e-12)) + 1))
    order = order[:keep]
    return int(rng.choice(order, p=shares[order] / shares[order].sum()))
