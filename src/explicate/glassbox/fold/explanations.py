"""A program as an explanation: labelled arrays from which it can be read back and run again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array
from explicate.core.kinds import Rules
from explicate.errors import InputError
from explicate.glassbox.fold.clauses import Clause, rules_of
from explicate.glassbox.fold.columns import AnyCells, Column, StoredCells
from explicate.glassbox.fold.program import Program
from explicate.glassbox.fold.proofs import Attempt, Proof, prove
from explicate.glassbox.fold.rules import Literal
from explicate.glassbox.fold.wording import clause_text
from explicate.glassbox.kinds import texts

_TAGS = {True: 1, False: 0, None: -1}


def program_dataset(program: Program, labels: Array) -> xr.Dataset:
    """All of a program, in the variables of `Rules`; `labels` are its classes with their type."""
    clauses = program.clauses
    literals = [(place, literal) for place, clause in enumerate(clauses) for literal in clause.default]
    exceptions = [(place, name) for place, clause in enumerate(clauses) for name in clause.exceptions]
    heads = [-1 if clause.head is None else program.classes.index(clause.head) for clause in clauses]
    variables: dict[str, Any] = {
        "clause": ("rule", texts(clause.name for clause in clauses)),
        "head": ("rule", np.array(heads, dtype=np.int64)),
        "literal_rule": ("literal", np.array([place for place, _ in literals], dtype=np.int64)),
        "literal_column": ("literal", texts(literal.column for _, literal in literals)),
        "literal_operator": ("literal", texts(literal.operator for _, literal in literals)),
        "literal_number": ("literal", np.array([_number(literal.value) for _, literal in literals], dtype=float)),
        "literal_text": ("literal", texts(_text(literal.value) for _, literal in literals)),
        "exception_rule": ("exception", np.array([place for place, _ in exceptions], dtype=np.int64)),
        "exception_clause": ("exception", texts(name for _, name in exceptions)),
        "column_kind": ("column", texts(program.kinds.values())),
    }
    if program.covered:
        covered, correct = np.array(program.covered, dtype=np.int64), np.array(program.correct, dtype=float)
        shares = np.divide(correct, covered, out=np.full(len(covered), np.nan), where=(correct >= 0) & (covered > 0))
        variables |= {"coverage": ("rule", covered), "precision": ("rule", shares)}
    coordinates = {
        "rule": texts(clause_text(clause, program.target, program.kinds, program.comparison) for clause in clauses),
        "label": texts(labels) if labels.dtype.kind in "OUST" else labels,
        "column": texts(program.kinds),
    }
    facts = {
        "comparison": program.comparison,
        "target": program.target,
        "otherwise": -1 if program.otherwise is None else program.classes.index(program.otherwise),
    }
    return xr.Dataset(variables, coordinates, facts)


def cases_dataset(program: Program, labels: Array, cells: AnyCells) -> xr.Dataset:
    """The program, and for each row its cells, its prediction and the proof of it."""
    data = program_dataset(program, labels)
    names = list(program.kinds)
    proofs = [prove(program, cells, row) for row in range(len(cells))]
    tags = [_tags(proof, program) for proof in proofs]
    rows = [[cells[name].cell(row) for name in names] for row in range(len(cells))]
    shape = (len(rows), len(names))
    decision = program.decide(cells)
    return data.assign(
        input_number=(("sample", "column"), np.array([[_number(c) for c in row] for row in rows]).reshape(shape)),
        input_text=(("sample", "column"), texts(_text(c) for row in rows for c in row).reshape(shape)),
        decision=("sample", decision),
        prediction=("sample", program.outcomes[decision]),
        holds=(("sample", "literal"), _stacked([one for one, _ in tags], data.sizes["literal"])),
        fires=(("sample", "rule"), _stacked([one for _, one in tags], data.sizes["rule"])),
        proof=("sample", texts(map(str, proofs))),
    )


def program_of(explanation: Rules) -> Program:
    """The program that an explanation holds.

    Raises
    ------
    InputError : the explanation has no program, or one that is not stratified (see `rules_of`).
    """
    data = explanation.data
    if "literal_rule" not in data:
        raise InputError(f"the explanation by {explanation.provenance.method!r} holds rules as text only")
    defaults: list[list[Literal]] = [[] for _ in range(data.sizes["rule"])]
    for rule, column, operator, number, text in zip(
        *(data[f"literal_{part}"].values for part in ("rule", "column", "operator", "number", "text")), strict=True
    ):
        value = str(text) if math.isnan(number) else float(number)
        defaults[rule].append(Literal(str(column), str(operator), value))  # type: ignore[arg-type]
    exceptions: list[list[str]] = [[] for _ in defaults]
    for rule, name in zip(data["exception_rule"].values, data["exception_clause"].values, strict=True):
        exceptions[rule].append(str(name))
    labels = tuple(data["label"].values.tolist())
    clauses = [
        Clause(str(name), None if head < 0 else labels[head], tuple(default), tuple(below))
        for name, head, default, below in zip(
            data["clause"].values, data["head"].values, defaults, exceptions, strict=True
        )
    ]
    otherwise = int(data.attrs["otherwise"])
    return Program(
        rules_of(clauses),
        labels,
        None if otherwise < 0 else labels[otherwise],
        dict(zip(map(str, data["column"].values), map(str, data["column_kind"].values), strict=True)),  # type: ignore[arg-type]
        comparison=str(data.attrs["comparison"]),  # type: ignore[arg-type]
        target=str(data.attrs["target"]),
    )


def stored_cells(explanation: Rules) -> StoredCells:
    """The cases that an explanation is of."""
    data = explanation.data
    if "input_number" not in data:
        raise InputError("the explanation is of the whole model, not of cases; give the cases to replay it on")
    columns = {}
    for place, name in enumerate(map(str, data["column"].values)):
        numbers = data["input_number"].values[:, place]
        texts = data["input_text"].values[:, place]
        is_text = np.isnan(numbers)
        words = tuple(sorted({str(text) for text in texts[is_text]}))
        codes = np.array(
            [words.index(str(t)) if n else -1 for t, n in zip(texts, is_text, strict=True)], dtype=np.int32
        )
        columns[name] = Column(numbers, words, codes)
    return StoredCells(columns, data.sizes["sample"])


def replayed(explanation: Rules, inputs: Any = None) -> Array:
    """Labels (row,) computed from the explanation alone, for its own cases or for `inputs`; None for undecided."""
    program = program_of(explanation)
    cells = stored_cells(explanation) if inputs is None else program.cells(inputs)
    return program.labels(program.predict(cells), explanation.data["label"].values)


def _tags(proof: Proof, program: Program) -> tuple[Array, Array]:
    """Per literal and per clause of the program: 1 true, 0 false, -1 not evaluated."""
    fires = {clause.name: -1 for clause in program.clauses}
    holds = {clause.name: [-1] * len(clause.default) for clause in program.clauses}
    for attempt in (each for top in proof.attempts for each in top.nested()):
        _tag(attempt, fires, holds)
    return np.array([tag for tags in holds.values() for tag in tags], dtype=np.int8), np.array(
        list(fires.values()), dtype=np.int8
    )


def _tag(attempt: Attempt, fires: dict[str, int], holds: dict[str, list[int]]) -> None:
    fires[attempt.name] = max(fires[attempt.name], _TAGS[attempt.fires])
    for place, check in enumerate(attempt.checks):
        holds[attempt.name][place] = max(holds[attempt.name][place], _TAGS[check.holds])


def _stacked(rows: list[Array], width: int) -> Array:
    return np.array(rows, dtype=np.int8).reshape(len(rows), width)


def _number(value: float | str) -> float:
    return math.nan if isinstance(value, str) else value


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else ""
