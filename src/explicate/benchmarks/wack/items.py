"""Questions with short answers, and when an answer counts as right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from explicate.errors import InputError
from explicate.runtime.seeds import generator

PROMPT = "question: {question}\nanswer:"
ALONE_BELOW = 2  # a gold answer of fewer characters must stand alone: "7" is contained in "17"


@dataclass(frozen=True)
class Item:
    """A question without context.

    Attributes
    ----------
    question : as it is asked, on one line.
    golds : right answers; any of them will do, the first is the one that is shown.
    topic : what kind of question it is.
    """

    question: str
    golds: tuple[str, ...]
    topic: str = ""

    def __post_init__(self) -> None:
        if not self.question.strip() or "\n" in self.question:
            raise InputError(f"the question {self.question!r} is empty or has several lines; ask on one line")
        if isinstance(self.golds, str) or not self.golds or not all(isinstance(gold, str) for gold in self.golds):
            raise InputError(f"the right answers to {self.question!r} must be a tuple of texts, at least one")

    @property
    def prompt(self) -> str:
        """What the model reads: the question, and the beginning of an answer."""
        return PROMPT.format(question=self.question)

    @property
    def gold(self) -> str:
        """The right answer that is shown."""
        return self.golds[0]


@dataclass(frozen=True)
class Items(Sequence[Item]):
    """Items that can be asked, and what became of the others.

    Attributes
    ----------
    items : no two with the same question.
    dropped : how many were left out, by reason; merged questions are counted under "same question".
    flagged : questions with a gold answer so short that it has to stand alone to count.
    """

    items: tuple[Item, ...]
    dropped: dict[str, int]
    flagged: tuple[str, ...] = ()

    def __getitem__(self, place: Any) -> Any:
        return self.items[place]

    def __len__(self) -> int:
        return len(self.items)


def prepare(
    items: Iterable[Item | tuple[str, str]],
    model: Any = None,
    *,
    longest: int = 5,
    most: int = 30_000,
    seed: int = 42,
    alone_below: int = ALONE_BELOW,
) -> Items:
    """The items that can be asked: short gold answers, each question once, at most `most` of them drawn with `seed`.

    Answers in capitals become capitalised ("EVEREST" to "Everest"). Items with one question become one with all their
    gold answers.

    Parameters
    ----------
    items : items, or pairs of question and gold answer.
    model : whose tokens are counted (with the space before an answer); for one that has no tokenizer, and for None,
        words are counted.
    longest : most tokens of a gold answer; longer ones are dropped, for a generation of so many could not hold them.
    alone_below : gold answers of fewer characters are flagged.
    """
    dropped: Counter[str] = Counter()
    found: dict[str, Item] = {}
    for given in items:
        item = given if isinstance(given, Item) else Item(given[0], (given[1],))
        golds = tuple(dict.fromkeys(_capitalised(gold.strip()) for gold in item.golds if gold.strip()))
        short = tuple(gold for gold in golds if len(answer_tokens(model, gold)) <= longest)
        if not short:
            dropped["gold answer too long" if golds else "gold answer empty"] += 1
        elif item.question in found:
            dropped["same question"] += 1
            before = found[item.question]
            found[item.question] = replace(before, golds=tuple(dict.fromkeys((*before.golds, *short))))
        else:
            found[item.question] = replace(item, golds=short)
    kept = list(found.values())
    if len(kept) > most:
        dropped["not drawn"] = len(kept) - most
        chosen = generator(seed, "items").choice(len(kept), most, replace=False)
        kept = [kept[place] for place in sorted(chosen)]
    flagged = tuple(item.question for item in kept if any(len(gold) < alone_below for gold in item.golds))
    return Items(tuple(kept), dict(dropped), flagged)


def answer_tokens(model: Any, answer: str) -> list[Any]:
    """Token ids of an answer after its prompt; its words, where the model has no tokenizer."""
    tokenizer = getattr(model, "tokenizer", None)
    if tokenizer is None:
        return answer.split()
    return list(tokenizer(" " + answer, add_special_tokens=False)["input_ids"])


def hit(golds: Sequence[str], text: str, alone_below: int = ALONE_BELOW) -> bool:
    """Whether a generated text contains one of the gold answers, whatever the case.

    Parameters
    ----------
    alone_below : gold answers of fewer characters count only where no letter or digit touches them.
    """
    read = text.lower()
    for gold in golds:
        wanted = gold.strip().lower()
        if not wanted:
            continue
        if len(wanted) >= alone_below:
            if wanted in read:
                return True
        elif re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", read):
            return True
    return False


def _capitalised(gold: str) -> str:
    """Words written in capitals, as names are; short ones, and those with digits, dots or slashes, are codes."""
    if gold.isupper() and len(gold) > 3 and not any(sign.isdigit() or sign in "./" for sign in gold):
        return gold[0] + gold[1:].lower()
    return gold
