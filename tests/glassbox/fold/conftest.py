"""Random tables and random rule bases, and an evaluation of them by the book, a cell at a time."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import strategies as st

from explicate.glassbox.fold import Literal, Program, Rule

NUMBERS = [-3.0, 0.0, 0.1, 1.0, 2.5, 1e-7, 123456.789, 7.0]
WORDS = ["x", "y", "?", "it's", 'say "no"', "back\\slash"]


def holds(literal: Literal, cell: Any, comparison: str) -> bool:
    """The page's step 2, word by word."""
    cell = "" if cell is None or cell != cell else cell
    text = isinstance(cell, str)
    if literal.operator in ("<=", ">"):
        if text:
            return literal.operator == ">" and comparison == "complementary"
        return cell <= literal.value if literal.operator == "<=" else cell > literal.value
    equal = text and cell == literal.value
    return equal if literal.operator == "==" else not equal


def fires(rule: Rule, row: dict[str, Any], comparison: str) -> bool:
    """Negation as failure."""
    return all(holds(one, row[one.column], comparison) for one in rule.default) and not any(
        fires(one, row, comparison) for one in rule.exceptions
    )


def decide(program: Program, row: dict[str, Any]) -> Any:
    """The label of one row."""
    return next((r.head for r in program.rules if fires(r, row, program.comparison)), program.otherwise)


@pytest.fixture(scope="session")
def by_the_book():
    return decide


@pytest.fixture(scope="session")
def literal_by_the_book():
    return holds


def _tables() -> st.SearchStrategy[pd.DataFrame]:
    number, word = st.sampled_from(NUMBERS), st.sampled_from(WORDS)
    row = st.tuples(number | st.none(), word | st.none(), number | word | st.none(), number)
    return st.lists(row, min_size=1, max_size=12).map(
        lambda rows: pd.DataFrame(
            {
                "number": pd.Series([r[0] for r in rows], dtype=float),
                "word": pd.Series([r[1] for r in rows], dtype=object),
                "both": pd.Series([r[2] for r in rows], dtype=object),
                "no gaps": pd.Series([r[3] for r in rows], dtype=float),
            }
        )
    )


def _literals() -> st.SearchStrategy[Literal]:
    columns = st.sampled_from(["number", "word", "both", "no gaps"])
    threshold = st.builds(Literal, columns, st.sampled_from(["<=", ">"]), st.sampled_from(NUMBERS))
    equality = st.builds(Literal, columns, st.sampled_from(["==", "!="]), st.sampled_from([*WORDS, "", "never seen"]))
    return threshold | equality


def _rules(head: st.SearchStrategy[Any], depth: int = 2) -> st.SearchStrategy[Rule]:
    exceptions = st.lists(_rules(st.none(), depth - 1), max_size=2) if depth else st.just([])
    fewest = 0 if depth == 2 else 1
    return st.builds(Rule, head, st.lists(_literals(), min_size=fewest, max_size=3), exceptions)


@st.composite
def _programs(draw: Any) -> tuple[Program, pd.DataFrame]:
    frame = draw(_tables())
    rules = draw(st.lists(_rules(st.sampled_from(["cat", "dog", "o'x"])), max_size=3))
    kinds = {"number": "numeric", "word": "categorical", "both": "mixed", "no gaps": "numeric"}
    otherwise = draw(st.sampled_from(["cat", None]))
    comparison = draw(st.sampled_from(["complementary", "strict"]))
    return Program(tuple(rules), ("cat", "dog", "o'x"), otherwise, kinds, comparison), frame


@pytest.fixture(scope="session")
def programs():
    """A strategy of (program, table)."""
    return _programs()


@pytest.fixture(scope="session")
def tables():
    """A strategy of tables with a numeric, a categorical, a mixed and a gapless column."""
    return _tables()


@pytest.fixture(scope="session")
def literals():
    """A strategy of literals on those tables."""
    return _literals()
