"""Running an exported program in the answer-set solver clingo: an evaluation that shares no code with ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import MissingDependencyError, ModelError
from explicate.glassbox.fold.columns import AnyCells
from explicate.glassbox.fold.logic_text import facts_code, program_code
from explicate.glassbox.fold.program import Program


def clingo_codes(program: Program, cells: AnyCells) -> Array:
    """(row,) class codes as clingo derives them from the exported text and facts; -1 where it derives no label.

    Raises
    ------
    MissingDependencyError : clingo is not installed.
    ModelError : the text has no answer set, several, or two labels for a row: it is no stratified program.
    """
    try:
        import clingo
    except ImportError as error:
        raise MissingDependencyError("clingo is not installed; run: pip install 'explicate[logic]'") from error
    control = clingo.Control(["--models=2", "--warn=none"])
    control.add("base", [], program_code(program, "clingo") + facts_code(program, cells, "clingo"))
    control.ground([("base", [])])
    models: list[Sequence[Any]] = []
    control.solve(on_model=lambda model: models.append(model.symbols(atoms=True)))
    if len(models) != 1:
        raise ModelError(f"clingo found {len(models) or 'no'} answer sets; a stratified program has one")
    codes = {str(label): code for code, label in enumerate(program.classes)}
    found = np.full(len(cells), -1)
    for symbol in models[0]:
        if symbol.name == "label" and len(symbol.arguments) == 2:
            row, label = symbol.arguments[0].number, codes[symbol.arguments[1].string]
            if found[row] >= 0:
                raise ModelError(f"clingo derives two labels for row {row}")
            found[row] = label
    return found
