"""Run all speed measurements and gather their JSON lines in results/perf.json, and as a table in docs/speed.md.

usage: python perf/run.py [SCRIPT ...]      (default: every other script of this folder)

A script prints one JSON line a measurement: `work, ours, peer, reference, ratio, goal, met, runs, load`. Measurements
of scripts that did not run are kept from the last time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from explicate.core.provenance import installed_versions
from explicate.runtime.files import write_json, write_text

HERE = Path(__file__).resolve().parent
RESULT = HERE.parent / "results" / "perf.json"
TABLE = HERE.parent / "docs" / "speed.md"
FIELDS = {"work", "ours", "peer", "reference", "ratio", "goal", "met", "runs", "load"}


def measure(script: Path) -> list[dict[str, Any]]:
    """The measurements that one script prints; its other output goes to standard error."""
    found = []
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith("{"):
                row = json.loads(line)
                missing = FIELDS - set(row)
                if missing:
                    raise SystemExit(f"{script.name}: a measurement lacks {', '.join(sorted(missing))}")
                found.append(row | {"script": script.name})
    if process.returncode:
        raise SystemExit(f"{script.name} ended with {process.returncode}")
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """The measurements as Markdown."""
    lines = ["| work | ours | best peer | ratio | goal | met | runs |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        met = "yes" if row["met"] else "–" if row["met"] is None else "**no**"
        cells = [row["work"], *(number(row[name]) for name in ("ours", "peer", "ratio")), number(row["goal"]), met]
        lines.append(f"| {' | '.join(cells)} | {row['runs']} |")
    return "\n".join(lines)


def number(value: Any) -> str:
    """A figure with three digits."""
    return "–" if value is None else f"{value:.3g}" if isinstance(value, int | float) else str(value)


def page(rows: list[dict[str, Any]]) -> str:
    """The documentation's page."""
    return f"""# Speed

Measured by the scripts under `perf/`; `make bench` runs them all and rewrites this page and `results/perf.json`.
Seconds and errors are medians; each ratio is of two things measured in turns in the same run, so it travels to other
machines better than the seconds do. What `ratio` compares is said by each script: ours over the bare model
evaluations, or ours over the best peer.

{table(rows)}
"""


def main() -> None:
    """Run the scripts named on the command line, or all."""
    named = [Path(name) for name in sys.argv[1:]]
    scripts = named or sorted(p for p in HERE.glob("*.py") if p.name != Path(__file__).name)
    before = json.loads(RESULT.read_text())["measurements"] if RESULT.exists() else []
    rows: list[dict[str, Any]] = []
    for script in scripts:
        rows += measure(script)
        ran = {p.name for p in scripts[: scripts.index(script) + 1]}
        kept = [row for row in before if row["script"] not in ran and (HERE / row["script"]).exists()]
        everything = sorted(kept + rows, key=lambda row: row["script"])
        write_json(RESULT, {"versions": installed_versions(), "measurements": everything})
        write_text(TABLE, page(everything))


if __name__ == "__main__":
    main()
