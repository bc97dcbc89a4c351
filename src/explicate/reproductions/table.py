"""Claimed beside measured, as text for a terminal and as the README's generated table.

`python -m explicate.reproductions.table README.md` rewrites the part between the two markers from `results/`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from explicate.core.systems import System, systems
from explicate.errors import FileFormatError, InputError
from explicate.runtime.files import write_text

START, END = "<!-- table:start -->", "<!-- table:end -->"


def claim_lines(result: dict[str, Any]) -> list[str]:
    """One reproduction for people: a line per claim, and the verdict."""
    lines = [f"{result['system']} ({result['scale']}, seeds {', '.join(map(str, result['seeds']))})"]
    for claim in result["claims"]:
        verdict = {True: "met", False: "MISSED", None: ""}[claim["met"]]
        interval = "" if claim["interval"] is None else " [{:.3g}, {:.3g}]".format(*claim["interval"])
        facts = [
            f"claimed {_number(claim['claimed'])}" if claim["claimed"] is not None else "",
            f"measured {_number(claim['measured'])}{interval}",
            f"bar {claim['bar']}" if claim["bar"] else "",
            f"baseline {_number(claim['baseline'])}" if claim["baseline"] is not None else "",
            f"chance {_number(claim['chance'])}" if claim["chance"] is not None else "",
        ]
        lines.append(f"  {verdict or '·':<6} {claim['claim']}: {'; '.join(fact for fact in facts if fact)}")
        if claim["note"]:
            lines.append(f"         {claim['note']}")
    judged = [claim for claim in result["claims"] if claim["met"] is not None]
    lines.append(f"{sum(claim['met'] for claim in judged)} of {len(judged)} bars met in {result['seconds']} s")
    return lines


def readme_table(folder: Path) -> str:
    """The README's table: one row per system; those without a result are listed as not yet."""
    rows = ["| system | what it does | year | bars met | claimed · measured (an example) |", "|---|---|---|---|---|"]
    for one in systems():
        path = folder / f"{one.name}.json"
        rows.append(_row(one, read_result(path) if path.is_file() else None))
    return "\n".join(rows)


def read_result(path: Path) -> dict[str, Any]:
    """A result file, with its fields checked."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        missing = {"system", "scale", "seconds", "seeds", "claims", "met"} - set(result)
    except (OSError, ValueError, TypeError) as error:
        raise FileFormatError(f"{path} is no result file ({error}); make it again with explicate reproduce") from error
    if missing:
        raise FileFormatError(f"{path} lacks {', '.join(sorted(missing))}; make it again with explicate reproduce")
    return dict(result)


def rewrite(readme: Path, folder: Path) -> str:
    """The README's text with a fresh table."""
    text = readme.read_text(encoding="utf-8")
    if START not in text or END not in text:
        raise InputError(f"{readme} lacks the markers {START} and {END}")
    head, rest = text.split(START, 1)
    tail = rest.split(END, 1)[1]
    return f"{head}{START}\n{readme_table(folder)}\n{END}{tail}"


def _row(one: System, result: dict[str, Any] | None) -> str:
    short, _, what = one.title.replace("|", "\\|").partition(" — ")
    if result is None:
        return f"| {short} | {what} | {one.year} | not yet | |"
    judged = [claim for claim in result["claims"] if claim["met"] is not None]
    met = f"{sum(claim['met'] for claim in judged)} of {len(judged)}"
    first = next((c for c in judged if c["claimed"] is not None), judged[0] if judged else None)
    example = ""
    if first is not None:
        claimed = _number(first["claimed"]) if first["claimed"] is not None else f"bar {first['bar']}"
        example = f"{first['claim']}: {claimed} · {_number(first['measured'])}".replace("|", "\\|")
    return f"| [{short}](results/{one.name}.json) | {what} | {one.year} | {met} | {example} |"


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.3g}" if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    write_text(place, rewrite(place, place.parent / "results"))
