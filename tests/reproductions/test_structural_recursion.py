"""The reproduction runs at smoke scale, resumes, and judges its own bars by what it measured."""

import pytest

from explicate.reproductions import structural_recursion
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch):
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("structural-recursion", context)
    bars = [claim["bar"] for claim in result["claims"] if claim["bar"]]
    assert bars == [">= 0.99", "<= 0.01", ">= 0.98", ">= 0.4", ">= 0.3", ">= 0.3", ">= 0", ">= 0.85", ">= 0.7",
                    ">= 0.85", "> 0", ">= 0.3", ">= 1"]  # fmt: skip
    by_claim = {claim["claim"]: claim for claim in result["claims"]}
    assert by_claim["copying the input is no successor"]["measured"] == 0
    assert by_claim["scripted errors in reductions are labelled right"]["measured"] == 1
    # preorder is copying: its floor is right on every tree, inorder's is not
    assert by_claim["preorder, which is copying, is no harder"]["baseline"] > 0
    # the arms have no bar: perturbation maps, three learning rates, decoders, one to three steps, a chat model
    arms = [claim["claim"] for claim in result["claims"] if claim["met"] is None]
    for start, count in (("trained on", 2), ("learning rate 0.00", 3), ("a decoder of the same size", 1),
                         ("1 steps of inorder's reduction", 1), ("SmolLM2-135M-Instruct infers", 1)):  # fmt: skip
        assert sum(claim.startswith(start) for claim in arms) == count
    for claim in result["claims"]:
        if claim["bar"].startswith(">=") and claim["measured"] is not None:
            assert claim["met"] == (claim["measured"] >= float(claim["bar"].split()[1]))
    monkeypatch.setattr(structural_recursion, "_tree", lambda unit, sizes: pytest.fail("done twice"))
    assert reproduce("structural-recursion", context)["claims"] == result["claims"]
