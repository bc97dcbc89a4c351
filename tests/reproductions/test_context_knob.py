"""The reproduction at its small scale: resumed, and its figures in the range that they must have."""

import pytest

pytest.importorskip("peft")

from explicate.reproductions import context_knob_claims as claims
from explicate.reproductions.claims import Context, reproduce


def test_the_small_scale(smollm2, tmp_path):
    context = Context("smoke", (0,), tmp_path)
    found = reproduce("context-knob", context)
    by_name = {claim["claim"]: claim for claim in found["claims"]}
    assert by_name["Before that it ignores the intent"]["met"]
    layers = [claim for name, claim in by_name.items() if name.startswith("Layer search")]
    assert len(layers) == 4
    for claim in layers:
        assert claim["measured"] > claim["baseline"]
    assert by_name["The coordinate tells the intents apart"]["measured"] >= 0.9
    untuned = next(claim for name, claim in by_name.items() if name.startswith("For information: SmolLM2 as it is"))
    assert untuned["measured"] <= 0.2
    again = reproduce("context-knob", context)
    assert again["claims"] == found["claims"]
    assert again["seconds"] < found["seconds"]


def test_runs_of_layers_are_named_shortly():
    assert claims._named([3, 4, 5, 9]) == "3-5, 9"
    assert claims._contiguous([3, 4, 5])
    assert not claims._contiguous([3, 5])
