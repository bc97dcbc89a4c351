"""The reproduction runs at smoke scale, resumes, and judges its own bars by what it measured."""

import numpy as np
import pytest

pytest.importorskip("transformers")

from explicate.models import zoo
from explicate.reproductions import successor_heads
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_every_bar_of_the_page(tmp_path, monkeypatch, smollm2):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(zoo, "load", lambda name: smollm2)
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("successor-heads", context)
    judged = [claim for claim in result["claims"] if claim["met"] is not None]
    bars = ["= 1", "<= 0.05", ">= 0.95", "> 0.5", ">= 3", ">= 0.60", ">= 0.30", ">= 0.40", "<= 0.15", "< 0.3"]
    assert [claim["bar"] for claim in judged] == bars
    sides = {"<=": np.less_equal, ">=": np.greater_equal, "<": np.less, ">": np.greater, "=": np.equal}
    for claim in judged:
        sign, limit = claim["bar"].split()
        assert claim["met"] == sides[sign](claim["measured"], float(limit))
    assert [claim["met"] for claim in judged[:2]] == [True, True]  # what is planted is found at any scale
    assert judged[-1]["met"]  # and SmolLM2 has no successor head
    figures = {claim["claimed"] for claim in result["claims"]}
    assert {8.0, 1.0, 0.125, 0.585, 0.708, round(94 / 102, 3), 0.89, 0.53, 0.238, 0.189, 64} <= figures
    monkeypatch.setattr(successor_heads, "_planted", lambda unit: pytest.fail("done twice"))
    assert reproduce("successor-heads", context)["claims"] == result["claims"]


def test_numbered_lists_of_a_model(tmp_path, monkeypatch):
    """Each list is won by exactly one head, and the lists end in the label that is asked for."""
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path))
    monkeypatch.setitem(successor_heads.SIZES, "smoke", {**successor_heads.SIZES["smoke"], "steps": 2})
    trained = successor_heads._trained.__wrapped__("smoke", 1, successor_heads.LAST_DIGITS)
    texts = trained.decoder.encode(["4 pear . 5 lamp"])
    won = [
        successor_heads._lists_won(
            trained.decoder,
            trained.model,
            successor_heads.Site("head_out", layer, head),
            np.random.default_rng(0),
            texts,
        )["won"]
        for layer in range(3)
        for head in range(trained.model.head_count)
    ]
    assert sum(won) == successor_heads.LISTS
