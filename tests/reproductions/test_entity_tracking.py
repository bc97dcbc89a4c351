"""The reproduction runs at smoke scale, resumes, and judges its bars by what it measured."""

import warnings

import pytest

pytest.importorskip("peft")

from explicate.reproductions import entity_tracking
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path / "cache"))
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        result = reproduce("entity-tracking", context)
    bars = [claim["bar"] for claim in result["claims"] if claim["bar"]]
    assert bars[:11] == [
        ".55-.75 in each seed", ">= .08 in each seed", "<= .04", "<= .35", ">= .90", "<= .25", "> 0 in each seed",
        ">= 3, where the model uses positions", bars[8], ">= .60", "<= .15",
    ]  # fmt: skip
    assert bars[11:] == ["1 of 1"]
    share = next(claim for claim in result["claims"] if claim["bar"] == "<= .35")
    assert share["met"] == (share["measured"] <= 0.35)
    told = [claim for claim in result["claims"] if "told otherwise" in claim["claim"]]
    assert len(told) == 11
    monkeypatch.setattr(entity_tracking, "_circuit", lambda unit: pytest.fail("done twice"))
    assert reproduce("entity-tracking", context)["claims"] == result["claims"]
