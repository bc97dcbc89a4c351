"""References that a language model was asked for: the titles in its answer, where each stood, and whether it exists.

Source: Agrawal, Suzgun, Mackey, Kalai (2024), "Do Language Models Know When They're Hallucinating References?",
Findings of EACL 2024, arXiv 2305.18248, section 3.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explicate.errors import FileFormatError, InputError, first_line

QUOTES = "\"'“”„‟‘’‚‛«»`"
_ITEM = re.compile(r"^[ \t]*(\d+)\.(?!\d)[ \t]*(\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Reference:
    """A title that a model gave.

    Attributes
    ----------
    title : without number, quotes and final dot.
    topic : what references were asked for; "" where that is not known.
    answer : the whole reply that the title stood in; "" where that is not known.
    position : the title's place in that reply, from 1; 0 where there is no reply.
    grounded : True where it exists, False where it does not, None where nobody looked.
    """

    title: str
    topic: str = ""
    answer: str = ""
    position: int = 0
    grounded: bool | None = None

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise InputError(f"a reference of the topic {self.topic!r} has no title")
        found = len(titles_in(self.answer))
        if self.answer and not 1 <= self.position <= found:
            raise InputError(
                f"{self.title!r} is said to be number {self.position} of an answer with {found} titles; give its place "
                "in the list, from 1"
            )

    def to_dict(self) -> dict[str, Any]:
        """The fields, as JSON; those that are not known are left out."""
        found: dict[str, Any] = {"title": self.title}
        if self.topic:
            found["topic"] = self.topic
        if self.answer:
            found |= {"answer": self.answer, "position": self.position}
        if self.grounded is not None:
            found["grounded"] = self.grounded
        return found

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Reference:
        """The inverse of `to_dict`."""
        grounded = record.get("grounded")
        if grounded is not None and not isinstance(grounded, bool):
            raise ValueError(f"grounded is {grounded!r}; write true or false, or leave it out")
        return cls(
            title=str(record["title"]),
            topic=str(record.get("topic", "")),
            answer=str(record.get("answer", "")),
            position=int(record.get("position", 0)),
            grounded=grounded,
        )


def titles_in(answer: str) -> list[str]:
    """The titles of a numbered list: what follows a number and a dot at the start of a line, cleaned.

    A number inside a line begins no item, and neither does one with decimals. Items without a letter or a digit are
    left out.
    """
    cleaned = [clean_title(text) for _, text in _ITEM.findall(answer)]
    return [title for title in cleaned if normalised(title)]


def clean_title(text: str) -> str:
    """A title without spaces, quotes, and dots and commas at its end; quotes that belong to a part of it stay."""
    before = None
    while text != before:
        before = text
        text = text.strip().rstrip(".,; ")
        text = "" if text in QUOTES else text
        if text and text[0] in QUOTES and text[-1] in QUOTES and len(text) > 1 and _one_pair(text):
            text = text[1:-1]
        elif text and (text[0] in QUOTES) != (text[-1] in QUOTES) and _alone(text):
            text = text[1:] if text[0] in QUOTES else text[:-1]
    return text


def listing(answer: str) -> str:
    """An answer as a list whose numbers are the titles' places: as it is where they are, else written anew."""
    numbers = [int(number) for number, text in _ITEM.findall(answer) if normalised(clean_title(text))]
    if numbers == list(range(1, len(numbers) + 1)):
        return answer.strip()
    return "\n".join(f"{place}. {title}" for place, title in enumerate(titles_in(answer), 1))


def references_in(answer: str, topic: str = "") -> list[Reference]:
    """A reference for each title of a model's answer."""
    return [Reference(title, topic, answer, place) for place, title in enumerate(titles_in(answer), 1)]


def normalised(title: str) -> str:
    """A title for comparison: lower case, without punctuation and spaces."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", title).casefold() if letter.isalnum())


def unique(references: Sequence[Reference]) -> list[int]:
    """Places of the references whose title, for comparison, was not there before.

    Raises
    ------
    InputError : a title that is labelled as existing in one place and as not existing in another.
    """
    first: dict[str, int] = {}
    for place, one in enumerate(references):
        before = references[first.setdefault(normalised(one.title), place)]
        if before.grounded != one.grounded:
            raise InputError(
                f"{one.title!r} is labelled {before.grounded} in one place and {one.grounded} in another; correct the "
                "labels, or keep duplicates"
            )
    return sorted(first.values())


def read_references(path: str | Path) -> list[Reference]:
    """References from a JSON-lines file (see `Reference.to_dict`), or from a text file with one title per line.

    Raises
    ------
    InputError : there is no such file, or nothing in it. FileFormatError : a line that is no reference.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path} is no text in UTF-8: {first_line(error)}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if Path(path).suffix != ".jsonl":
            found.append(Reference(line.strip()))
            continue
        try:
            found.append(Reference.from_dict(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileFormatError(
                f"{path}, line {number}: no reference ({first_line(error)}); write "
                '{"title": ..., "topic": ..., "answer": ..., "position": ...}'
            ) from error
    if not found:
        raise InputError(f"{path} holds no references")
    return found


def _one_pair(text: str) -> bool:
    """Whether the first and the last quote belong together: no quote between them closes the first."""
    inner = [place for place in range(1, len(text) - 1) if text[place] in QUOTES and text[place] not in "'’`"]
    return not inner or text[inner[0] - 1].isspace() or not text[inner[0] + 1].isspace()


def _alone(text: str) -> bool:
    """Whether the quote at one end has no partner inside."""
    inner = text[1:] if text[0] in QUOTES else text[:-1]
    own = text[0] if text[0] in QUOTES else text[-1]
    if own in "'’`":
        return own not in inner or text[0] in QUOTES
    return not any(letter in QUOTES and letter not in "'’`" for letter in inner)
