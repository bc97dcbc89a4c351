"""`explicate discover` on a file of observations, as a user types it."""

import dataclasses
import json

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")

import explicate as ex
from explicate.cli import catalogue, discovering
from explicate.cli.app import app
from explicate.data.odeen import OdeenSplit
from explicate.glassbox import replay
from explicate.glassbox.explanatory import (
    SMALL,
    ConjectureGenerator,
    CriticalRationalistNetwork,
    NetworkShape,
    RuleInterpreter,
    Words,
    configurations,
)

assert catalogue  # an application of one command has no name for it
WORDS = Words(("red", "zero"), 2)
SHAPE = NetworkShape(8, 2, 8, 1)
TABLE = "structure,tag\na..B.v,true\n......,true\nbBbBbB,\nVV....,\n"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "seen.csv"
    path.write_text(TABLE)
    return path


def test_a_table_gets_its_rule_a_report_and_tags(table, tmp_path):
    network = CriticalRationalistNetwork(ConjectureGenerator.build(WORDS, SHAPE), RuleInterpreter.build(WORDS, SHAPE))
    file = network.save(tmp_path / "network.safetensors")
    words = ["discover", str(table), "--model", str(file), "--out", str(tmp_path / "out")]
    found = json.loads(CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False).stdout)
    assert found["rule"] == "zero red"
    assert found["malformed"] == 5
    stored = ex.Explanation.load(found["explanation"])
    assert dict(zip(["bBbBbB", "VV...."], replay(stored).tolist(), strict=True)) == found["predictions"]
    page = (tmp_path / "out" / "seen-rule.html").read_text()
    assert page.count("<svg") >= 4
    text = CliRunner().invoke(app, words, catch_exceptions=False).stdout
    assert "rule: zero red" in text
    assert f"confidence: {stored.statement}" in text


def test_the_built_in_network_is_trained_once(table, tmp_path, monkeypatch):
    recipe = dataclasses.replace(SMALL.interpreter_recipe, steps=2, batch=16, checkpoints=())
    tiny = dataclasses.replace(
        SMALL,
        split=OdeenSplit(training=5, validation=2, test=2, structures=60, judged=20),
        interpreter=SHAPE,
        generator=SHAPE,
        interpreter_recipe=recipe,
        generator_recipe=recipe,
    )
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(configurations._CONFIGURATIONS, "small", tiny)
    words = ["discover", str(table), "--beam", "5", "--out", str(tmp_path), "--json"]
    results = [json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout) for _ in range(2)]
    assert results[0]["rejected"] == results[1]["rejected"]
    assert len(list((tmp_path / "cache" / "explanatory").iterdir())) == 2
    assert discovering._said(None) == "no answer"
