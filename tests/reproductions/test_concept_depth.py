"""The reproduction runs at smoke scale, resumes, and judges its own bars by what it measured."""

import numpy as np
import pytest

from explicate.reproductions import concept_depth, concept_depth_claims
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_runs_every_part_and_resumes(tmp_path, monkeypatch, smollm2):
    monkeypatch.setattr(concept_depth, "_smollm2", lambda: smollm2)
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("concept-depth", context)
    judged = [claim for claim in result["claims"] if claim["met"] is not None]
    assert [claim["bar"] for claim in judged] == [
        "= 0", "= 0", "in [0.45, 0.55]", "one hop <= two hops <= parity, and a gap > 0", ">= 0.95", "<= 0.65",
        ">= 0.20", "> 0", ">= 0.90", "< 0", "<= 600",
    ]  # fmt: skip
    sides = {"<=": np.less_equal, ">=": np.greater_equal, "<": np.less, ">": np.greater, "=": np.equal}
    for claim in judged:
        sign, _, limit = claim["bar"].partition(" ")
        if sign in sides:
            assert claim["met"] == sides[sign](claim["measured"], float(limit))
    assert (tmp_path / "concept-depth-smoke.png").stat().st_size > 1000
    monkeypatch.setattr(concept_depth, "_model", lambda unit: pytest.fail("done twice"))
    assert reproduce("concept-depth", context)["claims"] == result["claims"]


def unit(task, curve, noise=False, bits=32, control=0.5):
    record = {"curves": [curve] * 3, "controls": [[control] * len(curve)] * 3, "words": 0.6, "chance": 0.5}
    return {"task": task, "noise": noise, "bits": bits, "seconds": 10.0, "rows": record}


def anchored(task):
    facts = {"accuracy": 0.5, "true_positive_rate": 1.0, "false_positive_rate": 1.0, "said_yes": 0.0, "answered": 0.5}
    return {"task": task, "seconds": 1.0, **facts}


def test_claims_of_a_worked_model():
    step = {"capitals": [0.5, 0.5, 0.5, 0.8], "sentiment": [0.5, 0.92, 0.92, 0.92], "coin-flips": [0.5, 0.5, 0.5, 0.55]}
    found = [unit(name, curve) for name, curve in step.items()]
    later = {**step, "sentiment": [0.5, 0.5, 0.92, 0.92]}
    found += [unit(name, curve, noise=True) for name, curve in later.items()]
    found += [unit(name, curve, bits=8) for name, curve in step.items()]
    found += [unit(name, [0.5 + 0.5 * (a - 0.5) for a in curve], bits=4) for name, curve in step.items()]
    literal = {"accuracy": 0.9, "jump": 0.5, "paper": 1.0, "seconds": 2.0}
    claims = concept_depth_claims.model_claims(found, [anchored(name) for name in step], literal)
    by_name = {claim.claim: claim for claim in claims}
    assert by_name["The model holds capitals"].measured == pytest.approx(0.3)
    assert by_name["Capitals converge deeper than sentiment"].measured == 2
    assert by_name["Sentiment is there by half depth"].measured == pytest.approx(0.92)
    assert by_name["Coin flips are the hardest"].measured == pytest.approx(-0.25)
    assert by_name["Noise pushes understanding deeper"].measured == pytest.approx(1 / 3)
    assert by_name["8-bit weights keep what is held"].measured == 0
    assert by_name["4-bit weights change more"].measured == pytest.approx((0.15 + 0.21 + 0.025) / 3)
    assert by_name["The run is short"].measured == pytest.approx(125)
    assert all(claim.met is not False for claim in claims)


def test_a_network_whose_order_is_wrong_or_whose_labels_are_not_held_misses_its_bars():
    def network(depths, peaks, bare):
        record = {"own_accuracy": 1.0, "steps": 500}
        for name, depth, peak in zip(("one-hop", "two-hop", "parity"), depths, peaks, strict=True):
            record[f"trained {name}"] = {"converge": depth / 6, "accuracy": peak, "curve": [0.5, peak]}
            record[f"untrained {name}"] = {"converge": 1, "accuracy": bare, "curve": [0.5, bare]}
        return record

    def met(*networks):
        return [claim.met for claim in concept_depth_claims.network_claims(list(networks), 6)]

    assert met(network((1, 2, 4), (1.0, 0.99, 0.97), 0.55)) == [True, True, True]
    assert met(network((2, 2, 2), (1.0, 0.99, 0.94), 0.7)) == [False, False, False]
    assert met(network((1, 3, 2), (1.0, 0.99, 0.97), 0.6)) == [False, True, True]


def test_a_bank_that_is_a_layer_off_or_whose_control_is_read_misses_its_bars():
    def bank(jump, converge, control):
        return {"start": 3, "jump": jump, "converge": converge, "paper": 1.0, "control": control}

    def met(*banks):
        return [claim.met for claim in concept_depth_claims.bank_claims(list(banks), 24)]

    assert met(bank(3 / 24, 3 / 24, [0.47, 0.53])) == [True, True, True]
    assert met(bank(None, 4 / 24, [0.44, 0.53])) == [False, False, False]
    assert met(bank(3 / 24, 3 / 24, [0.47, 0.53]), bank(4 / 24, 3 / 24, [0.47, 0.53])) == [False, True, True]
