"""Units of a reproduction: each is done once, and a run that goes on counts what was done before."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from explicate.reproductions import claims
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.units import measured
from explicate.runtime.log import append, read


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"square": unit["number"] ** 2}


def _reproduction(context: Context) -> list[Claim]:
    found = measured(context, "squares", _work, [{"number": number} for number in (2, 3)])
    return [Claim("squares", "sum", None, sum(one["square"] for one in found), met=True)]


def test_the_seconds_of_an_interrupted_run_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("explicate.reproductions.squares")
    module.reproduce = _reproduction  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    context = Context("smoke", (0,), tmp_path)
    assert claims.reproduce("squares", context)["seconds"] < 60

    log = next(tmp_path.glob("*/units.jsonl"))
    lines = read(log)
    log.unlink()
    for line in lines:
        append(log, {**line, "seconds": 1000.0})
    again = claims.reproduce("squares", Context("smoke", (0,), tmp_path))
    assert again["claims"][0]["measured"] == 13
    assert 2000 <= again["seconds"] < 2060

    once = Context("smoke", (0,), tmp_path)
    for _ in range(2):  # a context that is used again does not count them twice
        assert claims.reproduce("squares", once)["seconds"] < 2060
