"""Explanations in words from the command line."""

import json

from typer.testing import CliRunner

import explicate as ex
from explicate.cli.explaining import app
from explicate.core.kinds import Narrative
from explicate.data.language.nle_tasks import templated_items


def test_self_refine_explains_the_items_of_a_file(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(item.to_dict()) + "\n" for item in templated_items("esnli", 3)))
    spec = "explicate.rationales.scripted_refiner:scripted"
    command = ["explain", spec, str(path), "--method", "self-refine", "--set", "feedback=iw", "--set", "rounds=1"]
    log = tmp_path / "calls.jsonl"
    out = ["--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, [*command, "--set", f"log={log}", *out])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told["answers"] == ["B"] * 3
    assert told["texts"] == ["It is so by never man"] * 3
    found = ex.load(told["explanation"])
    assert isinstance(found, Narrative)
    assert found.provenance.calls == 12
    again = CliRunner().invoke(app, ["explain", str(log), *command[2:], *out])
    assert again.exit_code == 0, again.output
    assert json.loads(again.output)["texts"] == told["texts"]
    assert ex.load(told["explanation"]).provenance.calls == 0


def test_references_of_a_file_are_checked(tmp_path):
    path = tmp_path / "titles.txt"
    path.write_text("Emma\nThe Thane of Corrievale\n", encoding="utf-8")
    spec = "explicate.rationales.scripted_librarian:librarian"
    settings = ["--set", "n_direct=4", "--set", "overlap=names", "--set", 'queries=["IQ","DQ1"]']
    command = ["explain", spec, str(path), "--method", "reference-check", *settings, "--out", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told["answers"] == ["exists", "hallucinated"]
    assert told["texts"][0].startswith('Probably real: "Emma"')
    assert ex.load(told["explanation"]).provenance.parameters["queries"] == ["IQ", "DQ1"]
