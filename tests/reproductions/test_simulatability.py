"""The reproduction runs at smoke scale, resumes, and judges its own bars by what it measured."""

import numpy as np
import pytest

from explicate.reproductions import simulatability, simulatability_claims
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_readers_and_analysis(tmp_path, monkeypatch):
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("simulatability", context)
    bars = [claim["bar"] for claim in result["claims"]]
    assert [bar for bar in bars if bar] == [
        ">= 0.70", ">= 0.15", "within 0.06", ">= 0.88", ">= 0.65", "within 0.05 of 0.5",
        "within 0.05 of 0.5", ">= 0.81", ">= 0.79", "<= 12",
        "<= 0", "<= 0", ">= 0.90", "<= 0.08", "> 0",
    ]  # fmt: skip
    missing = [claim for claim in result["claims"] if claim["measured"] is None]
    assert [claim["bar"] for claim in missing] == [
        ">= 0.65",
        "within 0.05 of 0.5",
        "",
        "",
        ">= 0.81",
        ">= 0.79",
        "<= 12",
        "<= 0",
        "",
        "",
        "<= 0",
    ]
    counted = next(claim for claim in result["claims"] if "counts edits" in claim["metric"])
    assert counted["met"]
    texts = next(claim for claim in result["claims"] if "lexicon" in claim["claim"] and "LimeReader" in claim["metric"])
    assert texts["measured"] > texts["baseline"]
    assert {(claim["met"], claim["note"]) for claim in missing} == {(None, "measured at full scale only")}
    assert all("SIMULATED" in claim["note"] for claim in result["claims"][:4])
    monkeypatch.setattr(simulatability, "_planted", lambda unit: pytest.fail("done twice"))
    assert reproduce("simulatability", context)["claims"] == result["claims"]


def test_bars_are_judged_by_the_figures():
    reader = {"pre": 0.5, "post": 0.7, "dealt": 0.57}
    claims = simulatability_claims.readers([reader], [reader], [reader])
    assert [claim.met for claim in claims] == [True, True, False, False, True]
    one = {"accuracy": {"task": 0.82, "prototypes": 0.78, "as written": 0.7}, "seconds": 600.0, "broken": ["x"]}
    assert [claim.met for claim in simulatability_claims.kit([one])] == [True, False, True, False]
    beside = {"counted": 0.56, "trained": 0.8, "blind": 0.7, **reader}
    said = {
        "method": "lime",
        "post": 0.5,
        "pre": 0.5,
        "dealt": 0.5,
        "rule": 0.7,
        "items": 8,
        "readable": 0.25,
        "name": "x",
    }
    chats, adult = [said, {"method": "anchor", "missing": "no x"}], [{**beside, "counted": 0.51}]
    claims = simulatability_claims.others([beside], [beside], [beside], adult, chats)
    assert [claim.met for claim in claims if claim.bar] == [False, True]
    assert [claim.note for claim in claims if claim.measured is None] == ["no x"]
    assert any("a perceptron on Adult" in claim.claim for claim in claims)
    without = simulatability_claims.others([beside], [beside], [beside], [], chats)
    assert [claim.met for claim in without if claim.bar] == [False, None]
    assert "25%" in claims[-1].note
    texts = {"accuracy": {"task": 0.8, "prototypes": 0.79}, "broken": [], "seconds": 60.0, "texts": "t", "sentences": 9,
             "readers": {"lime": dict.fromkeys(("forward pre", "forward post", "counterfactual pre",
                                                "counterfactual post"), 0.5)}}  # fmt: skip
    claims = simulatability_claims.sentences([texts])
    assert [claim.met for claim in claims] == [None, None, True, None, None]
    planted = {"covered": [True] * 9 + [False], "found": [True] * 10}
    null = {"blocks": [[False] * 5] * 20, "pooled": [[True] + [False] * 4] * 20}
    covered, rare, more = simulatability_claims.analysis([planted], [null], 0.15)
    assert (covered.met, rare.met, more.met) == (True, True, True)
    assert (rare.measured, rare.baseline) == (0.0, pytest.approx(0.2))


def test_files_that_show_too_much_are_named():
    from explicate.evaluation.simulatability import Item, SimulationStudy
    from explicate.evaluation.simulatability.kit import sheets

    other = {"no": "yes", "yes": "no"}
    items = tuple(
        Item(f"{a}{b}{n}", "Age : old", a, b, "Age : old --> young", b if n else other[b], {"m": "-"})
        for a in ("no", "yes") for b in ("no", "yes") for n in (0, 1)
    )  # fmt: skip
    study = SimulationStudy(("no", "yes"), ("m",), counterfactual=items)
    files = sheets(study)
    assert simulatability.broken_invariants(study, files) == []
    columns, rows = files["counterfactual-pre"]
    files["counterfactual-pre"] = (*columns, "explanation"), rows[1:]
    found = simulatability.broken_invariants(study, files)
    assert found == ["counterfactual-pre: shows explanation", "counterfactual-pre: other ids than the master"]
    assert np.sum([item.flips for item in items]) == 4
