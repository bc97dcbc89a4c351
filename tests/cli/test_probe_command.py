"""`explicate probe` on a small model in a folder, as a user types it."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import explicate as ex
from explicate.cli import probing
from explicate.cli.app import app
from explicate.errors import FileFormatError, InputError

WORDS = (*"abcdefgh", "odd?")


@pytest.fixture(scope="module")
def model(saved_decoder):
    return saved_decoder(*WORDS)


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    rows = ["text,label,subject"]
    for number in range(80):
        letters = rng.choice(list("bcdefgh"), 5).tolist()
        letters[int(rng.integers(5))] = "a" if number % 2 else "b"
        rows.append(f"{' '.join(letters)},{'with' if number % 2 else 'none'},{number // 4}")
    path = tmp_path / "letters.csv"
    path.write_text("\n".join(rows))
    return path


def test_a_table_is_probed_and_the_profile_is_written(model, table, tmp_path):
    words = ["probe", str(model), str(table), "--instruction", "odd?", "--repeats", "2", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*words, "--split", "subjects", "--bits", "8", "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert found["positive"] == "with"
    assert len(found["accuracy"]) == 3
    assert found["words"] > 0.9
    profile = ex.Explanation.load(found["profile"])
    assert profile.data.attrs["bits"] == 8
    assert profile.curve().tolist() == found["accuracy"]
    assert (tmp_path / "out" / f"{model.name}-letters-8-bits.png").stat().st_size > 1000
    text = CliRunner().invoke(app, words, catch_exceptions=False).stdout
    assert "label 1 is 'with'; 80 texts, 0 cut to fit" in text
    assert (
        f"best accuracy {max(ex.Explanation.load(tmp_path / 'out' / f'{model.name}-letters.nc').curve()):.3f}" in text
    )


def test_unknown_tasks_and_tables_without_labels_are_named(tmp_path):
    with pytest.raises(InputError, match="the task 'mood' is unknown; use capitals, sentiment, coin-flips, NAME=FILE"):
        probing._task("mood", "")
    with pytest.raises(InputError, match="the loader 'cities' found no file"):
        probing._task("cities=nowhere.csv", "")
    with pytest.raises(InputError, match=r"there is no file nowhere\.csv"):
        probing._task("nowhere.csv", "")
    (tmp_path / "one.csv").write_text("text,label\na,1\nb,1\n")
    with pytest.raises(InputError, match="has the labels 1; a task needs two"):
        probing._task(str(tmp_path / "one.csv"), "")
    (tmp_path / "none.csv").write_text("words,label\na,1\nb,1\n")
    with pytest.raises(FileFormatError, match="has no column 'text'"):
        probing._task(str(tmp_path / "none.csv"), "")
