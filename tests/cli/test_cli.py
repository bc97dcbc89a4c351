"""The command line as a user types it, in a process of its own where the exit code matters."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

CODE = """
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import explicate as ex

def tumour():
    rows, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    rows = rows.iloc[:, :4]
    return ex.TabularModel(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels), rows, name="tumour")

def late():
    asked = [0]
    def scored(rows):
        asked[0] += 1
        if asked[0] > 3:
            raise RuntimeError("no licence")
        return rows.to_numpy().sum(axis=1)
    return ex.TabularModel(scored, load_breast_cancer(as_frame=True).data.iloc[:, :4])

def other():
    rows, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    rows = rows.iloc[:, :4]
    return ex.TabularModel(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, 1 - labels), rows)

def failing():
    def broken(rows):
        raise RuntimeError("no licence")
    return ex.TabularModel(broken, load_breast_cancer().data[:, :4])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("user")
    (place / "mine.py").write_text(CODE)
    rows: pd.DataFrame = load_breast_cancer(as_frame=True).data.iloc[:, :4]
    rows.head(6).to_csv(place / "rows.csv", index=False)
    rows.head(6).assign(extra=1.0).rename(columns={rows.columns[0]: "other"}).to_csv(place / "wrong.csv", index=False)
    labels = load_breast_cancer().target[14:24]  # of both classes
    rows.iloc[14:24].assign(tumour=labels, extra=1.0).to_csv(place / "labelled.csv", index=False)
    (place / "model.pkl").write_bytes(b"anything")
    return place


def explicate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "EXPLICATE_PROGRESS": "0"}
    command = [sys.executable, "-c", "from explicate.cli import main; main()", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, timeout=300)


def test_a_users_model_is_explained_stored_and_made_again(folder):
    done = explicate(folder, "explain", "mine:tumour", "rows.csv", "--rows", "0:2", "--method", "kernel-shap", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (folder / said["explanation"]).exists()
    assert (folder / said["picture"]).read_bytes().startswith(b"\x89PNG")
    assert said["evaluations"] > 0
    again = explicate(folder, "rerun", said["explanation"], "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["equal"] is True


def test_a_stored_explanation_is_measured(folder):
    words = ("explain", "mine:tumour", "rows.csv", "--method", "exact-shapley", "--out", "measured", "--json")
    stored = json.loads(explicate(folder, *words).stdout)["explanation"]
    done = explicate(folder, "evaluate", stored, "--metrics", "completeness,deletion", "--json")
    assert done.returncode == 0, done.stderr
    found = {item["metric"]: item for item in json.loads(done.stdout)["measurements"]}
    assert found["completeness"]["value"] == pytest.approx(0, abs=1e-9)
    assert found["deletion"]["low"] <= found["deletion"]["value"] <= found["deletion"]["high"]


def test_settings_reach_the_method(folder):
    words = ("--method", "feature-ablation", "--set", "missingness=mean", "--json")
    said = json.loads(explicate(folder, "explain", "mine:tumour", "rows.csv", "--rows", "1", *words).stdout)
    assert said["parameters"]["missingness"] == {"name": "mean"}


def test_a_comparison_is_written_and_resumed(folder):
    words = ("compare", "mine:tumour", "rows.csv", "--methods", "feature-ablation,kernel-shap", "--metrics", "deletion")
    first = explicate(folder, *words, "--out", "side-by-side", "--json")
    assert first.returncode == 0, first.stderr
    assert "random" in first.stdout
    second = explicate(folder, *words, "--out", "side-by-side", "--json")
    drop = {"seconds"}
    assert _without(json.loads(first.stdout), drop) == _without(json.loads(second.stdout), drop)


def test_another_comparison_is_not_in_the_way(folder):
    words = ("compare", "mine:tumour", "rows.csv", "--methods", "feature-ablation", "--metrics", "sparseness", "--json")
    one, two = (explicate(folder, *words, "--rows", rows) for rows in ("0:3", "3:6"))
    assert one.returncode == two.returncode == 0, two.stderr
    assert json.loads(one.stdout)["folder"] != json.loads(two.stdout)["folder"]
    into = ("--out", "one-place")
    assert explicate(folder, *words, *into, "--rows", "0:3").returncode == 0
    refused = explicate(folder, *words, *into, "--rows", "3:6")
    assert refused.returncode == 2
    assert "--fresh" in refused.stderr
    assert explicate(folder, *words, *into, "--rows", "3:6", "--fresh").returncode == 0


def test_a_comparison_takes_labels_settings_and_leaves_out_the_rest_aloud(folder):
    words = ("--methods", "kernel-shap", "--metrics", "randomisation", "--labels", "tumour", "--out", "labelled")
    done = explicate(
        folder, "compare", "mine:tumour", "labelled.csv", *words, "--set", "kernel-shap.budget=12", "--json"
    )
    assert done.returncode == 0, done.stderr
    rows = {row["method"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["kernel-shap"]["value"] is not None
    assert done.stderr.strip() == "note: labelled.csv: no features of the model, left out: extra"


def test_a_stored_explanation_is_replaced_aloud_and_another_model_is_named(folder):
    words = ("explain", "mine:tumour", "rows.csv", "--method", "feature-ablation", "--out", "twice")
    assert "replaced" not in explicate(folder, *words).stdout
    assert "(replaced)" in explicate(folder, *words).stdout
    file = "twice/tumour-feature-ablation.nc"
    done = explicate(folder, "evaluate", file, "--model", "mine:other", "--metrics", "deletion")
    assert "note on deletion: the explanation is of another model" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("explain", "mine:tumour", "wrong.csv"), 2, "mean radius"),
        (("explain", "mine:tumour", "absent.csv"), 2, "absent.csv"),
        (("explain", "mine:tumour", "rows.csv", "--method", "kernel-shop"), 2, "did you mean 'kernel-shap'"),
        (("explain", "mine:tumour", "rows.csv", "--target", "7"), 2, "target 7 is out of range"),
        (("explain", "mine:tumour", "rows.csv", "--rows", "x"), 2, "cannot take rows 'x'"),
        (("explain", "mine:tumour", "rows.csv", "--set", "budget"), 2, "write NAME=VALUE"),
        (("explain", "mine:absent", "rows.csv"), 2, "absent"),
        (("explain", "model.pkl", "rows.csv"), 2, "is refused"),
        (("explain", "mine:failing", "rows.csv"), 3, "no licence"),
        (("compare", "mine:late", "rows.csv", "--methods", "feature-ablation", "--out", "late"), 3, "no licence"),
        (("compare", "mine:tumour", "rows.csv", "--set", "x.budget=3"), 2, "write METHOD.NAME=VALUE"),
        (("compare", "mine:tumour", "rows.csv", "--labels", "nothing"), 2, "neither a column"),
        (("explain", "mine:tumour", "rows.csv", "--out", "rows.csv/below"), 4, "rows.csv"),
        (("systems", "lime"), 2, "lime"),
        (("rerun", "rows.csv"), 2, "rows.csv"),
        (("explain", "mine:tumour", "rows.csv", "--seed", "-1"), 2, "seed is -1; give a whole number, 0 or more"),
        (("reproduce", "local-function-approximation", "--seeds", "0,-1"), 2, "seed is -1; give a whole number"),
        (("reproduce", "find"), 2, "no reproduction yet"),
        (("explain", "ftp://127.0.0.1/v1", "text"), 2, "starts with http"),
        (("explain", "http://127.0.0.1:9/v1#name", "text"), 3, "needs scores for inputs"),
        (("serve-model", "mine:tumour"), 3, "writes no text"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(folder, words, code, message):
    done = explicate(folder, *words)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_errors_are_json_for_machines(folder):
    done = explicate(folder, "systems", "nothing-like-it", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["type"] == "UnknownNameError"
    done = explicate(folder, "explain", "mine:tumour", "rows.csv", "--seed", "-1", "--json")
    assert json.loads(done.stdout)["type"] == "InputError"


def test_the_catalogue_lists_all_63(folder):
    said = json.loads(explicate(folder, "systems", "--json").stdout)
    assert len(said["systems"]) == 63
    for kind in ("--methods", "--metrics", "--models"):
        listed = json.loads(explicate(folder, "systems", kind, "--json").stdout)[kind[2:]]
        assert listed
        assert all(text and not text.startswith("None") for text in listed.values()), listed


def test_readable_models_are_listed_and_recommended(folder):
    said = json.loads(explicate(folder, "systems", "--glassbox", "--json").stdout)
    assert {one["perspective"] for one in said["glassboxes"]} == {
        "attribution", "function", "concept", "prototype", "rule"
    }  # fmt: skip
    assert "pace" in said["post_hoc"]
    shown = explicate(folder, "systems", "--modality", "image", "--need", "interventions").stdout
    assert shown.startswith("1. concept-centric-transformer (concept)")
    assert "does not meet: interventions" in shown
    wrong = explicate(folder, "systems", "--modality", "video")
    assert wrong.returncode == 2
    assert "there are tabular, image, text" in wrong.stderr


def test_help_names_every_command(folder):
    shown = explicate(folder, "--help").stdout
    for command in ("demo", "explain", "compare", "evaluate", "reproduce", "systems", "rerun", "serve-model"):
        assert command in shown


def _without(value, keys):
    if isinstance(value, dict):
        return {key: _without(item, keys) for key, item in value.items() if key not in keys}
    return [_without(item, keys) for item in value] if isinstance(value, list) else value
