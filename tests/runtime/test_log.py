"""What a log promises: whole lines, in order, whatever happened to its writers."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.errors import FileFormatError, InputError, OutputError
from explicate.runtime import log

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
).filter(lambda value: _encodable(value))


def _encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _write_many(path: str, writer: int, count: int) -> None:
    for number in range(count):
        log.append(path, {"writer": writer, "number": number, "padding": "x" * 5000})


@settings(max_examples=25, deadline=None)  # each line waits for the disk
@given(records=st.lists(JSON, max_size=5))
def test_read_gives_back_what_was_appended(records: list[object], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.touch()
    for record in records:
        log.append(path, record)
    assert log.read(path) == records


@pytest.mark.parametrize("kept", range(0, 30, 3))
def test_torn_last_line_is_left_out_and_cut_off_by_the_next_append(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "log.jsonl"
    for number in range(3):
        log.append(path, {"number": number, "padding": "y" * 20})
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    path.write_bytes(whole[: last + kept])
    assert [record["number"] for record in log.read(path)] == [0, 1]
    log.append(path, {"number": 9})
    assert [record["number"] for record in log.read(path)] == [0, 1, 9]


def test_torn_line_longer_than_a_block_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log.append(path, 1)
    with path.open("ab") as file:
        file.write(b'"' + b"z" * (2 * log.BLOCK + 17))
    log.append(path, 2)
    assert log.read(path) == [1, 2]


def test_damaged_line_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    with pytest.raises(FileFormatError, match=r"log\.jsonl, line 2: damaged"):
        log.read(path)


@pytest.mark.parametrize("record", [float("nan"), {"a": [float("inf")]}, {"a": {1, 2}}, "\ud800"])
def test_what_json_cannot_hold_is_refused_and_leaves_the_log_alone(tmp_path: Path, record: object) -> None:
    path = tmp_path / "log.jsonl"
    log.append(path, "before")
    with pytest.raises(InputError, match=r"cannot log to log\.jsonl"):
        log.append(path, record)
    assert log.read(path) == ["before"]


def test_missing_log_and_unwritable_place_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="cannot read the log"):
        log.read(tmp_path / "none.jsonl")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot make the folder"):
        log.append(tmp_path / "file" / "log.jsonl", 1)
    with pytest.raises(OutputError, match="cannot write"):
        log.append(tmp_path, 1)


def test_processes_appending_together_damage_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(str(path), writer, 25)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    records = log.read(path)
    assert len(records) == 100
    for writer in range(4):
        assert [record["number"] for record in records if record["writer"] == writer] == list(range(25))


def test_lock_keeps_threads_apart_and_says_that_it_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, order = tmp_path / "lock", []

    def second() -> None:
        with log.locked(path, waiting="somebody else is at it"):
            order.append("second")

    with log.locked(path):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert capsys.readouterr().err == "somebody else is at it\n"


def test_shared_locks_go_together(tmp_path: Path) -> None:
    with log.locked(tmp_path / "lock", shared=True), log.locked(tmp_path / "lock", shared=True):
        pass  # an exclusive pair would never get here


def test_records_of_one_call_are_all_written_or_none(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log.append(path, {"n": 1}, {"n": 2}, {"n": 3})
    with pytest.raises(InputError, match="cannot log"):
        log.append(path, {"n": 4}, {"n": float("nan")})
    log.append(path)
    assert log.read(path) == [{"n": 1}, {"n": 2}, {"n": 3}]
