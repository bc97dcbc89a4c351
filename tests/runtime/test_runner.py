"""The runner: results that depend on the units and the seed alone, and runs that go on where they stopped."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explicate.errors import FileFormatError, InputError, OutputError, RunError
from explicate.runtime import log
from explicate.runtime.runner import HOPELESS, rebuild, run
from explicate.runtime.seeds import derive_seed

UNITS = [{"number": number, "kind": "even" if number % 2 == 0 else "odd"} for number in range(12)]
HASHES = {"spec_hash", "units_hash"}


class Counted:
    """Work that counts how often each unit is done; the units in `broken` raise so many times."""

    def __init__(self, broken: dict[int, int] | None = None) -> None:
        self.calls: Counter[int] = Counter()
        self.broken = dict(broken or {})

    def __call__(self, unit: dict[str, Any], seed: int) -> dict[str, Any]:
        number = unit["number"]
        self.calls[number] += 1
        if self.broken.get(number, 0) > 0:
            self.broken[number] -= 1
            raise ValueError(f"number {number} is broken")
        return {"number": number, "draw": seed % 1000 / 7, "pair": (number, number)}


def total(records: list[Any]) -> dict[str, Any]:
    return {"n": len(records), "sum": sum(record["draw"] for record in records if record)}


def drawing() -> Callable[[dict[str, Any], int], dict[str, Any]]:
    """Made inside a function so that workers get it by value, not by import; earlier units take longer."""

    def draw(unit: dict[str, Any], seed: int) -> dict[str, Any]:
        import time

        import numpy as np

        time.sleep(0.005 * (unit["number"] % 3))
        rng = np.random.default_rng(seed)
        matrix = rng.normal(size=(60, 60))
        return {"draw": float(rng.normal()), "product": float((matrix @ matrix.T).sum())}

    return draw


def test_records_come_in_unit_order_with_counts_and_summary(tmp_path: Path) -> None:
    work = Counted()
    result = run(work, UNITS, tmp_path, name="count", seed=5, reduce=total)
    assert [record["number"] for record in result.records] == list(range(12))
    assert result.units == UNITS
    assert (result.done, result.reused, result.failed, result.errors) == (12, 0, 0, [])
    assert result.summary == total(result.records)
    assert set(work.calls.values()) == {1}
    assert repr(result) == f"<Run count: 12 done, 0 reused, 0 failed in {tmp_path}>"


def test_files_hold_what_they_promise(tmp_path: Path) -> None:
    run(Counted({3: 1}), UNITS, tmp_path, name="count", spec={"steps": 4}, seed=5, reduce=total)
    header = json.loads((tmp_path / "header.json").read_text())
    assert (header["name"], header["spec"], header["seed"]) == ("count", {"steps": 4}, 5)
    assert {"started", "versions", "machine", *HASHES} <= header.keys()
    assert {"numpy", "joblib"} <= header["versions"].keys()
    lines = log.read(tmp_path / "units.jsonl")
    assert set(lines[0]) == {"id", "unit", "attempt", "status", "seed", "record", "error", "seconds"}
    third = [line for line in lines if line["unit"]["number"] == 3]
    assert [(line["attempt"], line["status"]) for line in third] == [(1, "error"), (2, "ok")]
    assert third[0]["error"]["type"] == "ValueError"
    assert third[0]["error"]["message"] == "number 3 is broken"
    assert "Traceback" in third[0]["error"]["traceback"]
    assert third[0]["seed"] == third[1]["seed"] == derive_seed(5, third[0]["id"])
    results = json.loads((tmp_path / "results.json").read_text())
    assert [row["unit"] for row in results["records"]] == UNITS
    assert not {"started", "versions", "machine", "seconds"} & (results.keys() | results["records"][0].keys())


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(12)), seed=st.integers(0, 2**31))
def test_a_record_depends_on_its_unit_and_the_seed_alone(order: list[int], seed: int) -> None:
    straight = run(Counted(), UNITS, None, name="count", seed=seed).records
    shuffled = run(Counted(), [UNITS[index] for index in order], None, name="other", spec=1, seed=seed).records
    assert [straight[index] for index in order] == shuffled


def test_seeds_differ_between_units_and_runs() -> None:
    seeds = [run(lambda unit, seed: seed, UNITS, None, name="seeds", seed=seed).records for seed in (0, 1)]
    assert len({*seeds[0], *seeds[1]}) == 24


def test_memory_and_disk_give_the_same(tmp_path: Path) -> None:
    on_disk = run(Counted(), UNITS, tmp_path, name="count")
    again = run(Counted(), UNITS, tmp_path, name="count")
    in_memory = run(Counted(), UNITS, None, name="count")
    assert on_disk.records == in_memory.records == again.records
    assert in_memory.records[1]["pair"] == [1, 1]  # as JSON gives it back, whether it was written or not
    assert in_memory.folder is None


@pytest.mark.parametrize(("workers", "backend"), [(2, "processes"), (2, "threads"), (1, "sequential")])
def test_workers_and_backends_change_no_byte(tmp_path: Path, workers: int, backend: Any) -> None:
    run(drawing(), UNITS, tmp_path / "one", name="draw", seed=3)
    run(drawing(), UNITS, tmp_path / "many", name="draw", seed=3, workers=workers, backend=backend)
    assert (tmp_path / "one" / "results.json").read_bytes() == (tmp_path / "many" / "results.json").read_bytes()
    assert len(log.read(tmp_path / "many" / "units.jsonl")) == len(UNITS)


@pytest.mark.slow
def test_ray_changes_no_byte(tmp_path: Path, ray_cluster: None) -> None:
    run(drawing(), UNITS, tmp_path / "one", name="draw", seed=3)
    run(drawing(), UNITS, tmp_path / "ray", name="draw", seed=3, workers=2, backend="ray")
    assert (tmp_path / "one" / "results.json").read_bytes() == (tmp_path / "ray" / "results.json").read_bytes()
    assert len(log.read(tmp_path / "ray" / "units.jsonl")) == len(UNITS)


def test_finished_run_is_not_done_again(tmp_path: Path) -> None:
    run(Counted(), UNITS, tmp_path, name="count")
    before = (tmp_path / "results.json").read_bytes()
    work = Counted()
    again = run(work, UNITS, tmp_path, name="count")
    assert (again.done, again.reused, work.calls) == (0, 12, {})
    assert (tmp_path / "results.json").read_bytes() == before


@pytest.mark.parametrize("left", [0, 1, 5, 11])
@pytest.mark.parametrize("torn", [0, 1, 40])
def test_stopped_run_goes_on_where_it_was(tmp_path: Path, left: int, torn: int) -> None:
    run(Counted(), UNITS, tmp_path, name="count", reduce=total)
    whole = (tmp_path / "results.json").read_bytes()
    (tmp_path / "results.json").unlink()
    lines = (tmp_path / "units.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "units.jsonl").write_bytes(b"".join(lines[:left]) + lines[left][:torn])
    work = Counted()
    resumed = run(work, UNITS, tmp_path, name="count", reduce=total)
    assert (resumed.reused, resumed.done) == (left, 12 - left)
    assert work.calls == dict.fromkeys(range(left, 12), 1)
    assert (tmp_path / "results.json").read_bytes() == whole


def test_line_torn_right_before_its_newline_is_done_again(tmp_path: Path) -> None:
    run(Counted(), UNITS, tmp_path, name="count")
    whole = (tmp_path / "results.json").read_bytes()
    path = tmp_path / "units.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    work = Counted()
    assert run(work, UNITS, tmp_path, name="count").done == 1
    assert work.calls == {11: 1}
    assert (tmp_path / "results.json").read_bytes() == whole


@pytest.mark.parametrize("reduce", [None, total])
def test_results_are_rebuilt_byte_for_byte(tmp_path: Path, reduce: Any) -> None:
    units = [{"number": number} for number in range(60)]
    first = run(Counted({7: 99, 9: 1}), units, tmp_path, name="count", spec=[1, {"a": 0.1}], reduce=reduce)
    before = (tmp_path / "results.json").read_bytes()
    (tmp_path / "results.json").unlink()
    again = rebuild(tmp_path, reduce)
    assert (tmp_path / "results.json").read_bytes() == before
    assert (again.records, again.summary, again.failed) == (first.records, first.summary, 1)


def test_rebuild_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no header of a run"):
        rebuild(tmp_path)
    run(Counted(), UNITS, tmp_path, name="count", reduce=total)
    with pytest.raises(RunError, match=r"pass its function as reduce= \(total\)"):
        rebuild(tmp_path)
    lines = (tmp_path / "units.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "units.jsonl").write_bytes(b"".join(lines[:10]))
    with pytest.raises(RunError, match="2 of 12 units are unfinished"):
        rebuild(tmp_path, total)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "other"}, r"differs in name \('count', now 'other'\);"),
        ({"seed": 1}, r"differs in seed \(0, now 1\);"),
        ({"spec": {"steps": 5, "rate": 1}}, r"differs in spec \(steps: 4, now 5\);"),
        ({"spec": None}, r"differs in spec \("),
        ({"units": UNITS[:5]}, r"differs in units \(12, now 5, 5 in common\);"),
        ({"units": UNITS[::-1]}, r"differs in units \(12, now 12, 12 in common\);"),
        ({"name": "other", "seed": 1}, "name .*; seed "),
    ],
)
def test_folder_of_another_run_is_refused_with_what_differs(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    same: dict[str, Any] = {"units": UNITS, "name": "count", "seed": 0, "spec": {"steps": 4, "rate": 1}}
    run(Counted(), folder=tmp_path, **same)
    before = (tmp_path / "results.json").read_bytes()
    work = Counted()
    with pytest.raises(RunError, match=message):
        run(work, folder=tmp_path, **(same | change))
    assert not work.calls
    assert (tmp_path / "results.json").read_bytes() == before


def test_new_run_moves_the_old_one_aside(tmp_path: Path) -> None:
    run(Counted(), UNITS, tmp_path, name="count")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.json*")}
    second = run(Counted(), UNITS, tmp_path, name="other", new_run=True)
    assert (second.done, second.reused) == (12, 0)
    assert {path.name: path.read_bytes() for path in (tmp_path / "previous-1").iterdir()} == before
    run(Counted(), UNITS, tmp_path, name="third", new_run=True)
    assert json.loads((tmp_path / "previous-2" / "header.json").read_text())["name"] == "other"


def test_resume_false_refuses_a_used_folder(tmp_path: Path) -> None:
    run(Counted(), UNITS, tmp_path, name="count", resume=False)
    with pytest.raises(RunError, match="already holds a run"):
        run(Counted(), UNITS, tmp_path, name="count", resume=False)


def test_failing_units_are_tried_again_and_then_counted(tmp_path: Path) -> None:
    units = [{"number": number} for number in range(100)]
    work = Counted({4: 2, 50: 99})
    result = run(work, units, tmp_path, name="count", attempts=3)
    assert (work.calls[4], work.calls[50], work.calls[5]) == (3, 3, 1)
    assert (result.done, result.failed) == (99, 1)
    assert result.records[50] is None
    assert result.records[4] is not None
    assert [(error["unit"], error["attempt"], error["error"]["type"]) for error in result.errors] == [
        ({"number": 50}, 3, "ValueError")
    ]
    fixed = Counted()
    assert run(fixed, units, tmp_path, name="count").failed == 1  # finished within the error rate: that is the result
    assert not fixed.calls


def test_too_many_errors_fail_the_run_and_keep_what_is_finished(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        run(Counted({2: 99, 8: 99}), UNITS, tmp_path, name="count", attempts=2, max_error_rate=0.1)
    message = str(caught.value)
    assert "2 of 12 units ended in error (10% may)" in message
    assert 'first {"kind":"even","number":2} with ValueError: number 2 is broken' in message
    assert str(tmp_path / "units.jsonl") in message
    assert "\n" not in message
    assert not (tmp_path / "results.json").exists()
    work = Counted()
    fixed = run(work, UNITS, tmp_path, name="count", attempts=2, max_error_rate=0.1)
    assert (fixed.reused, fixed.done, fixed.failed) == (10, 2, 0)
    assert work.calls == {2: 1, 8: 1}


def test_a_failed_run_tells_what_its_units_failed_with() -> None:
    with pytest.raises(RunError) as caught:
        run(Counted({2: 99}), UNITS, None, name="count", max_error_rate=0)
    assert caught.value.cause == "ValueError"


def test_a_damaged_header_can_be_moved_aside(tmp_path: Path) -> None:
    run(Counted(), UNITS, tmp_path, name="count")
    (tmp_path / "header.json").write_bytes((tmp_path / "header.json").read_bytes()[:20])
    with pytest.raises(FileFormatError, match=r"new_run=True \(--fresh\)"):
        run(Counted(), UNITS, tmp_path, name="count")
    assert run(Counted(), UNITS, tmp_path, name="count", new_run=True).done == 12


def test_error_rate_counts_all_units_and_may_be_met_exactly() -> None:
    assert run(Counted({0: 9, 1: 9, 2: 9}), UNITS, None, name="count", max_error_rate=0.25).failed == 3
    with pytest.raises(RunError, match="3 of 12 units ended in error"):
        run(Counted({0: 9, 1: 9, 2: 9}), UNITS, None, name="count", max_error_rate=0.24)


def test_hopeless_work_is_not_tried_on_every_unit(tmp_path: Path) -> None:
    units = [{"number": number} for number in range(300)]
    work = Counted(dict.fromkeys(range(300), 99))
    with pytest.raises(RunError, match=f"{HOPELESS} of 300 units ended in error"):
        run(work, units, tmp_path, name="count", attempts=1)
    assert len(work.calls) == HOPELESS
    allowed = run(Counted(dict.fromkeys(range(300), 99)), units, None, name="count", max_error_rate=1)
    assert allowed.failed == 300


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"score": math.nan}, "Out of range float values"),
        ([1.0, math.inf], "Out of range float values"),
        ({"score": {1, 2}}, "set is not JSON serializable"),
        ("half \ud83d", "surrogates not allowed"),
        (None, "gave no record"),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_record_that_json_cannot_hold_names_its_unit(tmp_path: Path, record: Any, message: str, workers: int) -> None:
    def work(unit: dict[str, Any], seed: int) -> Any:
        return record if unit["number"] == 3 else 1.0

    with pytest.raises(RunError, match=rf'"number":3.*{message}|{message}.*"number":3'):
        run(work, UNITS, tmp_path, name="count", max_error_rate=1, workers=workers, backend="threads")
    lines = [line for line in log.read(tmp_path / "units.jsonl") if line["unit"]["number"] == 3]
    assert len(lines) == 1  # trying again would not help


def test_summary_that_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="summary of the run 'count' is not JSON"):
        run(Counted(), UNITS, tmp_path, name="count", reduce=lambda records: math.nan)
    assert run(Counted(), UNITS, tmp_path, name="count").reused == 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": []}, "has no units"),
        ({"units": [1]}, "unit 0 of the run 'count' is a int"),
        ({"units": [{"a": 1}, {"a": math.nan}]}, "unit 1 of the run 'count' is not JSON"),
        ({"units": [{"a": 1, "b": 2}, {"b": 2, "a": 1}]}, "unit 1 of the run 'count' occurs twice"),
        ({"spec": {1, 2}}, "the spec of the run 'count' is not JSON"),
        ({"attempts": 0}, "attempts is 0"),
        ({"max_error_rate": 2}, "max_error_rate is 2"),
        ({"backend": "mpi"}, "no backend 'mpi'"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"units": UNITS, "name": "count"}
    with pytest.raises(InputError, match=message):
        run(Counted(), folder=tmp_path / "run", **(good | change))
    assert not (tmp_path / "run" / "units.jsonl").exists()


def test_work_cannot_change_the_units(tmp_path: Path) -> None:
    def spoil(unit: dict[str, Any], seed: int) -> int:
        unit["number"] = -1
        return 1

    assert run(spoil, UNITS, tmp_path, name="spoil").units == UNITS
    assert log.read(tmp_path / "units.jsonl")[0]["unit"] == UNITS[0]


def test_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot make the folder"):
        run(Counted(), UNITS, tmp_path / "file" / "run", name="count")


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    run(Counted(), UNITS, tmp_path, name="count")
    header = (tmp_path / "header.json").read_text()
    (tmp_path / "header.json").write_text(header[:100])
    with pytest.raises(FileFormatError, match="no header of a run"):
        run(Counted(), UNITS, tmp_path, name="count")
    (tmp_path / "header.json").write_text(header.replace('"format": 1', '"format": 2'))
    with pytest.raises(FileFormatError, match="has format 2"):
        run(Counted(), UNITS, tmp_path, name="count")
    (tmp_path / "header.json").unlink()
    with pytest.raises(RunError, match=r"units\.jsonl without header\.json"):
        run(Counted(), UNITS, tmp_path, name="count")
    (tmp_path / "header.json").write_text(header)
    lines = (tmp_path / "units.jsonl").read_text().splitlines()
    (tmp_path / "units.jsonl").write_text("\n".join([*lines[:4], lines[4][:30], *lines[5:]]) + "\n")
    with pytest.raises(FileFormatError, match=r"units\.jsonl, line 5: damaged"):
        run(Counted(), UNITS, tmp_path, name="count")
    log.append(tmp_path / "units.jsonl", {"id": "of another run", "attempt": 1, "status": "ok", "record": 1})
    (tmp_path / "units.jsonl").write_text(json.dumps({"id": "of another run", "attempt": 1}) + "\n")
    with pytest.raises(FileFormatError, match="line 1: names no unit"):
        run(Counted(), UNITS, tmp_path, name="count")


def test_interrupt_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    work = Counted()

    def interrupted(unit: dict[str, Any], seed: int) -> Any:
        if unit["number"] == 6:
            raise KeyboardInterrupt
        return work(unit, seed)

    with pytest.raises(KeyboardInterrupt):
        run(interrupted, UNITS, tmp_path, name="count")
    assert run(work, UNITS, tmp_path, name="count").reused == 6
    assert set(work.calls.values()) == {1}
