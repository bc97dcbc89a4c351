"""The reproduction runs at smoke scale, resumes, and judges its bars by what it measured."""

import pytest

from explicate.reproductions import sr_nle
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_the_bars_that_need_no_large_model(tmp_path, monkeypatch):
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("sr-nle", context)
    barred = {claim["claim"]: claim for claim in result["claims"] if claim["bar"]}
    assert [claim["bar"] for claim in barred.values()] == [
        "= 1", ">= 0.99", ">= 0.98", "<= 0.02", ">= 0.80", ">= 0.95", "<= 3", "<= 0.02",
        "chance + 2 s.e., to be claimed",
    ]  # fmt: skip
    first = next(iter(barred.values()))
    assert first["measured"] == 1.0
    assert first["met"]
    assert barred["A trigger moves its answer"]["measured"] >= 0.9
    assert barred["Random words hit by chance"]["met"]
    monkeypatch.setattr(sr_nle, "_trigger", lambda unit: pytest.fail("done twice"))
    assert reproduce("sr-nle", context)["claims"] == result["claims"]
