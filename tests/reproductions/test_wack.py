"""The reproduction runs at smoke scale, resumes, and judges its own bars by what it measured."""

import numpy as np
import pytest

from explicate.reproductions import wack, wack_claims
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch):
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("wack", context)
    judged = [claim for claim in result["claims"] if claim["met"] is not None]
    bars = [">= 0.95", ">= 0.90", ">= 0.75", "<= 0.05", ">= 0.70", "<= 0.05", ">= 0.10", ">= 150"]
    assert [claim["bar"] for claim in judged] == bars
    sides = {"<=": np.less_equal, ">=": np.greater_equal}
    for claim in judged:
        sign, limit = claim["bar"].split()
        assert claim["met"] == sides[sign](claim["measured"], float(limit))
    metrics = " ".join(claim["metric"] for claim in result["claims"])
    for part in ("HK-", "HK+", "three-way", "specific less generic", "post-answer generic", "after routing", "Jaccard"):
        assert part in metrics
    monkeypatch.setattr(wack, "_planted", lambda unit: pytest.fail("done twice"))
    assert reproduce("wack", context)["claims"] == result["claims"]


def test_few_errors_give_counts_and_no_probe():
    counts = {"correct": 200, "HK+": 3, "HK-": 90, "middle": 30}
    unit = {"setting": "bad-shots", "asked": 323, "dropped": {}, "counts": counts, "histogram": {"6": 203}, "late": 1,
            "topics": {"capital": 203}, "error topics": {"capital": 3}}  # fmt: skip
    known, middle, errors = wack_claims.language([unit])
    assert (known.measured, known.met) == (203, True)
    assert middle.measured == pytest.approx(30 / 293)
    assert errors.measured == 3
    assert "no probe is fitted" in errors.note


def test_enough_errors_are_judged_by_the_three_way_bar():
    scores = {"accuracy": 0.48, "control": 0.34, "each": [0.5, 0.46], "places": ["L9.mlp_out"]}
    when = {"three-way": {"x": scores}, "errors": {"x": scores}}
    counts = {"correct": 200, "HK+": 70, "HK-": 90, "middle": 30}
    unit = {"setting": "alice-bob", "asked": 390, "dropped": {}, "counts": counts, "histogram": {}, "late": 0,
            "topics": {}, "error topics": {}, "post": when, "pre": when, "words": {"accuracy": 0.4}}  # fmt: skip
    three = wack_claims.language([unit])[-1]
    assert (three.measured, three.met, three.baseline) == (0.48, False, 0.4)


def test_a_missing_model_is_said_and_not_judged():
    for claim in (*wack_claims.language([{"missing": "install it"}]), *wack_claims.alike({"missing": "install it"})):
        assert claim.measured is None
        assert claim.met is None
        assert claim.note == "install it"
