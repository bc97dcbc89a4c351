"""A chat model's answers to choice questions as probabilities of the letters, asked as cheaply as the model allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from explicate.core.capabilities import Floats
from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import CapabilityError, InputError
from explicate.models.chat import ChatModel, Reply
from explicate.models.chat.chat_model import STILL_WORKS
from explicate.models.chat.messages import conversation
from explicate.rationales import self_refine_prompts as prompts
from explicate.rationales.feedback import messages

By = Literal["log-probability", "samples"]
BEFORE, AFTER = prompts.ANSWER_LINE.split("{letter}")


@dataclass
class Respondent:
    """Answers of one model, each question asked once.

    Parameters
    ----------
    by : "log-probability" of the letters, or the share of `draws` drawn replies that give each; by default the first
        where the model has it. Endpoints that give log-probabilities of what they write, and none of given texts, are
        asked for one reply: the letters count by what it shows at the place of the one written.
    draws : replies per question, for "samples"; those that cannot be read count for no letter.
    """

    chat: ChatModel
    by: By | None = None
    draws: int = 10
    seed: int = 0
    max_new_tokens: int = 16
    questions: int = 0
    _known: dict[tuple[str, str], Floats] = field(default_factory=dict, repr=False)
    _letters: dict[str, tuple[list[int], list[int]] | None] = field(default_factory=dict, repr=False)
    _shows_tokens: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if self.by not in (None, "log-probability", "samples"):
            raise InputError(f"answers by {self.by!r} are unknown; use log-probability or samples")
        if self.draws < 1:
            raise InputError(f"{self.draws} draws; take 1 or more")

    def shares(self, items: Sequence[ChoiceItem], asked: Sequence[str] | None = None) -> list[Floats]:
        """The probability of each choice, (choice,) each.

        Parameters
        ----------
        asked : what each is asked, where that is not the plain question; it must end as `self_refine_prompts.ANSWER`.
        """
        texts = [prompts.ANSWER.format(item=prompts.item_text(item)) for item in items] if asked is None else asked
        keys = [(text, item.letters) for text, item in zip(texts, items, strict=True)]
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        if new:
            for key, found in zip(new, self._asked(new), strict=True):
                self._known[key] = found
            self.questions += len(new)
        return [self._known[key] for key in keys]

    def letters(self, items: Sequence[ChoiceItem], asked: Sequence[str] | None = None) -> list[str | None]:
        """The likeliest letter of each; None where no reply could be read."""
        found = self.shares(items, asked)
        return [
            item.letters[int(np.argmax(own))] if own.sum() else None for item, own in zip(items, found, strict=True)
        ]

    def _asked(self, keys: Sequence[tuple[str, str]]) -> list[Floats]:
        if self.by != "samples":
            for way in (self._by_log_probability, self._by_reply):
                try:
                    return way(keys)
                except CapabilityError as error:
                    missing = error
            if self.by is not None:
                raise missing
        self.by = "samples"
        return self._drawn(keys)

    def _by_log_probability(self, keys: Sequence[tuple[str, str]]) -> list[Floats]:
        plans = {letters: self._tokens_of(letters) for letters in dict.fromkeys(letters for _, letters in keys)}
        if all(plan is not None for plan in plans.values()):
            return self._by_next_token(keys, plans)
        pairs = [(messages(text), letter) for text, letters in keys for letter in letters]
        lines = [prompts.ANSWER_LINE.format(letter=letter) for _, letter in pairs]
        scores = [float(one.sum()) for one in self.chat.log_probabilities([asked for asked, _ in pairs], lines)]  # type: ignore[misc]
        found = []
        for _, letters in keys:
            own, scores = np.array(scores[: len(letters)]), scores[len(letters) :]
            found.append(softmax(own))
        return found

    def _by_next_token(self, keys: Sequence[tuple[str, str]], plans: dict[str, Any]) -> list[Floats]:
        """One pass per question, where each letter is one token after the same beginning."""
        model, template = self.chat.model, self.chat.template  # type: ignore[attr-defined]
        rows = [[*template.ids(conversation(messages(text)))[0], *plans[letters][0]] for text, letters in keys]
        found: list[Floats] = []
        with model.scored_by("logit"):
            for start in range(0, len(rows), ROWS):
                logits = model.predict(model.encode(rows[start : start + ROWS]))
                for (_, letters), row in zip(keys[start : start + ROWS], logits, strict=True):
                    found.append(softmax(row[plans[letters][1]].astype(float)))
        return found

    def _tokens_of(self, letters: str) -> tuple[list[int], list[int]] | None:
        """The tokens before the letter, and each letter's one token; None where a model in this process has neither."""
        if letters not in self._letters:
            self._letters[letters] = self._split(letters)
        return self._letters[letters]

    def _split(self, letters: str) -> tuple[list[int], list[int]] | None:
        model = getattr(self.chat, "model", None)
        if model is None or not hasattr(self.chat, "template"):
            return None
        rows = [
            model.tokenizer(f"{BEFORE}{letter}{AFTER}", add_special_tokens=False)["input_ids"] for letter in letters
        ]
        place = next((k for k in range(min(map(len, rows))) if len({row[k] for row in rows}) > 1), None)
        if place is None or len({row[place] for row in rows}) < len(letters):
            return None
        if len({tuple(row[:place]) for row in rows}) > 1 or len({tuple(row[place + 1 :]) for row in rows}) > 1:
            return None
        return list(rows[0][:place]), [row[place] for row in rows]

    def _by_reply(self, keys: Sequence[tuple[str, str]]) -> list[Floats]:
        """From one reply each and the tokens that stood beside its letter; no share where no letter can be read."""
        first = (
            [] if self._shows_tokens else [self._shown(keys[:1])]
        )  # one call, not all, finds out that there are none
        self._shows_tokens = True
        replies = [reply for group in (*first, self._shown(keys[len(first) :])) for reply in group]
        return [letter_shares(reply, letters) for reply, (_, letters) in zip(replies, keys, strict=True)]

    def _shown(self, keys: Sequence[tuple[str, str]]) -> list[Reply]:
        if not keys:
            return []
        asked = [messages(text) for text, _ in keys]
        replies = self.chat.replies(asked, max_new_tokens=self.max_new_tokens, logprobs=True)
        if any(reply.tokens is None for reply in replies):
            raise CapabilityError(f"{self.chat.name!r} gives no log-probabilities; {STILL_WORKS}")
        return replies

    def _drawn(self, keys: Sequence[tuple[str, str]]) -> list[Floats]:
        replies = self.chat.replies(
            [messages(text) for text, _ in keys for _ in range(self.draws)],
            repetition=list(range(self.draws)) * len(keys),
            temperature=1.0,
            max_new_tokens=self.max_new_tokens,
            seed=self.seed,
        )
        found: list[Floats] = []
        for place, (_, letters) in enumerate(keys):
            counts: Floats = np.zeros(len(letters))
            for reply in replies[place * self.draws : (place + 1) * self.draws]:
                letter, _ = prompts.parse_answer(reply.text, letters)
                if letter is not None:
                    counts[letters.index(letter)] += 1
            found.append(counts / self.draws)
        return found


def letter_shares(reply: Reply, letters: str) -> Floats:
    """The probability of each letter at the place of the one that a reply writes, (letter,), adding up to 1.

    A letter that is not among the alternatives shown there is taken to be as likely as it can be: as the last one
    shown, or as all that is left. All 0 where no letter can be read, or where its token cannot be found.
    """
    found: Floats = np.zeros(len(letters))
    written, _ = prompts.parse_answer(reply.text, letters)
    place = prompts.answer_place(reply.text)
    if written is None or place is None:
        return found
    start = 0
    for token in reply.tokens or ():
        if start <= place < start + len(token.text):
            before, after = token.text[: place - start], token.text[place - start + 1 :]
            if token.text[place - start] != written:
                return found
            shown = {**dict(token.alternatives), token.text: token.log_probability}
            known = {text: float(np.exp(value)) for text, value in shown.items()}
            most = max(min(*known.values(), 1 - sum(known.values())), LEAST)
            found = np.array([known.get(f"{before}{letter}{after}", most) for letter in letters])
            return found / found.sum()
        start += len(token.text)
    return found


LEAST = 1e-9  # a share that is not shown and for which rounding leaves no room
ROWS = 256  # questions whose next-token scores are held at once


def softmax(scores: Floats) -> Floats:
    """Scores as shares that add up to 1."""
    shares: Floats = np.exp(scores - scores.max())
    return shares / shares.sum()
