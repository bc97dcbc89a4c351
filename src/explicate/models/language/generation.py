"""Generation with a key/value cache, greedy by default, also while interventions are in force.

What an intervention means during generation
--------------------------------------------
Positions count the tokens of each row's *prompt*: 0 is its first token, -1 its last, and they go on meaning those
tokens while new ones are added. So an intervention with positions acts while the prompt is read, and at `k` and `v` in
every later step too, because each step reads the prompt's keys and values again. One without positions acts on the
prompt and on every new token, or on one of the two where its `tokens` say so. With a cache this gives the same tokens
as running the whole text again at every step, because what a token has put into the cache was computed under the
interventions and never changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import spend
from explicate.errors import InputError, NonFiniteScoreError, WindowError
from explicate.models.language import tokens
from explicate.models.language.key_values import reserved_cache
from explicate.models.language.positions import Frame
from explicate.models.language.prefill import prefill
from explicate.models.language.sampling import Choose, Written, chooser, note_shares
from explicate.runtime.seeds import generator

if TYPE_CHECKING:
    import torch

ROWS_AT_ONCE = 32  # one batch of 32 writes nearly twice the tokens a second of four batches of 8
COLUMNS_AT_ONCE = 1 << 13  # of prompts and continuations together, padding included: it bounds the cache's memory
MOST_RUNNING = 0.75  # once so few rows of a batch still run, the others are taken out of it
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
        _keeps_rows_together: Any
        chunk: int | None
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
        seed: int | Sequence[int] = 0,
    ) -> list[str]:
        """One continuation per prompt, special tokens left out.

        Parameters
        ----------
        prompts : texts, or token ids as `encode` takes them.
        temperature : 0 takes the token with the highest logit; above 0 tokens are drawn.
        top_k, top_p : draw among the k likeliest tokens (0: all), or the fewest that reach this probability.
        stop : a continuation ends before the first of these texts.
        seed : draws of row i depend on this and i only, not on the batch; one seed for each row makes them depend on
            that alone.
        """
        options: dict[str, Any] = {"max_new_tokens": max_new_tokens, "temperature": temperature, "seed": seed}
        written = self.write(prompts, **options, top_k=top_k, top_p=top_p, stop=stop)
        return [self.written_text(one.ids, stop) for one in written]

    def generate_tokens(self, prompts: Any, **options: Any) -> list[list[int]]:
        """As `generate`, as token ids; an end-of-text token is kept."""
        return [one.ids for one in self.write(prompts, **options)]

    def written_text(self, ids: Sequence[int], stop: Sequence[str] = ()) -> str:
        """The text of a continuation, without special tokens and up to the first stop text."""
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
        for end in stop:
            text = text.split(end, 1)[0]
        return text

    def write(
        self,
        prompts: Any,
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int | Sequence[int] = 0,
        alternatives: int = 0,
    ) -> list[Written]:
        """As `generate`, with all that is known of each continuation.

        Prompts are ordered by length and go through in batches; a row that has ended makes room.

        Parameters
        ----------
        alternatives : above 0, keep log-probabilities, and those of so many likeliest tokens at each place.

        Raises
        ------
        WindowError : a prompt and its continuation are more than the model takes.
        """
        if max_new_tokens < 1:
            raise InputError(f"max_new_tokens is {max_new_tokens}; ask for at least 1")
        if temperature < 0 or top_k < 0 or not 0 < top_p <= 1:
            raise InputError("temperature and top_k must be 0 or more, top_p above 0 and at most 1")
        inputs = self.encode(prompts)
        if not isinstance(seed, int) and len(seed) != len(inputs):
            raise InputError(f"{len(seed)} seeds for {len(inputs)} prompts: give one for all, or one each")
        lengths = tokens.lengths_of(inputs)
        if self.window is not None and (lengths + max_new_tokens > self.window).any():
            raise WindowError(
                f"a prompt of {int(lengths.max())} tokens and {max_new_tokens} new ones are more than the "
                f"{self.window} that {self.name!r} takes"
            )
        found: list[Written] = [Written() for _ in inputs]
        for rows in self.batches(lengths, max_new_tokens):
            seeds = [(seed, int(row)) if isinstance(seed, int) else (seed[row],) for row in rows]
            choose = chooser([generator(*parts) for parts in seeds] if temperature else [], temperature, top_k, top_p)

            def write(rows: Array = rows, choose: Choose = choose) -> None:
                self._write([found[row] for row in rows], inputs[rows], max_new_tokens, choose, stop, alternatives)

            self._evaluated(rows, write)
        return found

    @property
    def window(self) -> int | None:
        """Most tokens of a prompt and its continuation together; None where the configuration says nothing."""
        found = getattr(self.config, "max_position_embeddings", None)
        return None if found is None else int(found)

    def batches(self, lengths: Array, max_new_tokens: int) -> Iterator[Array]:
        """Numbers of the prompts that are written to together, of similar length; lengths are (prompt,)."""
        if self._keeps_rows_together():
            yield np.arange(len(lengths))
        else:
            rows = min(self.chunk or ROWS_AT_ONCE, ROWS_AT_ONCE)
            yield from tokens.by_length(lengths + max_new_tokens, COLUMNS_AT_ONCE, rows)

    def _write(
        self,
        written: list[Written],
        inputs: Array,
        count: int,
        choose: Choose,
        stop: Sequence[str],
        alternatives: int,
    ) -> None:
        import torch

        ends = set(self.end_tokens())
        running = list(range(len(inputs)))  # rows of the batch, in order; those that have ended are taken out
        steps = self._steps(inputs, count)
        logits = next(steps)
        for step in range(count):
            if bool(logits.isnan().any()):
                raise NonFiniteScoreError(f"the model {self.name!r} gave logits that are NaN while it wrote")
            chosen = choose(logits, running)
            if alternatives:
                lines = [Written() if written[row].ended else written[row] for row in running]
                note_shares(lines, logits, chosen, alternatives)
            for row, token in zip(running, chosen.tolist(), strict=True):
                one = written[row]
                if not one.ended:
                    one.ids.append(token)
                    one.ended = token in ends or bool(stop and self._stopped(one.ids, stop))
            going = [place for place, row in enumerate(running) if not written[row].ended]
            if not going or step == count - 1:
                break
            spend(evaluations=len(going))
            keep = None
            if len(going) <= len(running) * MOST_RUNNING and not self._active:  # interventions may have values for rows
                keep = torch.tensor(going)
                running, chosen = [running[place] for place in going], chosen[keep]
            ended = torch.tensor([written[row].ended for row in running])
            logits = steps.send((chosen.masked_fill(ended, self.blank_token), keep))
        steps.close()

    def _stopped(self, ids: Sequence[int], stop: Sequence[str]) -> bool:
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        return any(end in text for end in stop)

    def _steps(self, inputs: Array, count: int) -> Any:
        """A coroutine: gives logits (row, vocabulary), is sent the tokens (row,) that follow, and which rows stay."""
        import torch

        batch = self.batch(inputs)
        frame, mask = batch.frame, batch.mask
        with torch.no_grad():
            if self._active or batch.empty is not None:
                cache = reserved_cache(frame.width + count)
                logits = self._pass(frame, batch, mask, batch.position_ids, cache)
            else:
                logits, cache = prefill(self.module, batch, frame.width + count)
        while True:
            ids, keep = yield logits.float().cpu()
            ids = ids.to(batch.ids.device)
            if keep is not None:
                keep = keep.to(batch.ids.device)
                cache.batch_select_indices(keep)
                frame, mask = frame.rows(keep), None if mask is None else mask[keep]
            positions = frame.totals[:, None]
            frame = frame.grown()
            if mask is not None:
                mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            with torch.no_grad():
                logits = self._pass(frame, ids, mask, positions, cache)

    def _pass(self, frame: Frame, read: Any, mask: Any, positions: Any, cache: Any) -> torch.Tensor:
        """Logits after the last column, as interventions have them; `read` is a batch of prompts, or a token a row."""
        with self.framed(frame):
            if isinstance(read, tokens.Batch):
                embeddings, kept = self.embeddings(read), self._kept()
            else:
                embeddings, kept = self.embed_visited(self.module.get_input_embeddings()(read[:, None])), 1
            outputs = self.module(
                inputs_embeds=embeddings,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=kept,
            )
            found: torch.Tensor = self.logits_visited(outputs.logits)[:, -1]
        return found

    def end_tokens(self) -> list[int]:
        """Tokens that end a text."""
        found = getattr(getattr(self.module, "generation_config", None), "eos_token_id", None)
        found = self.tokenizer.eos_token_id if found is None else found
        return [] if found is None else list(found) if isinstance(found, list | tuple) else [int(found)]

    def log_probabilities(self, prompts: Sequence[Any], continuations: Sequence[Any]) -> list[Floats]:
        """Log-probability of each token of each continuation after its prompt.

        Prompt and continuation become tokens each on its own, so a continuation inside a sentence starts with a space.
        Either may be given as token ids.
        Positions of interventions count in the prompt.
        """
        if isinstance(prompts, str) or isinstance(continuations, str) or len(prompts) != len(continuations):
            raise InputError("give as many continuations as prompts, each a list of texts")
        first = self.encode(list(prompts))
        heads = [row[row != tokens.ABSENT] for row in first]
        tails = []
        for number, text in enumerate(continuations):
            ids = self.tokenizer(text, add_special_tokens=False)["input_ids"] if isinstance(text, str) else text
            if not len(ids):
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
