"""The reproduction runs at smoke scale, resumes, and judges its own bars by what it measured."""

import pytest

from explicate.reproductions import self_interpretable_survey as survey
from explicate.reproductions.claims import Context, reproduce

pytest.importorskip("gymnasium")


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch):
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("self-interpretable-survey", context)
    claims = {claim["claim"]: claim for claim in result["claims"]}
    assert [claim["bar"] for claim in result["claims"] if claim["met"] is not None] == [
        ">= baseline - 0.02", ">= 0.95", "<= 0.05", "in [0.45, 0.60]", ">= 0.95", "<= 0.05", ">= 5", "<= 1e-4",
        ">= 0.95", ">= -0.03", "0", ">= 0.98 or baseline + 0.05", "1", ">= 0.90", ">= 400", "0",
    ]  # fmt: skip
    for exact in ("and each is a patch of a training picture", "Every prediction is computed from its explanation"):
        assert claims[exact]["measured"] == 0
    assert claims["Printed rules are the model (FOLD-SE)"]["measured"] == 1
    assert claims["and its formula is its network"]["met"]
    assert claims["Concepts can be set right (independent)"]["met"]
    monkeypatch.setattr(survey, "_parts", lambda unit, scale: pytest.fail("done twice"))
    assert reproduce("self-interpretable-survey", context)["claims"] == result["claims"]
