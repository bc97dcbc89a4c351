"""Choice questions that a model answers and then explains: the formats of ComVE, ECQA and e-SNLI, and sets of our own.

A record has one or two fields of text, lettered choices, the right one where it is known, and perhaps a gold
explanation and the words that people marked as the reason. An edited record also says which one word was put in, and
where. ERASER's files and templated reviews: `explicate.data.language.marked_tasks`.

Sources: Wang et al. (2020), SemEval task 4 (ComVE); Aggarwal et al. (2021), ECQA; Camburu et al. (2018), e-SNLI; in the
form of Wang and Atanasova (2025), "SR-NLE", arXiv 2505.22823.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Literal

from explicate.errors import FileFormatError, InputError
from explicate.runtime.seeds import generator

Task = Literal["comve", "ecqa", "esnli", "review", "eraser"]
FIELDS: dict[str, tuple[str, ...]] = {
    "comve": ("sentence0", "sentence1"),
    "ecqa": ("question",),
    "esnli": ("premise", "hypothesis"),
    "review": ("review",),
    "eraser": ("document", "query"),
}
PUBLISHED = ("comve", "ecqa", "esnli")  # tasks whose CSV files are read
INFERENCES = ("contradiction", "neutral", "entailment")
STATEMENTS = ("sentence 0", "sentence 1")
ORDER_SEED = 42


@dataclass(frozen=True)
class ChoiceItem:
    """A question with lettered choices.

    Attributes
    ----------
    idx : its name. task : a key of `FIELDS`.
    fields : (name, text) pairs, in order. choices : the options' texts.
    gold : place of the right choice, or None. gold_explanation : "" where there is none.
    eidx : name of an edited record; "" for an original.
    edit_field, edit_position, edit_word : the field and the place among its words of the word that was put in.
    rationale : places, among the words of all fields, of those that people marked as the reason; None: nobody did.
    """

    idx: str
    task: Task
    fields: tuple[tuple[str, str], ...]
    choices: tuple[str, ...]
    gold: int | None = None
    gold_explanation: str = ""
    eidx: str = ""
    edit_field: str = ""
    edit_position: int = -1
    edit_word: str = ""
    rationale: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.task not in FIELDS or tuple(name for name, _ in self.fields) != FIELDS[self.task]:
            raise InputError(
                f"item {self.idx!r}: a {self.task} item has the fields {FIELDS.get(self.task, '(unknown)')}"
            )
        if any(not text.strip() for _, text in self.fields):
            raise InputError(f"item {self.idx!r} has an empty field")
        if not 2 <= len(self.choices) <= len(ascii_uppercase):
            raise InputError(f"item {self.idx!r} has {len(self.choices)} choices; give 2 to {len(ascii_uppercase)}")
        if self.gold is not None and not 0 <= self.gold < len(self.choices):
            raise InputError(f"item {self.idx!r}: the right choice {self.gold} is none of {len(self.choices)}")
        if self.rationale is not None and not all(0 <= place < len(self.words) for place in self.rationale):
            raise InputError(f"item {self.idx!r} marks the words {self.rationale}; it has {len(self.words)}")

    @property
    def name(self) -> str:
        """The edited record's name, or the original's."""
        return self.eidx or self.idx

    @property
    def letters(self) -> str:
        """The letters of the choices."""
        return ascii_uppercase[: len(self.choices)]

    @property
    def words(self) -> list[str]:
        """The words of all fields, as they are written."""
        return [word for _, text in self.fields for word in text.split()]

    def to_dict(self) -> dict[str, Any]:
        """The record, as JSON."""
        found: dict[str, Any] = {"idx": self.idx, "task": self.task, **dict(self.fields), "choices": list(self.choices)}
        if self.gold is not None:
            found |= {"gold_answer": self.letters[self.gold], "gold_label": self.choices[self.gold]}
        if self.gold_explanation:
            found["gold_explanation"] = self.gold_explanation
        if self.eidx:
            found |= {"eidx": self.eidx, "edit_field": self.edit_field}
            found |= {"edit_pos": self.edit_position, "edit_word": self.edit_word}
        if self.rationale is not None:
            found["rationale"] = list(self.rationale)
        return found

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ChoiceItem:
        """The inverse of `to_dict`; a `KeyError` names what is missing."""
        task = record["task"]
        letter, marked = record.get("gold_answer"), record.get("rationale")
        return cls(
            idx=str(record["idx"]),
            task=task,
            fields=tuple((name, str(record[name])) for name in FIELDS.get(task, ())),
            choices=tuple(map(str, record["choices"])),
            gold=None if letter is None else ascii_uppercase.index(letter),
            gold_explanation=str(record.get("gold_explanation", "")),
            eidx=str(record.get("eidx", "")),
            edit_field=str(record.get("edit_field", "")),
            edit_position=int(record.get("edit_pos", -1)),
            edit_word=str(record.get("edit_word", "")),
            rationale=None if marked is None else tuple(map(int, marked)),
        )


def read_items(path: str | Path, task: Task | None = None) -> list[ChoiceItem]:
    """Records from a JSON-lines file of our own, or from the data set's published CSV file.

    Parameters
    ----------
    task : of a CSV file: "comve" (columns `Correct Statement`, `Incorrect Statement`, `Right Reason1`; put in random
        order with the seed 42), "ecqa" (`q_text`, `q_op1` ... `q_op5`, `q_ans`, `taskB`) or "esnli" (`Sentence1`,
        `Sentence2`, `gold_label`, `Explanation_1`; marked words stand between asterisks in `Sentence1_marked_1` and
        `Sentence2_marked_1`).

    Raises
    ------
    FileFormatError : a file that is missing or of another form, named with its line.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            if path.suffix == ".jsonl":
                rows: list[Any] = [json.loads(line) for line in file if line.strip()]
            else:
                rows = list(csv.DictReader(file))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"cannot read {path}: {error}") from error
    if path.suffix != ".jsonl" and task not in PUBLISHED:
        raise InputError(f"{path}: say which task it is of: {', '.join(PUBLISHED)}")
    rng = generator(ORDER_SEED, "comve")
    found = []
    for number, row in enumerate(rows):
        try:
            if path.suffix == ".jsonl":
                found.append(ChoiceItem.from_dict(row))
            elif task == "comve":
                found.append(_comve(row, number, bool(rng.integers(2))))
            else:
                found.append(_ecqa(row, number) if task == "ecqa" else _esnli(row, number))
        except (KeyError, ValueError, TypeError) as error:
            raise FileFormatError(f"{path}, record {number}: {type(error).__name__}: {error}") from error
    if not found:
        raise FileFormatError(f"{path} holds no record")
    return found


def _comve(row: Mapping[str, str], number: int, swapped: bool) -> ChoiceItem:
    right, wrong = row["Correct Statement"], row["Incorrect Statement"]
    pair = (wrong, right) if swapped else (right, wrong)
    fields = tuple(zip(FIELDS["comve"], pair, strict=True))
    gold = 0 if swapped else 1  # the answer is the sentence that is against common sense
    return ChoiceItem(str(number), "comve", fields, STATEMENTS, gold, row.get("Right Reason1", ""))


def _ecqa(row: Mapping[str, str], number: int) -> ChoiceItem:
    choices = tuple(row[f"q_op{place}"] for place in range(1, 6))
    return ChoiceItem(
        str(number),
        "ecqa",
        (("question", row["q_text"]),),
        choices,
        choices.index(row["q_ans"]),
        row.get("taskB", ""),
    )


def _esnli(row: Mapping[str, str], number: int) -> ChoiceItem:
    fields = (("premise", row["Sentence1"]), ("hypothesis", row["Sentence2"]))
    marked = [row.get(f"Sentence{place}_marked_1") for place in (1, 2)]
    words = [word for text in marked for word in (text or "").split()]
    rationale = None
    if None not in marked and len(words) == sum(len(text.split()) for _, text in fields):
        rationale = tuple(place for place, word in enumerate(words) if "*" in word)
    return ChoiceItem(
        str(number),
        "esnli",
        fields,
        INFERENCES,
        INFERENCES.index(row["gold_label"]),
        row.get("Explanation_1", ""),
        rationale=rationale,
    )


def bare(word: str) -> str:
    """A word in lower case, without `, . ? !` around it."""
    return word.strip(",.?!").lower()


# -- sets of our own -----------------------------------------------------------------------------------------------

PEOPLE = ("A man", "A woman", "A child", "A farmer", "A nurse", "A teacher", "A boy", "A girl")
ACTIONS = (
    ("is eating an apple", "is eating a fruit", "is asleep", "is eating lunch with a friend"),
    ("is riding a horse", "is on an animal", "is swimming", "is riding to the market"),
    ("is playing the piano", "is making music", "is outside on a boat", "is playing for a crowd"),
    ("is reading a newspaper", "is looking at paper", "is running a race", "is reading about a match"),
    ("is cutting the grass", "is working in a garden", "is flying a plane", "is cutting the grass for money"),
    ("is washing a car", "is cleaning something", "is under the sea", "is washing a car before a trip"),
)
PLACES = ("in the park", "near the river", "at home", "in the village", "beside the road")
THINGS = (
    ("a fridge", "keeps food cold", "keeps food warm for days"),
    ("an umbrella", "keeps the rain off", "makes the rain fall"),
    ("a lamp", "gives light in the dark", "makes a room dark"),
    ("a bird", "can fly over a house", "can drive a car"),
    ("a fish", "lives in the water", "lives in a tree"),
    ("a knife", "can cut bread", "can drink milk"),
    ("a shop", "sells bread to people", "eats the bread of people"),
    ("a baby", "drinks milk", "drives to work"),
    ("a key", "opens a door", "cooks a meal"),
    ("a coat", "keeps a person warm", "reads a book"),
)
SAYING = ("{thing} {does}", "people know that {thing} {does}", "my friend says that {thing} {does}",
          "in most places {thing} {does}")  # fmt: skip


def templated_items(task: Literal["comve", "esnli"], count: int, seed: int = 0) -> list[ChoiceItem]:
    """Items of our own in the form of ComVE or e-SNLI, without repetition, in random order.

    Raises
    ------
    InputError : more items than the templates make, or another task.
    """
    rng = generator(seed, "templated", task)
    found: list[ChoiceItem] = []
    if task == "esnli":
        for person, (premise, *others), place in product(PEOPLE, ACTIONS, PLACES):
            for label, other in zip((2, 0, 1), others, strict=True):
                fields = (("premise", f"{person} {premise} {place}."), ("hypothesis", f"{person} {other}."))
                found.append(ChoiceItem(f"esnli-{len(found)}", "esnli", fields, INFERENCES, label))
    elif task == "comve":
        for (thing, right, wrong), first, second in product(THINGS, SAYING, SAYING):
            for swapped in (False, True):
                pair = [first.format(thing=thing, does=right), second.format(thing=thing, does=wrong)]
                if swapped:
                    pair.reverse()
                written = [text[0].upper() + text[1:] + "." for text in pair]
                fields = (("sentence0", written[0]), ("sentence1", written[1]))
                found.append(ChoiceItem(f"comve-{len(found)}", "comve", fields, STATEMENTS, 0 if swapped else 1))
    else:
        raise InputError(f"there are templates for comve and esnli, not for {task!r}")
    if not 1 <= count <= len(found):
        raise InputError(f"the templates of {task} make {len(found)} items, not {count}")
    return [found[int(place)] for place in rng.permutation(len(found))[:count]]
