"""Where self-refinement gets its feedback from: what the model says, or what its attention or gradients say.

Source: Wang and Atanasova (2025), arXiv 2505.22823, section 3.2.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from explicate.attribution.paths import average_over_path, quadrature
from explicate.core.capabilities import Array, Floats
from explicate.core.method import Parameterised
from explicate.core.registry import register
from explicate.core.sites import Site
from explicate.data.language.nle_tasks import ChoiceItem, bare
from explicate.errors import CapabilityError, InputError
from explicate.models.chat import ChatModel, all_answers, ask_in_form
from explicate.models.chat.messages import Asked, conversation
from explicate.models.language.spans import token_span, token_spans
from explicate.rationales import self_refine_prompts as prompts
from explicate.rationales.asking import Step, steps_of
from explicate.runtime.seeds import generator

TEXT_ONLY = "nl, iw and iw_rand work with text alone"
NO_WORDS, NO_SPAN = "no_words", "no_span"
STOP_WORDS = frozenset({
    "a", "an", "the", "and", "or", "but", "if", "of", "in", "on", "at", "to", "from", "by", "with", "for", "as", "is",
    "are", "was", "were", "be", "been", "it", "its", "this", "that", "these", "those", "he", "she", "they", "we",
    "you", "i", "his", "her", "their", "our", "my", "your", "not", "no", "do", "does", "did", "has", "have", "had",
    "will", "would", "can", "could",
})  # fmt: skip


@dataclass(frozen=True)
class WordScores:
    """The words of an item by importance.

    Attributes
    ----------
    words : (word, score) pairs, the highest score first; empty where there are none.
    status : "ok", "no_words" where no list could be read, "no_span" where tokens could not be found.
    gap : how far an integral misses the change of the score, as a share of it; NaN where there is no integral.
    steps : the calls that it took.
    """

    words: tuple[tuple[str, float], ...]
    status: str = "ok"
    gap: float = float("nan")
    steps: tuple[Step, ...] = ()

    def top(self, k: int, stop_words: bool = True) -> list[str]:
        """The first k words, with or without stop words."""
        return [word for word, _ in self.words if stop_words or word not in STOP_WORDS][:k]


@dataclass(frozen=True)
class Asking:
    """How a method asks: the handle, and settings of its calls."""

    chat: ChatModel
    attempts: int
    max_new_tokens: int
    seed: int

    def ask(self, items: Sequence[ChoiceItem], conversations: Sequence[Asked], read: Any) -> list[Any]:
        """Answers, one for each item; the first failed call is raised, with its item, once all others are in."""
        if not conversations:
            return []
        found = ask_in_form(
            self.chat,
            conversations,
            read,
            again=prompts.AGAIN,
            attempts=self.attempts,
            max_new_tokens=self.max_new_tokens,
        )
        return all_answers(found, [f"item {item.name}" for item in items])


def messages(text: str) -> list[dict[str, str]]:
    """One user's message under the short system message."""
    return [{"role": "system", "content": prompts.SYSTEM}, {"role": "user", "content": text}]


@dataclass(frozen=True)
class Feedback(Parameterised):
    """Base of all feedback. Words are found once, before the first round; text is written anew in every round."""

    gives_words: ClassVar[bool] = True

    def check(self, chat: ChatModel) -> None:
        """Raise a `CapabilityError` where a model cannot give it, before anything is asked."""

    @abstractmethod
    def word_scores(self, asking: Asking, items: Sequence[ChoiceItem], letters: Sequence[str]) -> list[WordScores]:
        """Words of each item, given its answer."""


@register("nl", "parts")
@dataclass(frozen=True)
class NaturalLanguageFeedback(Feedback):
    """The model reads its explanation and says what is missing, unclear or wrong."""

    gives_words: ClassVar[bool] = False

    def word_scores(self, asking: Asking, items: Sequence[ChoiceItem], letters: Sequence[str]) -> list[WordScores]:
        return [WordScores(()) for _ in items]


@register("iw", "parts")
@dataclass(frozen=True)
class ImportantWordFeedback(Feedback):
    """The model lists the words that mattered, with scores, without seeing its explanation."""

    def word_scores(self, asking: Asking, items: Sequence[ChoiceItem], letters: Sequence[str]) -> list[WordScores]:
        asked = [
            messages(
                prompts.IMPORTANT_WORDS.format(
                    item=prompts.item_text(item), letter=letter, fields=prompts.field_names(item)
                )
            )
            for item, letter in zip(items, letters, strict=True)
        ]
        found = []
        for answer in asking.ask(items, asked, lambda reply: prompts.parse_words(reply.text)):
            steps = tuple(steps_of("important words", answer))
            if answer.value is None:
                found.append(WordScores((), NO_WORDS, steps=steps))
            else:
                found.append(WordScores(answer.value, steps=steps))
        return found


@register("iw_rand", "parts")
@dataclass(frozen=True)
class RandomWordFeedback(Feedback):
    """The control: the item's distinct words in random order."""

    def word_scores(self, asking: Asking, items: Sequence[ChoiceItem], letters: Sequence[str]) -> list[WordScores]:
        found = []
        for item in items:
            words = [word for word in dict.fromkeys(map(bare, item.words)) if word]
            order = generator(asking.seed, "random words", item.to_dict()).permutation(len(words))
            found.append(WordScores(tuple((words[int(j)], float(len(words) - rank)) for rank, j in enumerate(order))))
        return found


@register("given-words", "parts")
@dataclass(frozen=True)
class GivenWordFeedback(Feedback):
    """Words from an earlier run, so that a log replays a run with attributions without the model.

    Parameters
    ----------
    lists : (word, score) pairs of each item, in the items' order; None where there were none.
    """

    lists: tuple[Any, ...] = ()

    def word_scores(self, asking: Asking, items: Sequence[ChoiceItem], letters: Sequence[str]) -> list[WordScores]:
        if len(self.lists) != len(items):
            raise InputError(f"{len(self.lists)} word lists for {len(items)} items with an answer; give one each")
        return [
            WordScores(tuple((str(word), float(score)) for word, score in one)) if one else WordScores((), NO_WORDS)
            for one in self.lists
        ]


@register("aiw", "parts")
@dataclass(frozen=True)
class AttributionFeedback(Feedback):
    """Words by what the model's attention or gradients say about the letter of its answer.

    The prompt and the answer go through the model once more. For each token of the letter: "ig", integrated gradients
    of its next-token logit with respect to the embeddings of all before it, from a baseline token at every place; or
    "attention", the mean over heads of its row. Sizes are averaged over the letter's tokens; tokens inside the item's
    fields are summed to words, and repeated words over all fields.

    Parameters
    ----------
    kind : "ig" or "attention".
    steps : of the integral.
    baseline : "eos", "pad", "zero" or "mean" (of the vocabulary's embeddings).
    layers : of the attention: the "last" one, or the "mean" of all.
    target : "logit" of the letter, as published, or "contrast" with the next likeliest letter (an extension).
    """

    kind: Literal["ig", "attention"] = "ig"
    steps: int = 500
    baseline: Literal["eos", "pad", "zero", "mean"] = "eos"
    layers: Literal["last", "mean"] = "last"
    target: Literal["logit", "contrast"] = "logit"

    def __post_init__(self) -> None:
        for name, given, known in (
            ("kind", self.kind, ("ig", "attention")),
            ("baseline", self.baseline, ("eos", "pad", "zero", "mean")),
            ("layers", self.layers, ("last", "mean")),
            ("target", self.target, ("logit", "contrast")),
        ):
            if given not in known:
                raise InputError(f"attribution feedback: {name} {given!r} is unknown; use one of {', '.join(known)}")
        if self.steps < 1:
            raise InputError(f"attribution feedback: {self.steps} steps; take 1 or more")

    def check(self, chat: ChatModel) -> None:
        if getattr(chat, "model", None) is None or not hasattr(chat, "template"):
            raise CapabilityError(
                f"attribution feedback needs the model itself, which {chat.name!r} does not offer; {TEXT_ONLY}"
            )

    def word_scores(self, asking: Asking, items: Sequence[ChoiceItem], letters: Sequence[str]) -> list[WordScores]:
        chat: Any = asking.chat
        self.check(chat)
        model = chat.model
        return [self._of(chat, model, item, letter) for item, letter in zip(items, letters, strict=True)]

    def _of(self, chat: Any, model: Any, item: ChoiceItem, letter: str) -> WordScores:
        asked = messages(prompts.ANSWER.format(item=prompts.item_text(item)))
        prompt, _ = chat.template.ids(conversation(asked))
        answer = prompts.ANSWER_LINE.format(letter=letter)
        reply = list(model.tokenizer(answer, add_special_tokens=False)["input_ids"])
        ids = np.array([*prompt, *reply], dtype=np.int64)
        at = token_spans(model, np.array(reply), answer, [(answer.index("(") + 1, answer.index("(") + 2)])[0]
        places = [len(prompt) + place for place in range(*at)]
        found = token_sizes(model, ids, places, self, self._rivals(model, ids, places, item, letter))
        words = item_words(model, ids, item)
        if words is None or not places:
            return WordScores((), NO_SPAN)
        return WordScores(summed(words, found[0]), gap=found[1])

    def _rivals(
        self, model: Any, ids: Array, places: Sequence[int], item: ChoiceItem, letter: str
    ) -> dict[int, int] | None:
        """For a contrast: the next likeliest letter's token at each place."""
        if self.target == "logit":
            return None
        found = {}
        for place in places:
            text = model.token_text(int(ids[place]))
            others = []
            for other in item.letters.replace(letter, ""):
                tokens = model.tokenizer(text.replace(letter, other), add_special_tokens=False)["input_ids"]
                if len(tokens) != 1:
                    raise InputError(f"the letter {other!r} is not one token of {model.name!r}; use target='logit'")
                others.append(int(tokens[0]))
            scores = model.predict(ids[None, :place])[0, others]
            found[place] = others[int(np.argmax(scores))]
        return found


def summed(words: Sequence[tuple[str, tuple[int, int]]], sizes: Floats) -> tuple[tuple[str, float], ...]:
    """Sizes of tokens (token,) summed over each word's tokens and over its repetitions; the largest first."""
    totals: dict[str, float] = {}
    for word, (first, last) in words:
        totals[word] = totals.get(word, 0.0) + float(sizes[first:last].sum())
    return tuple(sorted(totals.items(), key=lambda pair: -pair[1]))


def token_sizes(
    model: Any, ids: Array, places: Sequence[int], how: AttributionFeedback, rivals: dict[int, int] | None = None
) -> tuple[Floats, float]:
    """Mean size of each token's attribution (token,) over the answer's tokens at `places`, and the largest gap.

    Parameters
    ----------
    rivals : for a contrast, the other token at each place.
    """
    total = np.zeros(len(ids))
    gaps = [0.0]
    if how.kind == "attention":
        layers = [model.layer_count - 1] if how.layers == "last" else range(model.layer_count)
        for layer in layers:
            site = Site("pattern", layer)
            pattern = np.asarray(model.capture(ids[None], [site])[site])[0].mean(axis=0)
            total += np.abs(pattern[list(places)]).mean(axis=0) / len(layers)
        return total, float("nan")
    with model.scored_by("logit"):
        for place in places:
            values, gap = _integrated(
                model, ids[:place], int(ids[place]), how, None if rivals is None else rivals[place]
            )
            total[:place] += np.abs(values) / len(places)
            gaps.append(gap)
    return total, max(gaps)


def _integrated(
    model: Any, ids: Array, token: int, how: AttributionFeedback, rival: int | None
) -> tuple[Floats, float]:
    """Integrated gradients (token,) of a next token's logit, and how far their sum misses its change."""
    inputs = ids[None]
    targets = np.array([token]) if rival is None else np.array([[token, rival]])
    end = model.continuous(inputs)
    start = _start(model, inputs, end, how.baseline)
    mean = average_over_path(
        lambda points, samples: model.gradients(points, targets[samples], inputs[samples]),
        start,
        end,
        quadrature("midpoint", how.steps),
    )
    values = np.asarray(model.collapse(mean * (end - start))[0], dtype=float)
    change = float(model.point_scores(end, targets, inputs)[0] - model.point_scores(start, targets, inputs)[0])
    return values, abs(float(values.sum()) - change) / max(abs(change), 1e-12)


def _start(model: Any, inputs: Array, end: Floats, baseline: str) -> Floats:
    if baseline == "zero":
        return np.zeros_like(end)
    if baseline == "mean":
        table = model.module.get_input_embeddings().weight.detach().float().cpu().numpy()
        return np.broadcast_to(table.mean(axis=0), end.shape).astype(end.dtype)
    token = model.tokenizer.eos_token_id if baseline == "eos" else model.tokenizer.pad_token_id
    if token is None:
        raise InputError(f"the tokenizer of {model.name!r} has no {baseline} token; take another baseline")
    return np.asarray(model.continuous(np.full_like(inputs, int(token))))


def item_words(model: Any, ids: Array, item: ChoiceItem) -> list[tuple[str, tuple[int, int]]] | None:
    """The words of an item's fields with their tokens in an encoded prompt; None where a field is not found."""
    found = []
    for name, text in item.fields:
        whole = prompts.FIELD.format(label=prompts.LABELS[name], text=text)
        if token_span(model, ids, whole) is None:
            return None
        offset = len(whole) - len(text)
        spans, place = [], 0
        for word in text.split():
            place = text.index(word, place)
            spans.append((offset + place, offset + place + len(word)))
            place += len(word)
        for word, span in zip(text.split(), token_spans(model, ids, whole, spans), strict=True):
            if bare(word):
                found.append((bare(word), span))
    return found


FEEDBACK: dict[str, Feedback] = {
    "nl": NaturalLanguageFeedback(),
    "iw": ImportantWordFeedback(),
    "iw_rand": RandomWordFeedback(),
    "aiw_ig": AttributionFeedback("ig"),
    "aiw_attn": AttributionFeedback("attention"),
}


def feedback_of(given: Any) -> Feedback:
    """Feedback from a name or from itself."""
    if isinstance(given, Feedback):
        return given
    if given not in FEEDBACK:
        raise InputError(f"feedback {given!r} is unknown; use one of {', '.join(FEEDBACK)}, or a Feedback")
    return FEEDBACK[given]
