"""A formula as short steps of text, run by a reader that knows arithmetic and five functions and nothing else.

Each step names a value and says how it comes about, for example `h3 = sin(3.14159 * x1 + 0.2)`; the last one is `y`.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError
from explicate.runtime.fingerprint import digest

LOG_GUARD = 1e-3  # log of what is smaller is the log of this
EXP_GUARD = 30.0  # exp of what is larger is the exp of this
FUNCTIONS = ("sin", "cos", "exp", "log", "divide")
DIGITS = 3
MOST_WRITTEN = 500  # operations in a formula that is still written without steps
MOST_EXPANDED = 300  # operations in a formula that is still multiplied out


@dataclass
class Guards:
    """How many values were beyond a guard, in the last run of a formula."""

    rows: int = 0
    _hit: Array | None = field(default=None, repr=False)

    def note(self, beyond: Array) -> None:
        """Count rows once, whatever the number of guards that they hit."""
        self._hit = beyond if self._hit is None else self._hit | beyond
        self.rows = int(self._hit.sum())


@dataclass(frozen=True)
class Formula:
    """Steps from symbols of columns to `y`.

    Attributes
    ----------
    steps : (step,) texts "name = expression". symbols : what the steps call each column.

    Raises
    ------
    InputError : a step that is no arithmetic over what is known before it.
    """

    steps: tuple[str, ...]
    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        known = set(self.symbols)
        for step in self.steps:
            name, _ = _parsed(step, known)
            known.add(name)
        if "y" not in known:
            raise InputError("the formula's last step must be called 'y'")

    def __call__(self, columns: Array, guards: Guards | None = None) -> Array:
        """(row,) values of y.

        Parameters
        ----------
        columns : (row, column). guards : counts the rows in which a logarithm, exponential or division was guarded.
        """
        guards = guards or Guards()
        values = {symbol: columns[:, place] for place, symbol in enumerate(self.symbols)}
        for step in self.steps:
            name, tree = _parsed(step, set(values))
            values[name] = np.broadcast_to(_run(tree, values, guards), (len(columns),))
        return np.array(values["y"], dtype=float)

    def sympy(self, digits: int | None = None) -> Any:
        """One sympy expression for y, with constants rounded to so many digits after the point.

        A division by what the guard would not let pass is written as a plain division, and so is a logarithm.
        """
        import sympy

        # arithmetic only: names and functions are checked before, so sympy's parser never sees foreign text
        values: dict[str, Any] = {symbol: sympy.Symbol(symbol, real=True) for symbol in self.symbols}
        for step in self.steps:
            name, tree = _parsed(step, set(values))
            values[name] = _symbolic(tree, values)
        found = values["y"]
        if digits is None:
            return found
        if sympy.count_ops(found) <= MOST_EXPANDED:  # products of long sums would fill pages
            found = sympy.expand(found)
        places = {number: sympy.Float(round(float(number), digits), 15) for number in found.atoms(sympy.Float)}
        return found.xreplace(places)

    def written_out(self) -> int:
        """How many operations there would be with every step put in where it is used."""
        sizes = dict.fromkeys(self.symbols, 1)
        for step in self.steps:
            name, tree = _parsed(step, set(sizes))
            nodes = list(ast.walk(tree))
            operations = sum(isinstance(node, ast.BinOp | ast.UnaryOp | ast.Call) for node in nodes)
            sizes[name] = operations + sum(sizes.get(node.id, 0) for node in nodes if isinstance(node, ast.Name))
        return sizes["y"]

    def text(self, digits: int | None = DIGITS) -> str:
        """The formula in one line, rounded or (digits=None) exact; one that would fill pages stays in steps."""
        import sympy

        if self.written_out() <= MOST_WRITTEN:
            return _tidy(sympy.sstr(self.sympy(digits)))
        if digits is None:
            return "; ".join(self.steps)
        return "; ".join(_NUMBER.sub(lambda found: f"{float(found.group()):.{digits}f}", step) for step in self.steps)

    def fingerprint(self) -> str:
        """A hash of the steps."""
        return digest(list(self.steps), list(self.symbols))


def symbols_of(names: Sequence[str]) -> tuple[str, ...]:
    """What a formula calls columns: their names where those can stand in a formula, else x1, x2, ..."""
    taken = {"y", *FUNCTIONS}

    def fits(name: str) -> bool:
        step = name[:1] == "h" and name[1:].isdigit()
        return name.isidentifier() and not keyword.iskeyword(name) and not step and name not in taken

    return tuple(names) if all(map(fits, names)) else tuple(f"x{place + 1}" for place in range(len(names)))


def _parsed(step: str, known: set[str]) -> tuple[str, ast.expr]:
    try:
        (found,) = ast.parse(step).body
    except (SyntaxError, ValueError) as error:
        raise InputError(f"the step {step!r} is no formula") from error
    if not isinstance(found, ast.Assign) or not isinstance(found.targets[0], ast.Name):
        raise InputError(f"the step {step!r} must be 'name = expression'")
    _check(found.value, known, step)
    return found.targets[0].id, found.value


def _check(tree: ast.expr, known: set[str], step: str) -> None:
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub | ast.Mult | ast.Pow):
        _check(tree.left, known, step)
        _check(tree.right, known, step)
        if isinstance(tree.op, ast.Pow) and not (isinstance(tree.right, ast.Constant) and tree.right.value == 2):
            raise InputError(f"the step {step!r} has a power other than 2")
    elif isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        _check(tree.operand, known, step)
    elif isinstance(tree, ast.Call):
        if not isinstance(tree.func, ast.Name) or tree.func.id not in FUNCTIONS or tree.keywords:
            raise InputError(f"the step {step!r} calls something other than {', '.join(FUNCTIONS)}")
        if len(tree.args) != (3 if tree.func.id == "divide" else 1):
            raise InputError(f"the step {step!r} gives {tree.func.id} {len(tree.args)} arguments")
        for argument in tree.args:
            _check(argument, known, step)
    elif isinstance(tree, ast.Name):
        if tree.id not in known:
            raise InputError(f"the step {step!r} uses {tree.id!r}, which no step before it defines")
    elif not (isinstance(tree, ast.Constant) and isinstance(tree.value, int | float)) or isinstance(tree.value, bool):
        raise InputError(f"the step {step!r} is more than arithmetic")


def _run(tree: ast.expr, values: Mapping[str, Array], guards: Guards) -> Any:
    if isinstance(tree, ast.Constant):
        return float(tree.value)  # type: ignore[arg-type]
    if isinstance(tree, ast.Name):
        return values[tree.id]
    if isinstance(tree, ast.UnaryOp):
        return -_run(tree.operand, values, guards)
    if isinstance(tree, ast.BinOp):
        left, right = _run(tree.left, values, guards), _run(tree.right, values, guards)
        return _arithmetic(tree.op, left, right)
    assert isinstance(tree, ast.Call)
    assert isinstance(tree.func, ast.Name)
    arguments = [_run(argument, values, guards) for argument in tree.args]
    if tree.func.id == "divide":
        above, below, least = arguments
        guards.note(np.broadcast_to(below <= least, np.shape(below)))
        return np.where(below > least, above / np.where(below > least, below, 1.0), 0.0)
    (value,) = arguments
    if tree.func.id == "log":
        guards.note(np.asarray(value < LOG_GUARD))
        return np.log(np.maximum(value, LOG_GUARD))
    if tree.func.id == "exp":
        guards.note(np.asarray(value > EXP_GUARD))
        return np.exp(np.minimum(value, EXP_GUARD))
    return np.sin(value) if tree.func.id == "sin" else np.cos(value)


def _symbolic(tree: ast.expr, values: Mapping[str, Any]) -> Any:
    import sympy

    if isinstance(tree, ast.Constant):
        return sympy.Float(float(tree.value), 17)  # type: ignore[arg-type]
    if isinstance(tree, ast.Name):
        return values[tree.id]
    if isinstance(tree, ast.UnaryOp):
        return -_symbolic(tree.operand, values)
    if isinstance(tree, ast.BinOp):
        left, right = _symbolic(tree.left, values), _symbolic(tree.right, values)
        return _arithmetic(tree.op, left, right)
    assert isinstance(tree, ast.Call)
    assert isinstance(tree.func, ast.Name)
    arguments = [_symbolic(argument, values) for argument in tree.args]
    if tree.func.id == "divide":
        return arguments[0] / arguments[1]
    return getattr(sympy, tree.func.id)(arguments[0])


def _arithmetic(operator: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(operator, ast.Pow):
        return left * left  # 2 is the only power there is
    if isinstance(operator, ast.Mult):
        return left * right
    return left + right if isinstance(operator, ast.Add) else left - right


_NUMBER = re.compile(r"(?<![\w.])\d+\.?\d*(?:e[-+]?\d+)?(?![\w.])")


def _tidy(text: str) -> str:
    return re.sub(r"(\d+\.\d*?)0+(?=\D|$)", lambda found: found.group(1).rstrip("."), text)
