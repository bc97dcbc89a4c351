"""Stepping: what a user sees on one input, at the prompt, on the command line and on the page."""

import io
import json
import re

import pytest
from typer.testing import CliRunner

import explicate.cli.catalogue
import explicate.cli.stepping  # noqa: F401
from explicate.cli.app import app
from explicate.glassbox.transformer_programs.debugger import Debugger
from explicate.report.programs import run_page

from .conftest import random_model
from .test_program import planted

TOKENS = ["<s>", "a", "b", "a"]


def session(text, program=None):
    """What the debugger answers to some lines."""
    out = io.StringIO()
    Debugger(program or planted(), TOKENS, io.StringIO(text), out).cmdloop()
    return out.getvalue()


def test_enter_goes_on_variable_by_variable_to_the_decision():
    said = session("\n" * 7)
    assert "head_0_0: <s> <s> a b" in said
    assert "looked at: 0 0 1 2" in said
    assert "mlp_0_0: 0 0 1 2\n    from head_0_0" in said
    assert "3 a: Z, before B by 1.00 (mlp_0_0=2 +1.00" in said


def test_breakpoints_and_watchpoints_stop_where_they_are_hit():
    said = session("break mlp_0_0\ncontinue\nwhere\nprint mlp_0_0\nquit\n")
    assert "before mlp_0_0" in said
    assert "next: mlp_0_0" in said
    assert "mlp_0_0 is not computed yet" in said
    assert "from head_0_0" not in said
    said = session("watch head_0_0 b\nc\np head_0_0\nrule head_0_0\nrule tokens\nq\n")
    assert "watch: head_0_0 is b" in said
    assert "copies tokens from the nearest position where positions is what positions looks for" in said
    assert "tokens is an input" in said


def test_what_is_no_command_or_variable_is_answered_with_what_there_is():
    said = session("jump\nprint head_9\nnext\nc\nnext\nhelp\n")
    assert "'jump' is no command" in said
    assert "no variable 'head_9'; there are tokens, positions" in said
    assert said.count("all variables are computed") == 1


def test_the_command_prints_everything_and_writes_the_page(tmp_path):
    path = random_model(2, layers=2).program.save(tmp_path / "one.py")
    runner = CliRunner()
    shown = runner.invoke(app, ["step", str(path), "<s>", "a", "b", "--page", str(tmp_path / "run.html")])
    assert shown.exit_code == 0, shown.output
    assert "counted:" in shown.output
    assert "number_mlp_1_0:" in shown.output
    told = json.loads(runner.invoke(app, ["step", str(path), "<s>", "a", "b", "--json"]).stdout)
    model = random_model(2, layers=2)
    assert tuple(told["tags"]) == model.predict([["<s>", "a", "b"]])[0]
    page = (tmp_path / "run.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    for name in model.program.variables:
        assert name in page


@pytest.mark.parametrize("shape", [{"pooled": True}, {"embeddings": 2, "width": 8}, {"attention": "score"}])
def test_every_shape_has_a_page_and_a_session(shape):
    program = random_model(1, **shape).program
    html = run_page(program, TOKENS[:3]).to_html()
    assert str(program.run(TOKENS[:3])[0]) in html
    out = io.StringIO()
    Debugger(program, TOKENS[:3], io.StringIO("continue\n"), out).cmdloop()
    assert out.getvalue().count("before") >= 1
