"""The reproduction runs at smoke scale, resumes, and judges its bars by what it measured."""

import pytest

from explicate.data.language.marked_tasks import inference_items
from explicate.data.language.nle_tasks import bare
from explicate.reproductions import faithfulness_vs_plausibility as module
from explicate.reproductions import faithfulness_vs_plausibility_claims as judged
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_finds_every_cell_in_its_quadrant(tmp_path, monkeypatch):
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("faithfulness-vs-plausibility", context)
    barred = [claim for claim in result["claims"] if claim["bar"]]
    assert [claim["bar"] for claim in barred] == [
        "= 1", "= 1", "= 1", ">= 0.75", "<= 0.35", ">= 0.75", "<= 0.35", *[">= 0.3"] * 7, "<= 1e-9", "= 0", "<= 0.1",
        "<= 0.05", ">= 0.4",
    ]  # fmt: skip
    assert all(claim["met"] for claim in barred if claim["bar"] != "<= 0.1"), barred
    assert {claim["baseline"] for claim in barred[:3]} == {0.5}  # the text alone cannot tell who is faithful
    assert result["claims"][-1]["note"] == "measured at full scale only"
    monkeypatch.setattr(module, "_square", lambda unit: pytest.fail("done twice"))
    assert reproduce("faithfulness-vs-plausibility", context)["claims"] == result["claims"]


def test_bars_are_judged_by_the_figures():
    def cell(rule, says, f, p, name):
        tests = [{"name": "erasure", "score": f}]
        axes = {"faithfulness": {"value": f, "tests": tests}, "plausibility": {"value": p}}
        return {"rule": rule, "says": says, "truth": name, "quadrant": name, **axes}

    cells = [
        cell("sentiment", "sentiment", 0.8, 0.8, "faithful and plausible"),
        cell("cue", "cue", 0.7, 0.2, "faithful, not plausible"),
        cell("cue", "sentiment", 0.6, 0.9, "plausible, not faithful"),
        cell("sentiment", "cue", None, 0.1, "neither"),
    ]
    one = {"form": "token-importance", "cells": cells}
    rows = judged.square([one])
    assert [(row.measured, row.met) for row in rows] == [
        (1.0, True), (0.7, False), (None, False), (0.8, True), (0.2, True),
    ]  # fmt: skip
    (alone,) = judged.alone([one])
    assert (alone.measured, alone.met) == (None, False)  # one pair is not measurable, so neither is the worst


def test_inference_items_mark_what_one_sentence_alone_holds():
    for item in inference_items(60):
        one, two = ({bare(word) for word in text.split()} for _, text in item.fields)
        marked = {bare(item.words[place]) for place in item.rationale}
        assert marked
        assert not marked & one & two
        assert marked <= one | two
        assert all(word in item.gold_explanation for word in marked)
