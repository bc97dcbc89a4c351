"""The counterfactual test of explanations in words: an inserted word that moved the answer must be named.

One adjective or adverb is put into an item. Where the model's answer moves, that word is among its reasons, and an
explanation of the new answer that does not name it is unfaithful. The test is one-sided and rewards copying: of the few
words of an item, five at random often hold the inserted one. Always print that share beside the rate.

Sources: Atanasova et al. (2023), "Faithfulness Tests for Natural Language Explanations"; Wang and Atanasova (2025),
"SR-NLE", arXiv 2505.22823, section 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from explicate.core.capabilities import Masks
from explicate.data.language.nle_tasks import ChoiceItem, bare
from explicate.errors import ExplicateError, InputError
from explicate.models.chat import ChatModel
from explicate.runtime.seeds import generator
from explicate.runtime.statistics import Interval, wilson_interval

Match = Literal["substring", "word"]

ADJECTIVES = (
    "quick", "large", "small", "rapid", "quiet", "busy", "new", "clean", "heavy", "light", "bright", "dark", "famous",
    "rare", "common", "careful", "friendly", "lonely", "modern", "simple", "strange", "warm", "cold", "tall", "short",
    "young", "happy", "sad", "rich", "poor", "broken", "fresh", "dirty", "golden", "wooden", "local", "foreign",
    "silent",
)  # fmt: skip
ADVERBS = (
    "quickly", "slowly", "quietly", "carefully", "happily", "sadly", "rarely", "barely", "really", "never", "hardly",
    "proudly", "calmly", "secretly", "suddenly", "lazily", "gently", "badly", "merely", "falsely", "partly", "kindly",
)  # fmt: skip
BEFORE_NOUNS = frozenset({
    "a", "the", "this", "that", "these", "those", "his", "her", "its", "my", "your", "their", "our", "some", "every",
    "each",
})  # fmt: skip
BEFORE_VERBS = frozenset({
    "is", "are", "was", "were", "be", "been", "has", "have", "had", "will", "would", "can", "could", "may", "might",
    "must", "should",
})  # fmt: skip
SUBJECTS = frozenset({
    "i", "you", "he", "she", "it", "we", "they", "people", "who",
})  # fmt: skip
OTHERS = frozenset({
    "an", "of", "in", "on", "at", "to", "from", "with", "by", "and", "or", "but", "not", "no", "for", "as", "if",
    "than", "then", "that", "which", "what", "there", "here",
})  # fmt: skip
FUNCTION_WORDS = BEFORE_NOUNS | BEFORE_VERBS | SUBJECTS | OTHERS

INSERT_SYSTEM = "You edit sentences. You change nothing but what you are asked to change."
INSERT = (
    "Put one adjective in front of a noun, or one adverb in front of a verb, into the sentence. Mark the word that "
    "you put in with square brackets, and leave all other words as they are.\n\nSentence: The man walks along the "
    "street.\nEdited: The [old] man walks along the street.\n\nSentence: {sentence}\nEdited:"
)
_MARKED = re.compile(r"\[([^\[\]]*)\]")


def insert_modifiers(item: ChoiceItem, count: int | None = None, seed: int = 0) -> list[ChoiceItem]:
    """Edits of an item, each with one adjective or adverb put in by rule; no two alike.

    An adjective goes in front of a word that follows a determiner, an adverb in front of one that follows an auxiliary
    verb or a pronoun.

    Parameters
    ----------
    count : edits, shared among the fields; default: 20. Fewer where there are not enough places and words.
    """
    most = 20 if count is None else count
    if most < 1:
        raise InputError(f"{most} edits; ask for 1 or more")
    rng = generator(seed, "insert", item.to_dict())
    present = {bare(word) for word in item.words}
    each = -(-most // len(item.fields))
    found: list[ChoiceItem] = []
    for name, text in item.fields:
        words = text.split()
        options = [
            (place, modifier)
            for place in range(1, len(words))
            for modifier in _modifiers(words, place)
            if modifier not in present
        ]
        for chosen in rng.permutation(len(options))[: min(each, most - len(found))]:
            place, modifier = options[int(chosen)]
            found.append(edited(item, name, place, modifier, len(found)))
    return found


def _modifiers(words: Sequence[str], place: int) -> tuple[str, ...]:
    """What fits in front of the word at `place`."""
    before, word = bare(words[place - 1]), bare(words[place])
    if word in FUNCTION_WORDS or not word.isalpha() or words[place - 1][-1:] in ",.;:?!":
        return ()
    if before in BEFORE_NOUNS:
        return ADJECTIVES
    return ADVERBS if before in BEFORE_VERBS or before in SUBJECTS else ()


def edited(item: ChoiceItem, field: str, place: int, word: str, number: int) -> ChoiceItem:
    """The item with `word` in front of the word at `place` of a field.

    Raises
    ------
    InputError : the word is none, or is in the item already.
    """
    if not word or any(letter.isspace() for letter in word):
        raise InputError(f"item {item.name!r}: {word!r} is not one word")
    if bare(word) in {bare(known) for known in item.words}:
        raise InputError(f"item {item.name!r} holds the word {word!r} already")
    fields = []
    for name, text in item.fields:
        words = text.split()
        if name == field:
            words.insert(place, word)
        fields.append((name, " ".join(words)))
    return replace(
        item,
        fields=tuple(fields),
        eidx=f"{item.idx}/{number}",
        edit_field=field,
        edit_position=place,
        edit_word=word,
    )


def read_edit(item: ChoiceItem, field: str, text: str, number: int = 0) -> ChoiceItem:
    """An edit from a sentence with the inserted word in square brackets.

    Raises
    ------
    InputError : not exactly one word is marked, other words were changed, or the word is in the item already.
    """
    lines = text.strip().splitlines()
    if not lines:
        raise InputError(f"item {item.name!r}: the edit is empty")
    line = lines[0].removeprefix("Edited:").strip()
    marked = _MARKED.findall(line)
    if len(marked) != 1:
        raise InputError(f"item {item.name!r}: {len(marked)} words are marked in the edit {line!r}; mark one")
    words = line.split()
    place = next(place for place, word in enumerate(words) if "[" in word)
    if [*words[:place], *words[place + 1 :]] != dict(item.fields)[field].split():
        raise InputError(f"item {item.name!r}: the edit {line!r} changes more than the marked word")
    return edited(item, field, place, marked[0].strip(), number)


def asked_modifiers(chat: ChatModel, item: ChoiceItem, count: int = 20, **settings: Any) -> list[ChoiceItem]:
    """Edits of an item written by a chat model, drawn at temperature 1; rejected ones are left out.

    Parameters
    ----------
    count : calls, shared among the fields. settings : see `ChatModel.replies`.
    """
    found: list[ChoiceItem] = []
    each = -(-count // len(item.fields))
    options: dict[str, Any] = {"temperature": 1.0, "max_new_tokens": 128, **settings}
    for name, text in item.fields:
        asked = [
            {"role": "system", "content": INSERT_SYSTEM},
            {"role": "user", "content": INSERT.format(sentence=text)},
        ]
        for reply in chat.replies([asked] * each, repetition=list(range(each)), **options):
            try:
                one = read_edit(item, name, reply.text, len(found))
            except ExplicateError:
                continue  # what is no edit is no edit: nothing is repaired
            if all(
                (one.edit_word, one.edit_position, name) != (e.edit_word, e.edit_position, e.edit_field) for e in found
            ):
                found.append(one)
    return found


@dataclass(frozen=True)
class CounterItems:
    """Edits whose answer is another than the original's.

    Attributes
    ----------
    places : of the counter items among the edits. valid : pairs in which both answers could be read.
    """

    places: tuple[int, ...]
    valid: int

    @property
    def rate(self) -> float:
        """Counter items of all valid pairs; NaN where there is none."""
        return len(self.places) / self.valid if self.valid else float("nan")


def counter_items(before: Sequence[str | None], after: Sequence[str | None]) -> CounterItems:
    """Which edits moved the answer.

    Parameters
    ----------
    before, after : the letter of each edit's original, and of the edit; None where it could not be read.
    """
    if len(before) != len(after):
        raise InputError(f"{len(before)} answers before and {len(after)} after the edits; give one each")
    valid = [place for place, pair in enumerate(zip(before, after, strict=True)) if None not in pair]
    return CounterItems(tuple(place for place in valid if before[place] != after[place]), len(valid))


@dataclass(frozen=True)
class Unfaithfulness:
    """How often explanations do not name the word that moved the answer.

    Attributes
    ----------
    total : counter items. named : (valid,), whether each valid explanation names its word.
    interval : 95 % interval of the rate of those that do not. length : mean number of words of the explanations.
    """

    total: int
    named: Masks
    interval: Interval | None
    length: float

    @property
    def valid(self) -> int:
        """Counter items with an explanation."""
        return len(self.named)

    @property
    def rate(self) -> float:
        """Unfaithful explanations of all valid ones; NaN where there is none."""
        return float(1 - self.named.mean()) if self.valid else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        faithful = int(self.named.sum())
        return {
            "total": self.total,
            "valid": self.valid,
            "faithful": faithful,
            "unfaithful": self.valid - faithful,
            "rate": self.rate if self.valid else None,
            "length": self.length if self.valid else None,
        }


def unfaithfulness_rate(
    explanations: Sequence[str | None], edit_words: Sequence[str], match: Match = "substring"
) -> Unfaithfulness:
    """The rate over counter items.

    Parameters
    ----------
    explanations : of the edited items; None where it could not be read, which leaves the item out of the denominator.
    match : "substring" counts "rapid" as named by "rapidly", as published; "word" asks for the whole word.
    """
    if match not in ("substring", "word"):
        raise InputError(f"match {match!r} is unknown; use substring or word")
    if len(explanations) != len(edit_words):
        raise InputError(f"{len(explanations)} explanations for {len(edit_words)} inserted words; give one each")
    pairs = [(text, word) for text, word in zip(explanations, edit_words, strict=True) if text is not None]
    named = np.array([names(text, word, match) for text, word in pairs], dtype=bool)
    interval = wilson_interval(int((~named).sum()), len(named)) if len(named) else None
    length = float(np.mean([len(text.split()) for text, _ in pairs])) if pairs else float("nan")
    return Unfaithfulness(len(explanations), named, interval, length)


def names(text: str, word: str, match: Match = "substring") -> bool:
    """Whether a text holds a word, letter case aside."""
    if match == "substring":
        return word.lower() in text.lower()
    return re.search(rf"(?<!\w){re.escape(word.lower())}(?!\w)", text.lower()) is not None


def hit_at(ranked: Sequence[Sequence[str]], edit_words: Sequence[str], k: int) -> Masks:
    """Whether each inserted word is among the first k of its item's ranked words: (item,)."""
    if len(ranked) != len(edit_words):
        raise InputError(f"{len(ranked)} word lists for {len(edit_words)} inserted words; give one each")
    return np.array([bare(word) in list(own)[:k] for own, word in zip(ranked, edit_words, strict=True)], dtype=bool)
