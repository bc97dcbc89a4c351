"""The reproduction runs at smoke scale, resumes, and judges its bars by what it measured."""

import numpy as np
import pytest

from explicate.reproductions import llm_post_hoc_explainers
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch):
    small = {"rows": 600, "instances": 8, "points": 1000, "epochs": 5, "asked": 0}
    monkeypatch.setitem(llm_post_hoc_explainers.SIZES, "smoke", small)
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("llm-post-hoc-explainers", context)
    barred = [claim for claim in result["claims"] if claim["bar"]]
    assert [claim["bar"] for claim in barred][-7:] == ["<= 3", "<= 3", "= 1.000", ">= 0.95", "> 2", "> 2", "= 1"]
    sides = {"<=": np.less_equal, ">=": np.greater_equal, ">": np.greater, "=": np.isclose}
    for claim in barred:
        if claim["met"] is not None:
            sign, limit = claim["bar"].split()
            assert claim["met"] == sides[sign](claim["measured"], float(limit))
    exact = {claim["bar"]: claim for claim in barred}
    assert exact["= 1.000"]["met"]
    assert exact["= 1"]["met"]
    named = [claim["claim"] for claim in result["claims"]]
    assert "correlation, 64 shots on linear models" in named
    assert "copy of Grad on linear models" in named
    copied = next(claim for claim in result["claims"] if claim["claim"] == "copy of Grad on linear models")
    assert copied["measured"] == 1.0  # one ranking for all rows
    monkeypatch.setattr(llm_post_hoc_explainers, "_scored", lambda unit: pytest.fail("done twice"))
    assert reproduce("llm-post-hoc-explainers", context)["claims"] == result["claims"]


def test_tables_are_scaled_by_their_training_part():
    for name, count in (("breast-cancer", 8), ("german-credit", 21), ("compas", 9)):
        names, parts, labels = llm_post_hoc_explainers._prepared(name, 0, "smoke")
        assert len(names) == count
        assert (parts[0].min(axis=0) == 0).all()
        assert (parts[0].max(axis=0) == 1).all()
        assert [len(part) for part in parts] == [len(own) for own in labels]
