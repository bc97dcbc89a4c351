import json
from pathlib import Path

import pytest

from explicate.core.systems import systems
from explicate.errors import FileFormatError
from explicate.reproductions.claims import Claim
from explicate.reproductions.table import claim_lines, read_result, readme_table, rewrite

TOP = Path(__file__).resolve().parents[2]


def result(**more):
    claims = [
        Claim("recall", "share", 0.9, 0.8, (0.7, 0.9), baseline=0.5, chance=0.2, bar=">= 0.75", met=True),
        Claim("speed", "seconds", None, 3.0, bar="<= 2", met=False, note="slow machine"),
        Claim("colour", "hue", "red", None),
    ]
    base = {"system": "find", "scale": "full", "seconds": 1.0, "seeds": [0], "met": False}
    return base | {"claims": [claim.to_dict() for claim in claims]} | more


def test_the_readme_is_fresh():
    readme = TOP / "README.md"
    assert readme.read_text() == rewrite(readme, TOP / "results"), "run `make table`"


def test_every_system_has_a_row_and_what_is_missing_is_said(tmp_path):
    (tmp_path / "find.json").write_text(json.dumps(result()))
    rows = readme_table(tmp_path).split("\n")[2:]
    assert len(rows) == len(systems()) == 63
    assert sum("not yet" in row for row in rows) == 62
    assert any("| 1 of 2 | recall: 0.9 · 0.8 |" in row for row in rows)


def test_a_missed_bar_is_shown_as_missed_with_its_note():
    lines = claim_lines(result())
    assert any("MISSED speed" in line for line in lines)
    assert any("slow machine" in line for line in lines)
    assert lines[-1].startswith("1 of 2 bars met")


def test_a_damaged_result_is_named(tmp_path):
    path = tmp_path / "find.json"
    path.write_text('{"system": "find"')
    with pytest.raises(FileFormatError, match=r"find\.json"):
        read_result(path)
    path.write_text('{"system": "find"}')
    with pytest.raises(FileFormatError, match="lacks claims"):
        read_result(path)
