"""`explicate compare --glassbox`, as a user types it."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from explicate.cli import comparing
from explicate.errors import ExplicateError, UnknownNameError

MODELS = "decision-tree,gradient-boosting"


def people(rows=200):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.integers(18, 80, rows).astype(float), "job": rng.choice(["a", "b"], rows)})
    frame["late"] = np.where((frame["age"] > 45) & (frame["job"] == "b"), "yes", "no")
    frame["same"], frame["nothing"] = 7, np.nan
    frame.loc[::9, "age"] = np.nan
    frame.loc[0, "job"] = "only here"  # never seen by the models that are asked about it
    return frame


def refused(*words):
    """The error that a command ends with."""
    result = CliRunner().invoke(comparing.app, ["compare", *map(str, words)])
    assert isinstance(result.exception, ExplicateError), result.output
    return str(result.exception)


def test_a_users_table_gets_a_report_and_goes_on(tmp_path):
    people().to_csv(tmp_path / "people.csv", index=False)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "EXPLICATE_PROGRESS": "0"}
    words = ("compare", "--glassbox", "people.csv", "--label", "late", "--folds", "2", "--out", "out", "--json")
    command = [sys.executable, "-c", "from explicate.cli import main; main()", *words, "--models"]
    every = f"{MODELS},fold-se,fold-se-m,logistic-regression,multi-layer-perceptron"
    found = []
    for _ in range(2):
        done = subprocess.run([*command, every], cwd=tmp_path, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert found[0] == found[1]  # with the seconds of the first: nothing was fitted again
    standings = {one["model"]: one for one in found[0]["tables"][0]["models"]}
    assert set(standings) == {*every.split(","), "majority"}
    assert not any(one["reason"] for one in standings.values())
    assert found[0]["tables"][0]["choice"] in every
    assert standings["decision-tree"]["values"]["accuracy"]["value"] > 0.9
    page = (tmp_path / "out" / "report.html").read_text()
    assert "200 rows" in page
    assert "explicate compare --glassbox people.csv --label late" in page
    other = subprocess.run([*command, MODELS], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert other.returncode == 2
    assert "--fresh" in other.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.assign(late="no"), "one class only, 'no'"),
        (lambda frame: frame.assign(late=frame["late"].where(frame.index != 5)), "no label in row 5"),
        (lambda frame: frame.iloc[:0], "column names but no rows"),
        (
            lambda frame: frame.set_axis(["age", "age", "late", "same", "nothing"], axis=1),
            "'age' occurs more than once",
        ),
        (lambda frame: frame[["nothing", "late"]], "no column has a value"),
        (lambda frame: frame.rename(columns={"late": "later"}), "no column 'late'"),
        (lambda frame: frame.assign(late=np.linspace(0, 1, len(frame))), "no classes to predict"),
        (lambda frame: frame.assign(late=["odd"] + ["no"] * 199), "class 'odd' has 1 rows"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path, change, said):
    change(people()).to_csv(tmp_path / "people.csv", index=False)
    message = refused("--glassbox", tmp_path / "people.csv", "--label", "late", "--models", MODELS, "--out", tmp_path)
    assert said in message
    assert "\n" not in message
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--glassbox", "mine.csv"], "--label COLUMN"),
        (["--glassbox", "adlut"], "did you mean 'adult'"),
        (["--glassbox", "iris", "iris"], "two tables are called 'iris'"),
        (["--glassbox", "iris", "--methods", "lime"], "--methods is for comparing explanations"),
        (["--glassbox", "iris", "--models", "lime"], "there are:"),
        (["--glassbox", "diabetes"], "no classes to predict"),
        (["iris"], "takes a model and its inputs"),
        (["mine:model", "rows.csv", "--label", "late"], "give --glassbox"),
    ],
)
def test_bad_words_are_refused_in_one_line(words, said, tmp_path):
    assert said in refused(*words, "--out", tmp_path)


def test_an_unknown_model_is_named():
    with pytest.raises(UnknownNameError):
        raise CliRunner().invoke(comparing.app, ["compare", "--glassbox", "wine", "--models", "trees"]).exception


def test_help_says_what_it_is_for():
    said = CliRunner().invoke(comparing.app, ["compare", "--help"], env={"COLUMNS": "200"}).output
    for word in ("--glassbox", "must it be a black box?", "--label", "adult, compas, german-credit", "paired 95 %"):
        assert word in said
