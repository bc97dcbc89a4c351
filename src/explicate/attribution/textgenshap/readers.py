"""How models read coalitions: whole prompts with shared beginnings, documents as blocks, texts, encoded passages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.attribution.textgenshap.document_tree import DocumentTree
from explicate.attribution.textgenshap.token_layout import TokenLayout
from explicate.core.capabilities import Array, Floats, Masks
from explicate.errors import CapabilityError, InputError
from explicate.models.language import LanguageModel
from explicate.models.language.document_blocks import ROWS, Block, DocumentBlocks
from explicate.models.language.prefix_cache import PrefixCache
from explicate.models.language.speculation import SpeculationTree
from explicate.runtime.seeds import derive_seed

MOST_BLOCKS = 128  # documents without some of their words that are kept at once


class TokenReader:
    """A causal language model that reads what is left of the prompt's tokens; the game as it is.

    Parameters
    ----------
    reuse : whether the longest common beginning with the last prompt is kept.
    speculated : nodes of the tree of known outputs that are checked in a pass; 0: plain greedy decoding.
    """

    def __init__(
        self, layout: TokenLayout, max_new_tokens: int, stop: Sequence[str], speculated: int, reuse: bool
    ) -> None:
        self.layout, self.stop, self.speculated = layout, tuple(stop), speculated
        self.model = layout.model
        if speculated and getattr(self.model.config, "sliding_window", None):
            raise CapabilityError(f"{self.model.name!r} attends in a sliding window; set speculation=False for it")
        self.cache = PrefixCache(self.model, reuse)
        self.tree = SpeculationTree(ending(self.model, max_new_tokens, self.stop))
        self.written: dict[str, list[int]] = {}
        self.decoded = self.foreseen = 0

    @property
    def counts(self) -> dict[str, int]:
        """Passes, tokens read and kept, continuations decoded and those that speculation foresaw."""
        return {
            "passes": self.cache.passes,
            "tokens read": self.cache.tokens_read,
            "tokens kept": self.cache.tokens_kept,
            "decoded": self.decoded,
            "foreseen": self.foreseen,
        }

    def write(self, masks: Masks) -> list[str]:
        """What greedy decoding writes."""
        found = []
        for ids, positions in self.layout.prompts(masks):
            written, foreseen = self.cache.continuation(ids, positions, self.tree, self.speculated)
            found.append(self._text(written, foreseen))
        return found

    def log_probabilities(self, masks: Masks, answer: str) -> Floats:
        """The answer, checked in one pass for each coalition."""
        tail = self.answer_tokens(answer)
        return np.array([self.cache.log_probability(*prompt, tail) for prompt in self.layout.prompts(masks)])

    def answer_tokens(self, answer: str) -> list[int]:
        """Tokens of an answer as the model wrote it, or else as its tokenizer writes it behind a space."""
        ids = list(self.written.get(answer, ()))
        if answer in self.written:
            ends = set(self.model.end_tokens())
            while ids and (ids[-1] in ends or any(end in self.model.written_text(ids) for end in self.stop)):
                ids.pop()
        else:
            ids = [int(i) for i in self.model.tokenizer(f" {answer.strip()}", add_special_tokens=False)["input_ids"]]
        if not ids or not answer.strip():
            raise InputError(
                f"the answer {answer!r} is empty, so it has no log-probability; name another as the target"
            )
        return ids

    def _text(self, written: list[int], foreseen: bool) -> str:
        self.decoded += 1
        self.foreseen += foreseen
        text = self.model.written_text(written, self.stop).strip()
        self.written.setdefault(text, written)
        return text


class BlockReader(TokenReader):
    """A causal language model whose documents do not see each other; another game, at the cost of question and answer.

    A document without some of its words is read anew, alone, and kept for a while.
    """

    def __init__(self, layout: TokenLayout, max_new_tokens: int, stop: Sequence[str], speculated: int) -> None:
        if layout.masking != "pad":
            raise InputError(
                "attention='blocks' reads each document once, at its place in the whole prompt: it needs masking='pad'"
            )
        super().__init__(layout, max_new_tokens, stop, speculated, reuse=True)
        self.documents = list(layout.documents.values())
        first, last = self.documents[0][0], self.documents[-1][1]
        self.positions = np.arange(len(layout.ids))
        if last == len(layout.ids):
            raise InputError("nothing follows the documents; attention='blocks' needs a question behind them")
        self.blocks = DocumentBlocks(self.model, layout.ids[:first], self.positions[:first])
        self.ending, self.ending_positions = layout.ids[last:], self.positions[last:]
        self._known: dict[tuple[int, bytes], Block] = {}

    @property
    def counts(self) -> dict[str, int]:
        """As `TokenReader.counts`."""
        own = {"passes": self.blocks.passes, "tokens read": self.blocks.tokens_read, "tokens kept": 0}
        return {**super().counts, **own}

    def write(self, masks: Masks) -> list[str]:
        """What greedy decoding writes."""
        found = []
        for start in range(0, len(masks), ROWS):
            blocks, present = self._blocks(masks[start : start + ROWS])
            texts = self.blocks.continuations(
                blocks, present, self.ending, self.ending_positions, self.tree, self.speculated
            )
            found += [self._text(*one) for one in texts]
        return found

    def log_probabilities(self, masks: Masks, answer: str) -> Floats:
        """The answer, checked in one pass for some coalitions at once."""
        tail, found = self.answer_tokens(answer), []
        for start in range(0, len(masks), ROWS):
            blocks, present = self._blocks(masks[start : start + ROWS])
            found.append(self.blocks.log_probabilities(blocks, present, self.ending, self.ending_positions, tail))
        return np.concatenate(found) if found else np.empty(0)

    def _blocks(self, masks: Masks) -> tuple[list[Block], Masks]:
        """The blocks that some coalitions need, in the order of the text, and who has which."""
        kept = self.layout.keep(masks)
        wanted: dict[tuple[int, bytes], Array] = {}
        rows: list[list[tuple[int, bytes]]] = []
        for row in kept:
            own = []
            for number, (first, last) in enumerate(self.documents):
                part = row[first:last]
                if part.any():
                    key = (number, part.tobytes())
                    wanted.setdefault(key, first + np.flatnonzero(part))
                    own.append(key)
            rows.append(own)
        missing = [key for key in wanted if key not in self._known]
        places = [wanted[key] for key in missing]
        read = self.blocks.read(
            [self.layout.ids[place] for place in places], [self.positions[place] for place in places]
        )
        self._known.update(zip(missing, read, strict=True))
        order = sorted(wanted)
        column = {key: place for place, key in enumerate(order)}
        present = np.zeros((len(masks), len(order)), dtype=bool)
        for place, own in enumerate(rows):
            present[place, [column[key] for key in own]] = True
        found = [self._known[key] for key in order]
        whole = {
            (number, np.ones(last - first, dtype=bool).tobytes()) for number, (first, last) in enumerate(self.documents)
        }
        partial = [key for key in self._known if key not in whole]
        for key in partial[: max(0, len(partial) - MOST_BLOCKS)]:
            del self._known[key]
        return found, present


class TextReader:
    """Anything that answers texts, a chat model behind an address too; removed text is cut out.

    Parameters
    ----------
    temperature : above 0 each coalition has a seed of its own, so that the game is a function of the coalition.
    """

    def __init__(
        self, model: Any, tree: DocumentTree, max_new_tokens: int, stop: Sequence[str], temperature: float, seed: int
    ) -> None:
        self.model, self.tree, self.stop = model, tree, tuple(stop)
        self.max_new_tokens, self.temperature, self.seed = max_new_tokens, temperature, seed
        self.decoded = 0

    @property
    def counts(self) -> dict[str, int]:
        """Texts that were written."""
        return {"decoded": self.decoded}

    def write(self, masks: Masks) -> list[str]:
        """What the model answers."""
        self.decoded += len(masks)
        texts = [self.tree.prompt.without(row) for row in self.tree.kept(masks)]
        if not self.temperature:
            written = self.model.generate(texts, max_new_tokens=self.max_new_tokens)
        else:
            written = [
                self.model.generate(
                    [text],
                    max_new_tokens=self.max_new_tokens,
                    temperature=self.temperature,
                    seed=derive_seed(self.seed, row.tobytes().hex()),
                )[0]
                for text, row in zip(texts, masks, strict=True)
            ]
        return [self._cut(text) for text in written]

    def log_probabilities(self, masks: Masks, answer: str) -> Floats:
        """Where the model tells them."""
        self.decoded += len(masks)
        texts = [self.tree.prompt.without(row) for row in self.tree.kept(masks)]
        return np.array([one.sum() for one in self.model.log_probabilities(texts, [f" {answer.strip()}"] * len(texts))])

    def _cut(self, text: str) -> str:
        for end in self.stop:
            text = text.split(end, 1)[0]
        return text.strip()


def ending(model: LanguageModel, max_new_tokens: int, stop: Sequence[str]) -> Any:
    """Whether a continuation ends: at the model's end token, after so many tokens, or once it holds a stop text."""
    ends = set(model.end_tokens())

    def finished(ids: Sequence[int]) -> bool:
        if ids[-1] in ends or len(ids) >= max_new_tokens:
            return True
        text = model.written_text(ids)
        return any(end in text for end in stop)

    return finished
