"""Files that are whole or untouched."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from explicate.errors import OutputError
from explicate.runtime.files import cache_folder, make_folder, replacing, write_json, write_text


def test_exception_leaves_the_old_content_and_no_rubbish(tmp_path: Path) -> None:
    path = write_text(tmp_path / "deep" / "file.txt", "old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_json_is_sorted_readable_and_refuses_nan(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", {"b": 1, "a": "é"})
    assert path.read_text() == '{\n  "a": "é",\n  "b": 1\n}\n'
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, math.nan)
    assert json.loads(path.read_text()) == {"a": "é", "b": 1}


def test_new_files_get_the_usual_rights(tmp_path: Path) -> None:
    write_text(tmp_path / "ours", "x")
    (tmp_path / "usual").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=f"cannot make the folder {tmp_path / 'file' / 'inside'}"):
        make_folder(tmp_path / "file" / "inside")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=f"cannot write {tmp_path / 'folder'}"):
        write_text(tmp_path / "folder", "x")


def test_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXPLICATE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    assert cache_folder("models") == tmp_path / "shared" / "explicate" / "models"
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path / "own"))
    assert cache_folder("models") == tmp_path / "own" / "models"
    assert os.path.isdir(tmp_path / "own" / "models")
