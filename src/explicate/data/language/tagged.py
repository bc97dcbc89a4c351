"""Sequences of tokens with a tag for each: what taggers learn from, and their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from explicate.errors import FileFormatError, InputError, first_line
from explicate.runtime.seeds import generator

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"


@dataclass(frozen=True)
class Tagged:
    """One sequence.

    Attributes
    ----------
    tokens : its words. tags : one for each; None where there is nothing to predict.
    """

    tokens: tuple[str, ...]
    tags: tuple[str | None, ...]

    def __post_init__(self) -> None:
        if not self.tokens or len(self.tokens) != len(self.tags):
            raise InputError(f"{len(self.tokens)} tokens and {len(self.tags)} tags; give one tag for each token")


def labelled(tokens: Sequence[str], label: str) -> Tagged:
    """A whole sequence's class, which stands at its first token."""
    return Tagged(tuple(tokens), (label, *(None for _ in tokens[1:])))


def split(rows: Sequence[Tagged], seed: int) -> tuple[list[Tagged], list[Tagged], list[Tagged]]:
    """Training, validation and test: 90/10, and the 90 again 90/10, after shuffling.

    Raises
    ------
    InputError : fewer than 10 rows.
    """
    if len(rows) < 10:
        raise InputError(f"{len(rows)} sequences cannot be split in three; give at least 10")
    shuffled = [rows[place] for place in generator(seed, "split").permutation(len(rows))]
    held_out = max(1, len(rows) // 10)
    rest = shuffled[held_out:]
    validation = max(1, len(rest) // 10)
    return rest[validation:], rest[:validation], shuffled[:held_out]


def shorter(rows: Sequence[Tagged], length: int) -> list[Tagged]:
    """Those with fewer tokens than `length`. Published: below 32 for named entities, below 64 for classes of texts.

    Raises
    ------
    InputError : none is.
    """
    found = [row for row in rows if len(row.tokens) < length]
    if not found:
        raise InputError(f"none of {len(rows)} sequences has fewer than {length} tokens; give a higher length")
    return found


def read_conll(path: str | Path, token: int = 0, tag: int = -1) -> list[Tagged]:
    """Sentences of a file in CoNLL columns: a token a line, a blank line after each sentence.

    Parameters
    ----------
    token, tag : which columns they are in; the four columns of CoNLL-2003 have the word first and its entity last.
        Lines that begin with -DOCSTART- are skipped.

    Raises
    ------
    FileFormatError : a file that cannot be read, a line with too few columns, a tag that is not O, B-... or I-..., or
        no sentence at all.
    """
    found: list[Tagged] = []
    for number, lines in _blocks(Path(path)):
        words, tags = [], []
        for place, line in enumerate(lines):
            columns = line.split()
            try:
                words.append(columns[token])
                tags.append(columns[tag])
            except IndexError as error:
                raise FileFormatError(
                    f"{path}, line {number + place}: {len(columns)} columns; there is no column {max(token, tag)}"
                ) from error
            if len(columns) < 2 or not re.fullmatch(r"O|[BI]-\S+", tags[-1]):
                raise FileFormatError(
                    f"{path}, line {number + place}: {line!r} does not end in a tag O, B-... or I-..."
                )
        found.append(Tagged(tuple(words), strict_tags(tags)))
    if not found:
        raise FileFormatError(f"{path} has no sentences")
    return found


def strict_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags in which every entity begins with B- (IOB2), from tags where only one after its like does (IOB1)."""
    found: list[str] = []
    for tag in tags:
        goes_on = bool(found) and found[-1] != "O" and found[-1][2:] == tag[2:]
        found.append(f"B-{tag[2:]}" if tag.startswith("I-") and not goes_on else tag)
    return tuple(found)


def digits_hidden(row: Tagged) -> Tagged:
    """The same with every number in its tokens written as @."""
    return Tagged(tuple(re.sub(r"\d+", "@", word) for word in row.tokens), row.tags)


def framed(row: Tagged) -> Tagged:
    """The same between a first and a last token, which have no tag."""
    return Tagged((BEGIN, *row.tokens, END), (None, *row.tags, None))


def text_lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a file of examples.

    Raises
    ------
    FileFormatError : a file that cannot be read.
    """
    try:
        return path.read_text(encoding=encoding).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"cannot read examples from {path}: {first_line(error)}") from error


def _blocks(path: Path) -> Iterator[tuple[int, list[str]]]:
    lines: list[str] = []
    start = 1
    for number, line in enumerate([*text_lines(path), ""], 1):
        if line.strip() and not line.startswith("-DOCSTART-"):
            start = start if lines else number
            lines.append(line)
        elif lines:
            yield start, lines
            lines = []
