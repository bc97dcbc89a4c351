"""The call cache: no question is paid for twice, and no damage is taken for an answer."""

from __future__ import annotations

import json
import multiprocessing
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.errors import InputError
from explicate.runtime.cache import FORMAT, CallCache

KEY = {"model": "m", "messages": ["héllo", 1.5], "repetition": 0}


class Asked:
    """A model that counts how often it is asked."""

    def __init__(self, answer: object) -> None:
        self.answer, self.times = answer, 0

    def __call__(self) -> object:
        self.times += 1
        return self.answer


def _share(folder: str, worker: int, wrong: object) -> None:
    cache = CallCache(folder)
    for number in range(60):
        value = cache.fetch({"number": number}, lambda number=number: {"square": number**2, "padding": "x" * 3000})
        if value["square"] != number**2:
            wrong.put((worker, number))  # type: ignore[attr-defined]


def test_second_question_is_answered_from_disk(tmp_path: Path) -> None:
    ask = Asked({"text": "ja", "tokens": (1, 2)})
    first, second = CallCache(tmp_path), CallCache(tmp_path)
    cold = first.fetch(KEY, ask)
    warm = second.fetch(dict(reversed(KEY.items())), ask)
    assert cold == warm == {"text": "ja", "tokens": [1, 2]}  # a cold cache gives what a warm one will
    assert ask.times == 1
    assert (first.hits, first.misses, second.hits, second.misses) == (0, 1, 1, 0)


@given(
    one=st.dictionaries(st.text("ab", min_size=1, max_size=2), st.integers(0, 3) | st.text("01", max_size=2)),
    two=st.dictionaries(st.text("ab", min_size=1, max_size=2), st.integers(0, 3) | st.text("01", max_size=2)),
)
def test_only_equal_keys_share_an_entry(one: dict[str, object], two: dict[str, object]) -> None:
    cache = CallCache("unused")
    assert (cache.path(one) == cache.path(two)) == (one == two)


def test_null_is_an_answer(tmp_path: Path) -> None:
    ask = Asked(None)
    cache = CallCache(tmp_path)
    assert cache.fetch(KEY, ask) is None
    assert cache.fetch(KEY, ask) is None
    assert ask.times == 1
    assert cache.get({"other": 1}, default="none") == "none"


@pytest.mark.parametrize(
    ("mode", "asked", "stored"), [("both", 1, True), ("write", 2, True), ("read", 2, False), ("off", 2, False)]
)
def test_modes(tmp_path: Path, mode: str, asked: int, stored: bool) -> None:
    ask = Asked("answer")
    cache = CallCache(tmp_path, mode)  # type: ignore[arg-type]
    assert [cache.fetch(KEY, ask), cache.fetch(KEY, ask)] == ["answer", "answer"]
    assert ask.times == asked
    assert cache.path(KEY).exists() == stored
    if mode == "read":
        CallCache(tmp_path).put(KEY, "from before")
        assert cache.fetch(KEY, ask) == "from before"


def test_unknown_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose one of read, write, both, off"):
        CallCache(tmp_path, "sometimes")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read"),
        (b'{"format": 1, "key"', "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[1]", "is no entry"),
        (b'{"format": 1}', "is no entry"),
        (json.dumps({"format": FORMAT + 1, "key": KEY, "value": "x"}).encode(), f"has format {FORMAT + 1}"),
        (json.dumps({"format": FORMAT, "key": {"a": 1}, "value": "x"}).encode(), "answers another question"),
    ],
)
def test_damaged_or_foreign_entry_is_a_miss_with_a_warning(tmp_path: Path, content: bytes, reason: str) -> None:
    cache = CallCache(tmp_path)
    cache.put(KEY, "right")
    cache.path(KEY).write_bytes(content)
    with pytest.warns(UserWarning, match=reason):
        assert cache.fetch(KEY, lambda: "asked again") == "asked again"
    assert cache.misses == 1
    assert cache.get(KEY) == "asked again"  # and the entry is whole again


def test_entry_holds_its_key_in_two_level_folders(tmp_path: Path) -> None:
    cache = CallCache(tmp_path)
    cache.put(KEY, 7)
    path = cache.path(KEY)
    assert json.loads(path.read_text()) == {"format": FORMAT, "key": KEY, "value": 7}
    assert path.relative_to(tmp_path).parts == (path.stem[:2], path.stem[2:4], path.name)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]  # no temporary file stays


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, [float("inf")]])
def test_what_json_cannot_hold_is_refused(tmp_path: Path, value: object) -> None:
    cache = CallCache(tmp_path)
    with pytest.raises(InputError, match="cached answer is not JSON"):
        cache.fetch(KEY, lambda: value)
    with pytest.raises(InputError, match="key of a cached call is not JSON"):
        cache.get({"value": value})


def test_copy_in_another_process_counts_for_itself(tmp_path: Path) -> None:
    cache = CallCache(tmp_path, "read")
    cache.get(KEY)
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy.folder, copy.mode, copy.misses, cache.misses) == (tmp_path, "read", 0, 1)


def test_processes_share_one_cache(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    wrong = context.SimpleQueue()
    workers = [context.Process(target=_share, args=(str(tmp_path), worker, wrong)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert wrong.empty()
    reader = CallCache(tmp_path, "read")
    assert [reader.get({"number": number})["square"] for number in range(60)] == [number**2 for number in range(60)]
