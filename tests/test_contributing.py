"""CONTRIBUTING's worked example: one short file, shown as it is, whose method appears everywhere by itself."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import explicate as ex
from explicate.attribution import feature_ablation
from explicate.cli.app import app
from explicate.core import registry

TOP = Path(__file__).resolve().parents[1]
NAME = "feature-ablation"


@pytest.fixture
def model():
    rows = np.random.default_rng(0).normal(size=(40, 3))
    return ex.TabularModel(LinearRegression().fit(rows, rows @ [1.0, -2.0, 0.5] + 3), rows)


def test_the_text_shows_the_file_and_the_file_is_short():
    text = (TOP / "CONTRIBUTING.md").read_text()
    source = inspect.getsource(feature_ablation)
    shown = text.split("<!-- example:start -->")[1].split("<!-- example:end -->")[0].strip()
    assert shown == f"```python\n{source.rstrip()}\n```"
    assert source.count("\n") < 150


def test_it_is_in_the_catalogue_and_on_the_command_line():
    from typer.testing import CliRunner

    import explicate.cli.catalogue

    assert explicate.cli.catalogue
    shown = CliRunner().invoke(app, ["systems", "--methods", "--json"])
    assert NAME in json.loads(shown.output)["methods"]
    assert NAME in registry.names("methods")


def test_it_explains_draws_and_saves(model, tmp_path):
    row = model.background[:1]
    found = ex.explain(model, row, NAME, missingness="mean")
    assert np.allclose(found.values, (row - model.background.mean(axis=0)) * [1.0, -2.0, 0.5])
    assert found.plot().get_xlabel()
    assert found.save(tmp_path / "one.nc").exists()
    assert "<img" in found._repr_html_()
    assert ex.rerun(tmp_path / "one.nc", model).equal


def test_it_is_measured_and_compared(model, tmp_path):
    compared = ex.compare(model, model.background[:6], [NAME, "kernel-shap"], ["deletion"], folder=tmp_path)
    frame = compared.to_frame()
    assert {NAME, "kernel-shap"} <= set(frame["method"])
    assert frame.loc[frame["method"] == NAME, "value"].notna().all()
