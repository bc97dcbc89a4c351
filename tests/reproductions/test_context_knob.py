"""The reproduction at its small scale: resumed, and its figures in the range that they must have."""

from pathlib import Path

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
    logs = _logs(tmp_path)
    assert logs
    again = reproduce("context-knob", context)
    assert again["claims"] == found["claims"]
    assert _logs(tmp_path) == logs  # every unit was taken over, none was measured again


def _logs(folder: Path) -> dict[Path, bytes]:
    """The units' logs of a run: a unit that is measured again adds its lines."""
    return {log: log.read_bytes() for log in folder.rglob("units.jsonl")}


def test_runs_of_layers_are_named_shortly():
    assert claims._named([3, 4, 5, 9]) == "3-5, 9"
    assert claims._contiguous([3, 4, 5])
    assert not claims._contiguous([3, 5])
