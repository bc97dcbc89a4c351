"""A Transformer Program: discrete steps and a table of classifier weights. It runs, it is read, it is edited.

Source: Friedman, Wettig, Chen (2023), "Learning Transformer Programs", arXiv 2306.01128, sections 3.4 and 4.3.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.data.language.tagged import UNKNOWN
from explicate.errors import FileFormatError, InputError, UnknownNameError, WindowError
from explicate.glassbox.transformer_programs.evaluation import Trace, traced
from explicate.glassbox.transformer_programs.interventions import Given, checked
from explicate.glassbox.transformer_programs.steps import (
    ONES,
    POSITIONS,
    TOKENS,
    Lookup,
    Step,
    Value,
    Variable,
    changed,
    step_of,
)
from explicate.runtime.fingerprint import digest

FORMAT = 1
Sentences = Sequence[Sequence[str]]


@dataclass(frozen=True, eq=False)
class Program:
    """What a trained model was converted to.

    Parameters
    ----------
    vocabulary, tags : the tokens and tags that there are, in the order of their codes.
    context : longest sequence. width : values of a categorical variable.
    steps : in their order; each reads variables that are there before it.
    weights : variable -> (value, tag) what each of its values adds to each tag; a number has one row, which it
        multiplies. Variables that are not in it add nothing.
    embeddings : (token, variable) the codes of the variables that a word becomes, or None where the token is the
        variable.
    causal, pooled : as in the configuration.
    """

    vocabulary: tuple[str, ...]
    tags: tuple[str, ...]
    context: int
    width: int
    steps: tuple[Step, ...]
    weights: Mapping[str, Floats]
    embeddings: Array | None = None
    causal: bool = False
    pooled: bool = False

    def __post_init__(self) -> None:
        known = set(self.variables)
        for name, rows in self.weights.items():
            if name not in known:
                raise InputError(f"there are weights for {name!r}, which is no variable; there are {_listed(known)}")
            wanted = (1 if self.variables[name].numeric else self.width, len(self.tags))
            if rows.shape != wanted:
                raise InputError(f"the weights for {name!r} have the shape {rows.shape}; it must be {wanted}")

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """All variables by name, in the order in which they are computed, with what can occur in them."""
        found: dict[str, Variable] = {}
        if self.embeddings is None:
            names: tuple[Value, ...] = tuple(_padded(self.vocabulary, self.width))
            found[TOKENS] = Variable(TOKENS, names, tuple(range(len(self.vocabulary))))
        else:
            for place, codes in enumerate(self.embeddings.T):
                name = f"embedding_{place}"
                found[name] = Variable(name, tuple(range(self.width)), _sorted(codes))
        found[POSITIONS] = Variable(POSITIONS, tuple(range(self.width)), tuple(range(self.context)))
        found[ONES] = Variable(ONES, most=1)
        for step in self.steps:
            absent = [name for name in step.reads if name not in found]
            if absent:
                raise InputError(f"{step.name} reads {absent[0]!r}, which is not computed before it")
            found[step.name] = _written(step, found, self.context, self.width)
        return found

    # -- running --------------------------------------------------------------------------------------------------

    def encode(self, sentences: Sentences) -> Array:
        """Token codes (sample, position), -1 after the end of a sequence.

        Raises
        ------
        InputError : an empty sequence. WindowError : one longer than the context. UnknownNameError : a token that is
            not in the vocabulary, which has no <unk>.
        """
        return encoded(sentences, self.vocabulary, self.context)

    def trace(self, sentences: Sentences | Array, given: Given | None = None) -> Trace:
        """Everything that is computed for some sequences, or for their codes.

        Parameters
        ----------
        given : variable -> (sample, position) codes or numbers, or one for all, that it has instead of its own.

        Raises
        ------
        UnknownNameError, InputError : see `interventions.checked`; and what `encode` raises.
        """
        codes = sentences if isinstance(sentences, np.ndarray) else self.encode(sentences)
        return traced(self, codes, checked(self, given, codes.shape))

    def predict(self, sentences: Sentences, given: Given | None = None) -> Array:
        """(sample,) for each sequence its tags, a tuple; pooled programs give one tag, then None. See `trace`."""
        codes = self.encode(sentences)
        return tagged(self.trace(codes, given).predictions(), codes, self.tags, self.pooled)

    def run(self, tokens: Sequence[str]) -> list[str | None]:
        """The tags of one sequence."""
        return list(self.predict([tokens])[0])

    def features(self, tokens: Sequence[str]) -> tuple[list[str], Floats]:
        """What each variable adds to the logits: names, and (position, variable, tag)."""
        trace = self.trace([tokens])
        parts = trace.contributions()
        return list(parts), np.stack([part[0] for part in parts.values()], axis=1)

    # -- changing -------------------------------------------------------------------------------------------------

    def step(self, name: str) -> Step:
        """A step by the name of its variable."""
        for step in self.steps:
            if step.name == name:
                return step
        raise UnknownNameError(f"no step {name!r}; there are {_listed(step.name for step in self.steps)}")

    def edit(self, name: str, entry: Value | Sequence[Value], to: Value) -> Program:
        """The program with one entry of one table changed, see `changed`."""
        new = changed(self.step(name), self.variables, entry, to)
        return dataclasses.replace(self, steps=tuple(new if step.name == name else step for step in self.steps))

    def reweighted(self, variable: str, value: Value, tag: str, by: float) -> Program:
        """The program with one classifier weight raised by so much."""
        if variable not in self.weights:
            raise UnknownNameError(f"no weights for {variable!r}; there are {_listed(self.weights)}")
        if tag not in self.tags:
            raise UnknownNameError(f"no tag {tag!r}; there are {_listed(self.tags)}")
        own = self.variables[variable]
        rows = self.weights[variable].copy()
        rows[0 if own.numeric else own.code(value), self.tags.index(tag)] += by
        return dataclasses.replace(self, weights={**self.weights, variable: rows})

    def without(self, names: Iterable[str]) -> Program:
        """The program whose classifier does not read some variables; later steps still do."""
        gone = set(names)
        return dataclasses.replace(
            self, weights={name: rows for name, rows in self.weights.items() if name not in gone}
        )

    def live(self) -> Program:
        """The program without dead code: steps that neither the classifier nor a step that is alive reads."""
        needed = {name for name, rows in self.weights.items() if np.any(rows)}
        kept: list[Step] = []
        for step in reversed(self.steps):
            if step.name in needed:
                kept.insert(0, step)
                needed.update(step.reads)
        alive = {name: rows for name, rows in self.weights.items() if np.any(rows)}
        return dataclasses.replace(self, steps=tuple(kept), weights=alive)

    # -- reading and writing --------------------------------------------------------------------------------------

    def dependencies(self) -> dict[str, tuple[str, ...]]:
        """Which variables each step's variable is computed from."""
        return {step.name: step.reads for step in self.steps}

    def to_python(self, *, inline: bool = True, unreachable: bool = False) -> str:
        """The program as a Python file that needs nothing but Python, see `python_source`."""
        from explicate.glassbox.transformer_programs.python_source import python_source

        return python_source(self, inline=inline, unreachable=unreachable)

    def save(self, path: str | Path, *, inline: bool = True, unreachable: bool = False) -> Path:
        """Write `path` (.py) and beside it the same as JSON, see `files.save`."""
        from explicate.glassbox.transformer_programs.files import save

        return save(self, Path(path), inline=inline, unreachable=unreachable)

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Read what `save` wrote, see `files.load`; nothing of the Python file is run."""
        from explicate.glassbox.transformer_programs.files import load

        return load(Path(path))

    def to_json(self) -> str:
        """All of the program as JSON."""
        return json.dumps(
            {
                "format": "explicate-transformer-program",
                "version": FORMAT,
                "vocabulary": self.vocabulary,
                "tags": self.tags,
                "context": self.context,
                "width": self.width,
                "causal": self.causal,
                "pooled": self.pooled,
                "embeddings": None if self.embeddings is None else self.embeddings.tolist(),
                "steps": [step.content() for step in self.steps],
                "weights": [[name, rows.tolist()] for name, rows in self.weights.items()],
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Program:
        """Read what `to_json` wrote.

        Raises
        ------
        FileFormatError : no JSON of this form. InputError : steps or weights that do not fit together.
        """
        try:
            given = json.loads(text)
            if given["format"] != "explicate-transformer-program" or given["version"] > FORMAT:
                raise FileFormatError(f"the text is {given['format']!r} version {given['version']}, not a program")
            table = given["embeddings"]
            return cls(
                tuple(given["vocabulary"]),
                tuple(given["tags"]),
                given["context"],
                given["width"],
                tuple(step_of(one) for one in given["steps"]),
                {name: np.array(rows, dtype=np.float64) for name, rows in given["weights"]},
                None if table is None else np.array(table, dtype=np.int64),
                given["causal"],
                given["pooled"],
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise FileFormatError(f"the text is no program in JSON ({error!r}); write one with to_json") from error

    def fingerprint(self) -> str:
        """A content hash."""
        return digest(self.to_json())

    def __str__(self) -> str:
        return self.to_python()


def encoded(sentences: Sentences, vocabulary: Sequence[str], context: int) -> Array:
    """Token codes (sample, position), -1 after the end; see `Program.encode`."""
    codes = {token: place for place, token in enumerate(vocabulary)}
    rows = [list(tokens) for tokens in sentences]
    found = np.full((len(rows), max(map(len, rows), default=0)), -1, dtype=np.int64)
    for number, tokens in enumerate(rows):
        if isinstance(sentences[number], str):
            raise InputError(f"sequence {number} is the text {sentences[number]!r}; give a list of tokens")
        if not tokens:
            raise InputError(f"sequence {number} is empty; give at least one token")
        if len(tokens) > context:
            raise WindowError(f"sequence {number} has {len(tokens)} tokens, the longest may have {context}")
        for place, token in enumerate(tokens):
            code = codes.get(token, codes.get(UNKNOWN))
            if code is None:
                raise UnknownNameError(f"sequence {number}: the token {token!r} is unknown; there are {_listed(codes)}")
            found[number, place] = code
    return found


def tag_codes(rows: Sequence[Sequence[str | None]], tags: Sequence[str], positions: int | None = None) -> Array:
    """Tag codes (sample, position): -1 where there is nothing to predict, -2 for tags that are not among `tags`.

    There is nothing to predict where the tag is None, or "<unk>" that is not among `tags`.
    """
    places: dict[str | None, int] = {tag: place for place, tag in enumerate(tags)}
    nothing = {None, UNKNOWN} - set(tags)
    found = np.full((len(rows), positions or max(map(len, rows), default=0)), -1, dtype=np.int64)
    for number, row in enumerate(rows):
        found[number, : len(row)] = [-1 if tag in nothing else places.get(tag, -2) for tag in row]
    return found


def tagged(predictions: Array, codes: Array, tags: Sequence[str], pooled: bool) -> Array:
    """(sample,) tuples of tags from tag codes (sample, position), as long as each sequence."""
    found = np.empty(len(codes), dtype=object)
    for number, (row, length) in enumerate(zip(predictions.tolist(), (codes >= 0).sum(1).tolist(), strict=True)):
        known = [tags[code] for code in row[: 1 if pooled else length]]
        found[number] = (*known, *[None] * (length - len(known)))
    return found


def _written(step: Step, known: Mapping[str, Variable], context: int, width: int) -> Variable:
    """The variable that a step writes: named after what it copies, with what can occur in it."""
    if isinstance(step, Lookup):
        rows = [range(known[n].size) if known[n].numeric else known[n].reachable for n in step.inputs]
        return Variable(step.name, tuple(range(width)), _sorted(step.table[np.ix_(*rows)]))
    source = known[step.value]
    if step.counts:
        return Variable(step.name, most=context * source.most)
    return Variable(step.name, source.values, source.reachable)


def _padded(names: Sequence[str], width: int) -> list[Value]:
    return [*names, *(f"<{code}>" for code in range(len(names), width))]


def _sorted(codes: Any) -> tuple[int, ...]:
    return tuple(sorted({int(code) for code in np.ravel(codes)}))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
