"""Self-refinement: a model answers, explains, criticises its explanation and rewrites it, round after round.

Source: Wang and Atanasova (2025), "Self-Critique and Refinement for Faithful Natural Language Explanations" (SR-NLE),
EMNLP 2025, arXiv 2505.22823, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from explicate.core.capabilities import Floats
from explicate.core.cost import measure
from explicate.core.kinds import Narrative
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import InputError
from explicate.models.chat import ChatModel
from explicate.rationales import self_refine_prompts as prompts
from explicate.rationales.asking import Narrates, Step, steps_of, trace
from explicate.rationales.feedback import STOP_WORDS, Asking, Feedback, WordScores, feedback_of, messages

INVALID, NO_EXPLANATION = "invalid_answer", "no_explanation"


@dataclass
class Trail:
    """One item on its way through the stages.

    Attributes
    ----------
    letter : the answer, None where it could not be read. texts : the explanation after each round, from round 0 on.
    status : "ok", or why it went no further. words, feedback : what it was told; the latter in each round.
    """

    item: ChoiceItem
    letter: str | None
    texts: list[str]
    steps: list[Step]
    feedback: list[str]
    words: WordScores | None = None
    status: str = "ok"


@register("self-refine")
@dataclass(frozen=True)
class SelfRefiner(Narrates):
    """Explanations of a model's own answers, refined by feedback until they name what moved the answer.

    Parameters
    ----------
    feedback : "nl" (the model's criticism), "iw" (words that it says mattered), "aiw_attn" or "aiw_ig" (words that its
        attention or gradients say mattered; needs a model of this process), "iw_rand" (the control), or a `Feedback`.
    rounds : of feedback and refinement; word lists are found once and used in all of them.
    top_k : words fed back.
    stop_words : False leaves stop words out of what is fed back.
    answer_by : "text" reads the letter that the model writes; "log-probability" takes the likeliest of the answers.
    stop_early : whether an item whose text repeats is left as it is.
    chat, log, attempts, max_new_tokens : see `Asks`.
    """

    feedback: Any = "nl"
    rounds: int = 3
    top_k: int = 5
    stop_words: bool = True
    answer_by: Literal["text", "log-probability"] = "text"
    stop_early: bool = False

    def __post_init__(self) -> None:
        if self.feedback is not None:
            feedback_of(self.feedback)
        if self.rounds < 0 or self.top_k < 1:
            raise InputError(
                f"self-refine: {self.rounds} rounds with {self.top_k} words; take 0 or more, and 1 or more"
            )
        if self.answer_by not in ("text", "log-probability"):
            raise InputError(f"self-refine: answer_by {self.answer_by!r} is unknown; use text or log-probability")

    def explain(
        self, items: Sequence[ChoiceItem], seed: int = 0, letters: Sequence[str | None] | None = None
    ) -> Narrative:
        """Explain the model's answers to items.

        Parameters
        ----------
        letters : answers that are known already; by default the model is asked.

        Returns
        -------
        `text` (sample,), the last explanation, "" where there is none; `answer` and `status` (sample,); `round_text`
        (sample, round), from the first explanation on; `feedback` (sample, round); `word`, `word_score` and
        `word_is_stop` (sample, rank); `gap` (sample,), of integrals; `step_...` (sample, step), every call.

        Raises
        ------
        CapabilityError : feedback that the model cannot give. WindowError, EndpointError, ... : see `ChatModel`.
        """
        if not len(items):
            raise InputError("self-refine: no items to explain")
        chat = self.opened()
        if self.rounds and self.feedback is not None:
            feedback_of(self.feedback).check(chat)
        with measure() as cost:
            asking = Asking(chat, self.attempts, self.max_new_tokens, seed)
            trails = self._answered(asking, items, letters)
            self._first(asking, trails)
            if self.rounds and self.feedback is not None:
                self._refined(asking, trails)
        provenance = Provenance.of(self, chat, [item.to_dict() for item in items], cost, seed)
        return Narrative(self._dataset(trails, chat), provenance)

    # -- the stages ------------------------------------------------------------------------------------------------

    def _answered(
        self, asking: Asking, items: Sequence[ChoiceItem], letters: Sequence[str | None] | None
    ) -> list[Trail]:
        if letters is not None:
            if len(letters) != len(items):
                raise InputError(f"self-refine: {len(letters)} answers for {len(items)} items; give one each")
            found = [Trail(item, letter, [], [], []) for item, letter in zip(items, letters, strict=True)]
        else:
            found = [
                Trail(item, letter, [], steps, [])
                for item, (letter, steps) in zip(items, answered(asking, items, self.answer_by), strict=True)
            ]
        for trail in found:
            if trail.letter is None:
                trail.status = INVALID
        return found

    def _first(self, asking: Asking, trails: Sequence[Trail]) -> None:
        going = [trail for trail in trails if trail.status == "ok"]
        asked = [
            messages(prompts.EXPLAIN.format(item=prompts.item_text(trail.item), letter=trail.letter)) for trail in going
        ]
        answers = asking.ask(
            [trail.item for trail in going], asked, lambda reply: prompts.parse_tagged(reply.text, "Explanation")
        )
        for trail, answer in zip(going, answers, strict=True):
            trail.steps += steps_of("explanation", answer)
            if answer.value is None:
                trail.status = NO_EXPLANATION
            else:
                trail.texts.append(answer.value)

    def _refined(self, asking: Asking, trails: Sequence[Trail]) -> None:
        how = feedback_of(self.feedback)
        going = [trail for trail in trails if trail.status == "ok"]
        if how.gives_words and going:
            scores = how.word_scores(asking, [t.item for t in going], [t.letter or "" for t in going])
            for trail, one in zip(going, scores, strict=True):
                trail.words = one
                trail.steps += one.steps
                trail.status = one.status
        for number in range(1, self.rounds + 1):
            going = [trail for trail in going if trail.status == "ok" and not self._repeats(trail)]
            self._criticised(asking, going, how, number)
            going = [trail for trail in going if trail.status == "ok"]
            self._rewritten(asking, going, how, number)

    def _repeats(self, trail: Trail) -> bool:
        return self.stop_early and len(trail.texts) > 1 and trail.texts[-1] == trail.texts[-2]

    def _criticised(self, asking: Asking, going: Sequence[Trail], how: Feedback, number: int) -> None:
        if how.gives_words:
            for trail in going:
                assert trail.words is not None  # found before the first round
                trail.feedback.append(prompts.numbered(trail.words.top(self.top_k, self.stop_words)))
            return
        asked = [
            messages(
                prompts.CRITICISE.format(
                    item=prompts.item_text(trail.item), letter=trail.letter, explanation=trail.texts[-1]
                )
            )
            for trail in going
        ]
        answers = asking.ask(
            [trail.item for trail in going], asked, lambda reply: prompts.parse_tagged(reply.text, "Feedback")
        )
        for trail, answer in zip(going, answers, strict=True):
            trail.steps += steps_of(f"feedback {number}", answer)
            if answer.value is None:
                trail.status = f"no_feedback_{number}"
            else:
                trail.feedback.append(answer.value)

    def _rewritten(self, asking: Asking, going: Sequence[Trail], how: Feedback, number: int) -> None:
        asked = []
        for trail in going:
            parts = {"item": prompts.item_text(trail.item), "letter": trail.letter, "explanation": trail.texts[-1]}
            if how.gives_words:
                asked.append(messages(prompts.REFINE_WORDS.format(**parts, words=trail.feedback[-1])))
            else:
                asked.append(messages(prompts.REFINE.format(**parts, feedback=trail.feedback[-1])))
        answers = asking.ask(
            [trail.item for trail in going],
            asked,
            lambda reply: prompts.parse_tagged(reply.text, "Refined Explanation", untagged=True),
        )
        for trail, answer in zip(going, answers, strict=True):
            trail.steps += steps_of(f"refinement {number}", answer)
            if answer.value is None:
                trail.status = f"no_refinement_{number}"
            else:
                trail.texts.append(answer.value)

    # -- the result ------------------------------------------------------------------------------------------------

    def _dataset(self, trails: Sequence[Trail], chat: ChatModel) -> xr.Dataset:
        rounds = self.rounds + 1
        texts = _padded([trail.texts for trail in trails], rounds)
        words = [() if trail.words is None else trail.words.words for trail in trails]
        most = max(1, *map(len, words))
        listed = _padded([[word for word, _ in own] for own in words], most)
        scores: Floats = np.zeros(listed.shape)
        for i, own in enumerate(words):
            scores[i, : len(own)] = [score for _, score in own]
        last = [trail.texts[-1] if trail.status == "ok" and trail.texts else "" for trail in trails]
        gaps = [float("nan") if trail.words is None else trail.words.gap for trail in trails]
        return xr.Dataset(
            {
                "text": (("sample",), np.array(last, dtype=object)),
                "answer": (("sample",), np.array([trail.letter or "" for trail in trails], dtype=object)),
                "status": (("sample",), np.array([trail.status for trail in trails], dtype=object)),
                "item": (("sample",), np.array([trail.item.name for trail in trails], dtype=object)),
                "round_text": (("sample", "round"), texts),
                "feedback": (("sample", "round"), _padded([["", *trail.feedback] for trail in trails], rounds)),
                "word": (("sample", "rank"), listed),
                "word_score": (("sample", "rank"), scores),
                "word_is_stop": (("sample", "rank"), np.isin(listed, sorted(STOP_WORDS)).astype(int)),
                "gap": (("sample",), np.array(gaps)),
                **trace([trail.steps for trail in trails]),
            },
            coords={"round": np.arange(rounds)},
            attrs={"chat": chat.name, "chat_fingerprint": chat.fingerprint(), "scripted": int(chat.scripted)},
        )


def answered(
    asking: Asking, items: Sequence[ChoiceItem], by: Literal["text", "log-probability"] = "text"
) -> list[tuple[str | None, list[Step]]]:
    """The letter of the model's answer to each item, None where it could not be read, and the calls that it took."""
    asked = [messages(prompts.ANSWER.format(item=prompts.item_text(item))) for item in items]
    if by == "log-probability":
        pairs = [(question, letter) for question, item in zip(asked, items, strict=True) for letter in item.letters]
        lines = [prompts.ANSWER_LINE.format(letter=letter) for _, letter in pairs]
        scores = [float(one.sum()) for one in asking.chat.log_probabilities([q for q, _ in pairs], lines)]  # type: ignore[misc]
        found: list[tuple[str | None, list[Step]]] = []
        for item in items:
            own, scores = scores[: len(item.letters)], scores[len(item.letters) :]
            found.append((item.letters[int(np.argmax(own))], []))
        return found
    answers = asking.ask(
        items, asked, [lambda reply, known=item.letters: prompts.parse_answer(reply.text, known) for item in items]
    )
    return [(answer.value, steps_of("answer", answer)) for answer in answers]


def known_words(explanation: Narrative) -> tuple[Any, ...]:
    """The word lists of an explanation, as `GivenWordFeedback` takes them: those of the items that had an answer."""
    found: list[Any] = []
    statuses = explanation["status"].values
    for status, own, scores in zip(statuses, explanation["word"].values, explanation["word_score"].values, strict=True):
        if status in (INVALID, NO_EXPLANATION):
            continue
        found.append(tuple((str(w), float(s)) for w, s in zip(own, scores, strict=True) if w) or None)
    return tuple(found)


def _padded(rows: Sequence[Sequence[str]], width: int) -> np.ndarray:
    found = np.full((len(rows), width), "", dtype=object)
    for i, row in enumerate(rows):
        found[i, : len(row)] = row
    return found
