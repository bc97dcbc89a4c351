"""Succession: ordered lists of words, as the single tokens that a tokenizer makes of them.

A task (numbers, days, letters, ...) enters once for each form class of its words - with or without a leading space,
with or without a capital - and within a form class words are compared with each other only. Words of more than one
token are dropped, and the data set says which. Source: Gould, Ong, Ogden, Conmy (2023), "Successor Heads", section 2.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Masks
from explicate.errors import FileFormatError, InputError
from explicate.runtime.files import write_json
from explicate.runtime.seeds import generator

FEWEST = 3  # words that make a task
FORMS = ("plain", "space", "capital", "space capital")
"""Form classes: how a word is written."""

_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
          "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty")  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip


@dataclass(frozen=True)
class WordList:
    """An ordered list, as its words are written inside a sentence.

    Attributes
    ----------
    name : the task. words : in order. cyclic : whether the first one follows the last.
    first : the index of the first word; Monday, January, "one" and "a" are all number 1 of their kind.
    """

    name: str
    words: tuple[str, ...]
    cyclic: bool = False
    first: int = 1


LISTS: dict[str, WordList] = {
    each.name: each
    for each in (
        WordList("numbers", tuple(str(number) for number in range(1, 201))),
        WordList("number words", _UNITS),
        WordList(
            "ordinal words",
            ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
        ),
        WordList("days", _DAYS, cyclic=True),
        WordList("months", _MONTHS, cyclic=True),
        WordList("day prefixes", tuple(day[:3] for day in _DAYS), cyclic=True),
        WordList("month prefixes", tuple(month[:3] for month in _MONTHS), cyclic=True),
        WordList("letters", tuple("abcdefghijklmnopqrstuvwxyz")),
    )
}
"""The eight tasks."""

ROMAN = WordList(
    "roman numerals",
    ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI", "XVII",
     "XVIII", "XIX", "XX"),
)  # fmt: skip
"""A ninth list, which is for tests alone: nothing is ever fitted to it."""


@dataclass(frozen=True)
class Item:
    """One word of a list as one token.

    Attributes
    ----------
    index : its number in the list. token : the text. id : the token's id.
    """

    index: int
    token: str
    id: int


@dataclass(frozen=True)
class SuccessionTask:
    """A list in one form class.

    Attributes
    ----------
    name, cyclic : see `WordList`. form : one of `FORMS`, or "" for a list that was read from a file.
    items : in order of their indices, which may have gaps where words were dropped.
    length : of the whole list, dropped words included; it closes a cycle.
    """

    name: str
    items: tuple[Item, ...]
    cyclic: bool = False
    form: str = ""
    length: int = 0

    @property
    def label(self) -> str:
        """Name and form."""
        return f"{self.name} ({self.form})" if self.form else self.name

    def next_to(self, step: int = 1) -> list[int]:
        """For each item the place in `items` of the one `step` further on; -1 where that is none."""
        places = {item.index: place for place, item in enumerate(self.items)}
        found = []
        first = min(places)
        for item in self.items:
            index = item.index + step
            if self.cyclic and self.length:
                index = first + (index - first) % self.length
            found.append(places.get(index, -1))
        return found


@dataclass(frozen=True)
class SuccessionDataset:
    """Tasks for one tokenizer, and the same as arrays over all items, task after task.

    Attributes
    ----------
    tasks : each list in each form class that has at least three words of one token.
    dropped : label of a task -> words of several tokens. skipped : labels of the tasks that had too few words left.
    """

    tasks: tuple[SuccessionTask, ...]
    dropped: Mapping[str, tuple[str, ...]]
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.tasks:
            raise InputError("the data set has no task; name lists of words that are single tokens")
        twice = [task.label for task in self.tasks if max(Counter(item.id for item in task.items).values()) > 1]
        if twice:
            warnings.warn(f"some tokens stand at two places of one task ({', '.join(twice)})", stacklevel=3)

    @classmethod
    def build(
        cls,
        tokenizer: Any,
        lists: Sequence[WordList | str] = tuple(LISTS),
        forms: Sequence[str] = FORMS,
    ) -> SuccessionDataset:
        """The lists' words that are one token.

        Parameters
        ----------
        tokenizer : a tokenizer of transformers, or a handle that has one.
        lists : names of `LISTS`, or lists of your own. forms : which form classes.

        Raises
        ------
        InputError : no list has three words of one token; the message shows how the tokenizer splits them.
        """
        tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
        tasks: list[SuccessionTask] = []
        dropped: dict[str, tuple[str, ...]] = {}
        skipped: list[str] = []
        for given in lists:
            words = _known(given)
            seen: set[tuple[int, ...]] = set()
            written: set[tuple[str, ...]] = set()
            for form in forms:
                texts = tuple(_written(word, form) for word in words.words)
                if texts in written:
                    continue  # digits have no capitals
                written.add(texts)
                single = [_single(tokenizer, text) for text in texts]
                items = tuple(
                    Item(words.first + place, text, token)
                    for place, (text, token) in enumerate(zip(texts, single, strict=True))
                    if token is not None
                )
                task = SuccessionTask(words.name, items, words.cyclic, form, len(texts))
                ids = tuple(item.id for item in items)
                if ids in seen:
                    continue  # a tokenizer that takes no notice of spaces or capitals
                seen.add(ids)
                lost = tuple(text for text, token in zip(texts, single, strict=True) if token is None)
                if lost:
                    dropped[task.label] = lost
                if len(items) < FEWEST:
                    skipped.append(task.label)
                else:
                    tasks.append(task)
        if not tasks:
            raise InputError(
                f"no list has {FEWEST} words of one token; the tokenizer splits {_splits(tokenizer, lists)}"
            )
        return cls(tuple(tasks), dropped, tuple(skipped))

    # -- all items as arrays -------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def ids(self) -> Array:
        """Token ids (item,)."""
        return np.array([item.id for task in self.tasks for item in task.items], dtype=np.int64)

    @cached_property
    def indices(self) -> Array:
        """Index of each item in its list (item,)."""
        return np.array([item.index for task in self.tasks for item in task.items], dtype=np.int64)

    @cached_property
    def task_of(self) -> Array:
        """Place in `tasks` of each item's task (item,)."""
        return np.repeat(np.arange(len(self.tasks)), [len(task.items) for task in self.tasks])

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Each item's text."""
        return tuple(item.token for task in self.tasks for item in task.items)

    def next_to(self, step: int = 1) -> Array:
        """For each item the number of the one `step` further on in its task; -1 where that is none: (item,)."""
        found, start = [], 0
        for task in self.tasks:
            found += [place if place < 0 else start + place for place in task.next_to(step)]
            start += len(task.items)
        return np.array(found, dtype=np.int64)

    @cached_property
    def ambiguous(self) -> Masks:
        """Items whose token stands elsewhere too: "May" is a month and its prefix, "I" a letter and a numeral."""
        counts = Counter(self.ids.tolist())
        return np.array([counts[token] > 1 for token in self.ids.tolist()], dtype=bool)

    def rows(self, *names: str) -> Array:
        """Numbers of the items of the tasks of these names, all forms."""
        known = {task.name for task in self.tasks}
        for name in names:
            if name not in known:
                raise InputError(f"the data set has no task {name!r}; it has {', '.join(sorted(known))}")
        return np.flatnonzero([self.tasks[number].name in names for number in self.task_of])

    def held_out(self, share: float = 0.1, seed: int = 0) -> Masks:
        """Which items are for the test, drawn by (index, list): all forms of a word go the same way; bool (item,)."""
        if not 0 < share < 1:
            raise InputError(f"share is {share}; give a number between 0 and 1")
        keys = [(self.tasks[number].name, int(index)) for number, index in zip(self.task_of, self.indices, strict=True)]
        distinct = sorted(set(keys))
        count = max(1, round(share * len(distinct)))
        chosen = generator(seed, "held-out words").permutation(len(distinct))[:count]
        test = {distinct[place] for place in chosen}
        return np.array([key in test for key in keys], dtype=bool)

    def summary(self) -> dict[str, dict[str, Any]]:
        """For each task kept: how many words are in and which are out; for each one skipped: what was lost."""
        found: dict[str, dict[str, Any]] = {
            task.label: {"kept": len(task.items), "dropped": list(self.dropped.get(task.label, ()))}
            for task in self.tasks
        }
        return found | {label: {"kept": 0, "dropped": list(self.dropped.get(label, ()))} for label in self.skipped}

    # -- files ---------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the tasks as JSON."""
        tasks = [
            {
                "task": [{"index": item.index, "token": item.token, "id": item.id} for item in task.items],
                "name": task.name,
                "form": task.form,
                "cyclic": task.cyclic,
                "length": task.length,
            }
            for task in self.tasks
        ]
        return write_json(path, {"tasks": tasks, "dropped": self.dropped, "skipped": self.skipped})

    @classmethod
    def load(cls, path: str | Path) -> SuccessionDataset:
        """Read what `save` wrote; a list of tasks with "task" and "cyclic" alone is enough."""
        try:
            found = json.loads(Path(path).read_bytes())
            given = found if isinstance(found, dict) else {"tasks": found}
            tasks = tuple(
                SuccessionTask(
                    str(task.get("name", f"task {number}")),
                    tuple(Item(int(item["index"]), str(item["token"]), int(item["id"])) for item in task["task"]),
                    bool(task["cyclic"]),
                    str(task.get("form", "")),
                    int(task.get("length", len(task["task"]))),
                )
                for number, task in enumerate(given["tasks"])
            )
            dropped = {str(label): tuple(words) for label, words in given.get("dropped", {}).items()}
            skipped = tuple(given.get("skipped", ()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileFormatError(f"{path} holds no succession tasks ({type(error).__name__}: {error})") from error
        small = tuple(task.label for task in tasks if len(task.items) < FEWEST)
        return cls(tuple(task for task in tasks if len(task.items) >= FEWEST), dropped, (*skipped, *small))

    def only(self, *names: str) -> SuccessionDataset:
        """The tasks of these names."""
        self.rows(*names)
        return replace(self, tasks=tuple(task for task in self.tasks if task.name in names))


def _known(given: WordList | str) -> WordList:
    if isinstance(given, WordList):
        return given
    if given not in LISTS:
        raise InputError(f"no list named {given!r}; there are {', '.join(LISTS)}, or give a WordList")
    return LISTS[given]


def _written(word: str, form: str) -> str:
    if form not in FORMS:
        raise InputError(f"form {form!r} is unknown; use {', '.join(FORMS)}")
    text = word[:1].upper() + word[1:] if "capital" in form else word
    return " " + text if "space" in form else text


def _ids(tokenizer: Any, text: str) -> list[int]:
    return [int(i) for i in tokenizer(text, add_special_tokens=False)["input_ids"]]


def _single(tokenizer: Any, text: str) -> int | None:
    ids = _ids(tokenizer, text)
    return ids[0] if len(ids) == 1 and ids[0] != tokenizer.unk_token_id else None


def _splits(tokenizer: Any, lists: Sequence[WordList | str]) -> str:
    """How the first word of each list comes apart."""
    shown = []
    for given in lists:
        word = _known(given).words[0]
        shown.append(f"{word!r} into {[str(tokenizer.decode([i])) for i in _ids(tokenizer, word)]}")
    return ", ".join(shown)
