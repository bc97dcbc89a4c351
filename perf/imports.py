"""How long `import explicate` takes, against torch and two peers, each in a fresh interpreter, less an empty one.

Goal: at most 0.3 s, and at most 0.05 of `import torch`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time

ROUNDS = 7
PEERS = ("captum.attr", "shap")


def start(statement: str) -> float:
    """Seconds that an interpreter takes to run one statement."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    """Print two JSON lines."""
    peers = [name for name in PEERS if importlib.util.find_spec(name.split(".")[0])]
    statements = {name: f"import {name}" for name in ("explicate", "torch", *peers)} | {"nothing": "pass"}
    seconds: dict[str, list[float]] = {name: [] for name in statements}
    for turn in range(ROUNDS + 1):
        for name, statement in statements.items():
            spent = start(statement)
            if turn:  # the first round fills the file cache
                seconds[name].append(spent)
    empty = statistics.median(seconds["nothing"])
    taken = {name: max(0.0, statistics.median(values) - empty) for name, values in seconds.items()}
    best_peer = min((taken[name] for name in peers), default=None)
    common = {"ours": round(taken["explicate"], 4), "runs": ROUNDS, "load": round(os.getloadavg()[0], 2)}
    against_torch = taken["explicate"] / taken["torch"]
    rows = [
        {"work": "import/seconds", "reference": None, "ratio": round(taken["explicate"], 4), "goal": 0.3,
         "peer": best_peer and round(best_peer, 3), "met": taken["explicate"] < 0.3},
        {"work": "import/over torch", "reference": round(taken["torch"], 3), "ratio": round(against_torch, 4),
         "goal": 0.05, "peer": best_peer and round(best_peer / taken["torch"], 3), "met": against_torch <= 0.05},
    ]  # fmt: skip
    for row in rows:
        print(json.dumps(common | row), flush=True)


if __name__ == "__main__":
    main()
