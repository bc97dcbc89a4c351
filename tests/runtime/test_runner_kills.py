"""Runs in processes of their own that are killed, interrupted and doubled: no finished unit is ever done again."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from explicate.runtime import log
from explicate.runtime.runner import rebuild

COUNT = 60
PROGRAM = """
import os, sys, time
from pathlib import Path
import numpy as np
from explicate.runtime.runner import run

folder, notes, workers, seconds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])

def note(text):
    file = os.open(notes / "starts", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{text}\\n".encode())
    os.close(file)

def work(unit, seed):
    number = unit["number"]
    note(number)
    time.sleep(seconds * (1 + number % 3))
    if number == 41:
        raise LookupError("this one never works")
    if number % 10 == 3:
        try:
            (notes / f"failed-{number}").touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            raise ValueError("the first try fails")
    return {"draw": float(np.random.default_rng(seed).normal()), "text": "x" * 3000}

def mean(records):
    return {"mean": sum(record["draw"] for record in records if record) / len(records)}

if __name__ == "__main__":
    units = [{"number": number} for number in range(60)]
    result = run(work, units, folder, name="kills", spec={"a": 1}, seed=11, workers=workers, reduce=mean)
    print(result.done, result.reused, result.failed)
"""


def start(tmp_path: Path, name: str, workers: int = 1, seconds: float = 0.002) -> subprocess.Popen[str]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    (tmp_path / f"{name}-notes").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, program, tmp_path / name, tmp_path / f"{name}-notes", str(workers), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, err


def starts(tmp_path: Path, name: str) -> Counter[int]:
    path = tmp_path / f"{name}-notes" / "starts"
    return Counter(int(line) for line in path.read_text().split()) if path.exists() else Counter()


def finished(tmp_path: Path, name: str) -> list[int]:
    path = tmp_path / name / "units.jsonl"
    lines = log.read(path) if path.exists() else []
    return [line["unit"]["number"] for line in lines if line["status"] == "ok"]


def wait_for_lines(process: subprocess.Popen[str], path: Path, count: int) -> None:
    while process.poll() is None and (not path.exists() or path.read_bytes().count(b"\n") < count):
        time.sleep(0.002)


@pytest.mark.parametrize(("workers", "kills"), [(1, 5), (2, 3)])
def test_killed_run_ends_with_the_same_bytes_and_repeats_nothing(tmp_path: Path, workers: int, kills: int) -> None:
    whole = start(tmp_path, "whole")
    rng = random.Random(workers)
    kept: list[tuple[list[int], Counter[int]]] = []
    for stop in sorted(rng.sample(range(1, COUNT - 5), kills)):
        process = start(tmp_path, "killed", workers)
        wait_for_lines(process, tmp_path / "killed" / "units.jsonl", stop)
        time.sleep(rng.random() * 0.01)
        process.kill()
        process.wait()
        done = finished(tmp_path, "killed")
        kept.append((done, starts(tmp_path, "killed")))
    assert any(done for done, _ in kept)
    finish(start(tmp_path, "killed", workers))
    finish(whole)

    final = starts(tmp_path, "killed")
    for done, started in kept:
        assert {number: final[number] for number in done} == {number: started[number] for number in done}
    assert sorted(finished(tmp_path, "killed")) == [number for number in range(COUNT) if number != 41]  # once each
    expected = (tmp_path / "whole" / "results.json").read_bytes()
    assert (tmp_path / "killed" / "results.json").read_bytes() == expected
    assert json.loads(expected)["records"][41]["error"] == "LookupError"
    (tmp_path / "killed" / "results.json").unlink()
    rebuild(
        tmp_path / "killed",
        lambda records: {"mean": sum(record["draw"] for record in records if record) / len(records)},
    )
    assert (tmp_path / "killed" / "results.json").read_bytes() == expected


def test_unit_of_a_killed_runs_worker_is_awaited_not_repeated(tmp_path: Path) -> None:
    process = start(tmp_path, "run", workers=2, seconds=0.4)
    while not starts(tmp_path, "run"):
        time.sleep(0.01)
    process.kill()
    process.wait()
    begun = starts(tmp_path, "run")
    _, err = finish(start(tmp_path, "run", workers=2, seconds=0.001))
    assert "workers of an earlier run still compute" in err
    assert {number: starts(tmp_path, "run")[number] for number in begun} == begun
    assert len(finished(tmp_path, "run")) == COUNT - 1


@pytest.mark.parametrize("workers", [1, 2])
def test_interrupted_run_goes_on(tmp_path: Path, workers: int) -> None:
    process = start(tmp_path, "run", workers, seconds=0.02)
    wait_for_lines(process, tmp_path / "run" / "units.jsonl", 7)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in err
    assert not (tmp_path / "run" / "results.json").exists()
    done, started = finished(tmp_path, "run"), starts(tmp_path, "run")
    assert len(done) >= 5
    out, _ = finish(start(tmp_path, "run", workers))
    assert {number: starts(tmp_path, "run")[number] for number in done} == {number: started[number] for number in done}
    assert out.split()[1] == str(len(done))


def test_two_processes_share_one_folder(tmp_path: Path) -> None:
    first = start(tmp_path, "run", seconds=0.02)
    wait_for_lines(first, tmp_path / "run" / "units.jsonl", 1)
    second = start(tmp_path, "run", seconds=0.02)
    (one, quiet), (two, waited) = finish(first), finish(second)
    assert one.split() == [str(COUNT - 1), "0", "1"]
    assert two.split() == ["0", str(COUNT - 1), "1"]
    assert "another process works on this run; waiting for it" in waited
    assert not quiet
    usual = {number: 2 if number % 10 == 3 else 3 if number == 41 else 1 for number in range(COUNT)}
    assert starts(tmp_path, "run") == usual
