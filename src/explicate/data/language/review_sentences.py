"""Sentences of reviews with their sentiment: published files by path, and made-up ones whose sentiment is a known sum.

Words are lower-cased and set apart from punctuation by blanks, as in the files of Pang and Lee.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from explicate.data.language.labelled_texts import BAD, GOOD, THINGS, LabelledTexts
from explicate.errors import FileFormatError, InputError, first_line
from explicate.runtime.seeds import generator

LARGEST = 64 << 20  # bytes of a file that is read
RATED = "movieReviewSnippets_GroundTruth.txt"
NEUTRAL = (
    "long", "short", "new", "old", "quiet", "loud", "modern", "recent", "local", "early",
    "french", "simple", "second", "familiar", "famous", "colourful", "dark", "light", "serious", "small",
)  # fmt: skip
DETERMINERS = ("the", "this", "that", "every", "one")
VERBS = ("seemed", "felt", "was", "became", "looked")
LINKS = ("and", "while", "as", "because", "where")
_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*|[^\sa-z0-9]")


def words_of(text: str) -> tuple[str, ...]:
    """A sentence's words and marks, lower-cased."""
    return tuple(_WORD.findall(text.lower().replace("\u2019", "'")))


def rt_polarity(folder: str | Path) -> LabelledTexts:
    """The 10,662 sentences of film reviews of Pang and Lee (2005), half of them positive. Label 1: positive.

    Parameters
    ----------
    folder : with the files `rt-polarity.pos` and `rt-polarity.neg` of the publishers' `rt-polaritydata`
        (cs.cornell.edu/people/pabo/movie-review-data), one sentence a line, Latin-1.

    Raises
    ------
    FileFormatError : a file that is missing, empty or too large.
    """
    rows = []
    for label, name in ((1, "rt-polarity.pos"), (0, "rt-polarity.neg")):
        lines = [line.strip() for line in _read(Path(folder) / name).decode("latin-1").splitlines()]
        rows += [(line, label) for line in lines if line]
        if not any(lines):
            raise FileFormatError(f"{Path(folder) / name} holds no sentence")
    return _labelled(rows)


def rated_reviews(archive: str | Path) -> LabelledTexts:
    """About 10,600 sentences of film reviews with the mean of people's ratings; label 1: the mean is above 0.

    Parameters
    ----------
    archive : the source archive of the package vaderSentiment 3.3.2 (MIT; `pip download --no-binary :all: --no-deps
        vaderSentiment==3.3.2`), the archive in it, or the file `movieReviewSnippets_GroundTruth.txt` itself.

    Raises
    ------
    FileFormatError : no such file in it, or a line that is not "number, rating, sentence" with tabs between; it is
        named.

    Source: Hutto and Gilbert (2014), "VADER"; the sentences are those of Pang and Lee.
    """
    path = Path(archive)
    data = _member(_read(path), path) if path.suffix != ".txt" else _read(path)
    rows = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        parts = line.split("\t")
        try:
            rating = float(parts[1])
        except (IndexError, ValueError):
            raise FileFormatError(
                f"{path}, line {number}: no 'number, rating, sentence' with tabs between: {line[:60]!r}"
            ) from None
        if len(parts) > 2 and rating:
            rows.append((parts[2], int(rating > 0)))
    return _labelled(rows)


def review_sentences(place: str | Path) -> LabelledTexts:
    """`rt_polarity` of a folder, `rated_reviews` of a file."""
    return rt_polarity(place) if Path(place).is_dir() else rated_reviews(place)


def made_reviews(count: int = 2000, clauses: int = 3, seed: int = 0) -> LabelledTexts:
    """Sentences from a small grammar; how positive one is, is the sum of its adjectives' `sentiments`.

    Label 1: positive. Each clause is "determiner adjective thing verb adjective"; the label is drawn from the logistic
    of the sum, so that no reader can know all of them.

    Parameters
    ----------
    clauses : in each sentence, 1 or more.
    """
    if count < 2 or clauses < 1:
        raise InputError(f"{count} sentences of {clauses} clauses; make 2 or more, of 1 or more")
    rng, strengths = generator(seed, "made reviews"), sentiments()
    adjectives, rows = tuple(strengths), []
    for _ in range(count):
        parts: list[str] = []
        for clause in range(clauses):
            parts += [_drawn(LINKS, rng)] if clause else []
            parts += [_drawn(DETERMINERS, rng), _drawn(adjectives, rng), _drawn(THINGS, rng)]
            parts += [_drawn(VERBS, rng), _drawn(adjectives, rng)]
        chance = 1 / (1 + np.exp(-sum(strengths.get(word, 0.0) for word in parts)))
        rows.append((" ".join([*parts, "."]), int(rng.random() < chance)))
    return _labelled(rows)


def sentiments() -> Mapping[str, float]:
    """Adjective -> log-odds that it adds: 0.5 to 2.5 of praise, as much less of blame, 0 of neutral words."""
    sizes = np.linspace(2.5, 0.5, len(GOOD))
    return (
        {word: float(size) for word, size in zip(GOOD, sizes, strict=True)}
        | {word: -float(size) for word, size in zip(BAD, sizes, strict=True)}
        | dict.fromkeys(NEUTRAL, 0.0)
    )


def in_parts(texts: LabelledTexts, shares: Sequence[float] = (0.8, 0.1), seed: int = 0) -> tuple[LabelledTexts, ...]:
    """As many texts of one label as of the other, at random in parts of these shares and a last one of the rest."""
    rng = generator(seed, "parts")
    each = [rng.permutation(np.flatnonzero(texts.labels == label)) for label in (0, 1)]
    few = min(map(len, each))
    bounds = [0, *np.rint(np.cumsum(shares) * few).astype(int), few]
    found = []
    for first, last in pairwise(bounds):
        places = rng.permutation(np.concatenate([own[first:last] for own in each]))
        found.append(
            LabelledTexts(
                tuple(texts.texts[i] for i in places),
                texts.labels[places],
                texts.positive,
                tuple(texts.subjects[i] for i in places),
            )
        )
    return tuple(found)


def _labelled(rows: Sequence[tuple[str, int]]) -> LabelledTexts:
    """Sentences with at least one word; marks and numbers alone say nothing."""
    rows = [row for row in rows if any(word.isalpha() for word in words_of(row[0]))]
    return LabelledTexts(
        tuple(" ".join(words_of(text)) for text, _ in rows),
        np.array([label for _, label in rows], dtype=np.int64),
        "positive",
        tuple(map(str, range(len(rows)))),
    )


def _drawn(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise FileFormatError(f"{path} has more than {LARGEST >> 20} MiB; no set of sentences is so large")
        return path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"cannot read {path}: {error.strerror or error}") from error


def _member(data: bytes, path: Path, depth: int = 2) -> bytes:
    """The rated sentences in an archive, or in an archive in it."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            members = [one for one in archive.getmembers() if one.isfile() and one.size <= LARGEST]
            for member in members:
                if member.name.endswith(RATED):
                    return _content(archive, member)
            for member in members:
                if depth > 1 and member.name.endswith(".tar.gz"):
                    return _member(_content(archive, member), path, depth - 1)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise FileFormatError(f"cannot read the archive {path}: {first_line(error)}") from error
    raise FileFormatError(f"{path} holds no file {RATED}; it is in the source archive of vaderSentiment 3.3.2")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return b"" if file is None else file.read()
