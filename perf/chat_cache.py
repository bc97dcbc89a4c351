"""Reading 10,000 cached replies: a fresh handle on a warm cache, with a log and without.

The reference is reading the same files and parsing their JSON, and nothing else; `ratio` is the seconds themselves.
`cpu` is the processor's time for it, which does not depend on what else the machine does.

Goal: less than 2 s, and not one call of the model.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from explicate.models.chat.scripted import ScriptedChat

REPLIES = 10_000
ROUNDS = 5
GOAL = 2.0
asked = 0


def respond(messages: Any, rng: Any) -> str:
    """A reply of usual length; counts how often it is needed."""
    global asked
    asked += 1
    return f"The answer to {messages[-1].content[:40]} is {int(rng.integers(1_000_000))}. " * 4


def main() -> None:
    """Print two JSON lines."""
    conversations: list[Any] = [
        [{"role": "system", "content": "Answer briefly."}, f"Question {number}: " + "how much is it all in all? " * 12]
        for number in range(REPLIES)
    ]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "replies"
        first = [reply.text for reply in ScriptedChat(respond, cache=place).replies(conversations)]
        paths = sorted(place.rglob("*.json"))
        spent: dict[str, list[float]] = {"plain": [], "logged": [], "reference": []}
        work: dict[str, list[float]] = {"plain": [], "logged": []}
        load = []
        before = asked
        for turn in range(ROUNDS):
            for kind in ("plain", "logged"):
                log = Path(folder) / f"calls-{turn}.jsonl" if kind == "logged" else None
                chat = ScriptedChat(respond, cache=place, log=log)
                start, cpu = time.perf_counter(), time.process_time()
                found = chat.replies(conversations)
                spent[kind].append(time.perf_counter() - start)
                work[kind].append(time.process_time() - cpu)
                if [reply.text for reply in found] != first or chat.ledger.cached_calls != REPLIES:
                    raise SystemExit("a warm cache gave other replies than a cold one")
            start = time.perf_counter()
            for path in paths:
                json.loads(path.read_bytes())
            spent["reference"].append(time.perf_counter() - start)
            load.append(os.getloadavg()[0])
        calls = asked - before
    for kind, words in (("plain", "10,000 cached replies"), ("logged", "10,000 cached replies, each logged")):
        middle = statistics.median(spent[kind])
        row = {
            "work": f"chat/{words}",
            "ours": round(middle, 3),
            "peer": None,
            "reference": round(statistics.median(spent["reference"]), 3),
            "ratio": round(middle, 3),
            "range": [round(min(spent[kind]), 3), round(max(spent[kind]), 3)],
            "cpu": round(statistics.median(work[kind]), 3),
            "goal": GOAL,
            "met": middle < GOAL and calls == 0,
            "calls": calls,
            "runs": ROUNDS,
            "load": round(statistics.median(load), 2),
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
