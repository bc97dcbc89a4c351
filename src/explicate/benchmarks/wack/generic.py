"""The generic set: every question with its right answer and a wrong one, whatever a model knows.

It is written once, by one model, and serves all models; so the set says who wrote it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from explicate.benchmarks.wack.asking import Cache, answers
from explicate.benchmarks.wack.items import Item, answer_tokens
from explicate.benchmarks.wack.published import FileName, question_of, read_rows
from explicate.benchmarks.wack.settings import Setting, prompts
from explicate.errors import FileFormatError, InputError, first_line
from explicate.runtime.files import write_json, write_text

FORMAT = "explicate wack generic 1"
WRONG_PROMPT = "Question: {question}\nCorrect Answer: {gold}\nIncorrect Answer:"
_LABEL = re.compile(
    r"\b(?:(?:in)?correct\s+answer|answer|question|the (?:in)?correct answer is)\s*:?|^\s*\d+\.\s", re.IGNORECASE
)
_EDGES = " \t\r\n\"'`.,;:!?-–#*~()[]"


@dataclass(frozen=True)
class GenericPair:
    """A question with a wrong answer beside its right ones."""

    item: Item
    wrong: str
    gold_tokens: tuple[int, ...] = ()
    wrong_tokens: tuple[int, ...] = ()


@dataclass(frozen=True)
class GenericSet:
    """Pairs, the model that wrote the wrong answers, and how many were dropped, by reason."""

    pairs: tuple[GenericPair, ...]
    writer: str
    dropped: dict[str, int]
    source: str = ""

    def wrong(self) -> dict[str, str]:
        """The wrong answer to each question."""
        return {pair.item.question: pair.wrong for pair in self.pairs}

    def texts(self, setting: Setting, model: Any = None) -> tuple[list[str], list[str], list[str]]:
        """Prompts with the right answer, those with the wrong one, and the questions, all in the order of the pairs."""
        asked = prompts(setting, [pair.item for pair in self.pairs], model)
        right = [f"{text} {pair.item.gold}" for text, pair in zip(asked, self.pairs, strict=True)]
        wrong = [f"{text} {pair.wrong}" for text, pair in zip(asked, self.pairs, strict=True)]
        return right, wrong, [pair.item.question for pair in self.pairs]

    def save(self, path: str | Path) -> Path:
        """Write everything as JSON."""
        return write_json(path, {"format": FORMAT, **asdict(self)})

    @classmethod
    def load(cls, path: str | Path) -> GenericSet:
        """Read what `save` wrote."""
        try:
            given = json.loads(Path(path).read_text(encoding="utf-8"))
            if given.pop("format", None) != FORMAT:
                raise FileFormatError(f"{path} is no generic set")
            pairs = tuple(
                GenericPair(
                    Item(each["item"]["question"], tuple(each["item"]["golds"]), each["item"]["topic"]),
                    each["wrong"],
                    tuple(each["gold_tokens"]),
                    tuple(each["wrong_tokens"]),
                )
                for each in given.pop("pairs")
            )
            return cls(pairs, **given)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, FileFormatError):
                raise
            raise FileFormatError(f"{path} is damaged: {first_line(error)}") from error


def write_generic_set(
    model: Any, items: Iterable[Item], *, source: str = "", new_tokens: int = 5, cache: Cache = True
) -> GenericSet:
    """Let a model write a wrong answer to each question; what is no wrong answer is dropped and counted."""
    asked = list(items)
    texts = [WRONG_PROMPT.format(question=item.question, gold=item.gold) for item in asked]
    told = answers(model, texts, new_tokens=new_tokens, cache=cache, label="writing wrong answers")
    dropped: Counter[str] = Counter()
    pairs = []
    for item, (text, *_) in zip(asked, told, strict=True):
        wrong = clean(text)
        reason = flaw(item.golds, wrong)
        if reason:
            dropped[reason] += 1
            continue
        ids = (tuple(i for i in answer_tokens(model, each) if isinstance(i, int)) for each in (item.gold, wrong))
        pairs.append(GenericPair(item, wrong, *ids))
    return GenericSet(tuple(pairs), model.name, dict(dropped), source)


def clean(text: str) -> str:
    """A generated wrong answer without labels, further lines and signs around it."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return ""
    first = re.split(r"\bquestion\b", lines[0], maxsplit=1, flags=re.IGNORECASE)[0]
    return _LABEL.sub(" ", first).strip(_EDGES)


def flaw(golds: Sequence[str], wrong: str) -> str:
    """Why a text cannot stand as a wrong answer; "" if it can."""
    if not wrong:
        return "empty"
    read = wrong.lower()
    if any(gold.lower() in read for gold in golds):
        return "contains the right answer"
    if any(read in gold.lower() for gold in golds):
        return "is part of the right answer"
    return ""


def write_published_generic(generic: GenericSet, setting: Setting, path: str | Path) -> Path:
    """Write the published layout, with the prompts of `setting`; into a folder, the file gets the layout's name."""
    path = Path(path)
    if path.is_dir():
        name = str(getattr(setting, "name", "bad-shots"))
        path = path / str(FileName("Static", generic.source or "Questions", setting=name))
    full = prompts(setting, [pair.item for pair in generic.pairs])
    rows = [
        [pair.item.prompt, pair.item.gold, pair.wrong, list(pair.gold_tokens), list(pair.wrong_tokens), text, -1, -1]
        for pair, text in zip(generic.pairs, full, strict=True)
    ]
    return write_text(path, json.dumps(rows, ensure_ascii=False))


def read_published_generic(path: str | Path, writer: str = "") -> GenericSet:
    """Read the published layout, which does not say who wrote it: give its name as `writer`."""
    pairs = tuple(
        GenericPair(Item(question_of(row[0], path), (row[1],)), row[2], tuple(row[3]), tuple(row[4]))
        for row in read_rows(path)
    )
    return GenericSet(pairs, writer, {}, FileName.parse(path).source)
