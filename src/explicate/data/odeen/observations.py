"""Tables of observations as people have them: a file with a structure in each row, and its tag where that is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from explicate.data.odeen.world import encode_structures
from explicate.errors import FileFormatError, InputError, first_line

_TAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Observations:
    """Tagged structures, and structures whose tag is asked for.

    Attributes
    ----------
    structures, tags : what was observed. asked : the others.
    """

    structures: tuple[str, ...]
    tags: tuple[bool, ...]
    asked: tuple[str, ...]


def read_observations(path: str | Path) -> Observations:
    """Read a CSV file with the columns `structure` and `tag`; a row without a tag asks for it.

    Tags are true or false, 1 or 0, yes or no.

    Raises
    ------
    FileFormatError : no such file, or no table; a column that is missing; a structure or a tag that cannot be read,
        with its line.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise FileFormatError(f"{path} cannot be read as a CSV file ({first_line(error)})") from error
    missing = [name for name in ("structure", "tag") if name not in frame]
    if missing:
        raise FileFormatError(f"{path}: the column {missing[0]!r} is missing; write structure,tag in the first line")
    structures, tags, asked = [], [], []
    for line, (structure, tag) in enumerate(zip(frame["structure"], frame["tag"], strict=True), start=2):
        text, said = structure.strip(), tag.strip().lower()
        try:
            encode_structures([text])
        except InputError as error:
            raise FileFormatError(f"{path}, line {line}: {error}") from error
        if not said:
            asked.append(text)
        elif said in _TAGS:
            structures.append(text)
            tags.append(_TAGS[said])
        else:
            raise FileFormatError(f"{path}, line {line}: the tag {tag!r} is neither true nor false")
    return Observations(tuple(structures), tuple(tags), tuple(asked))
