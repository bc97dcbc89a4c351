"""Who passes, who fails and who cannot be told apart is planted in the measured values."""

import numpy as np
import pytest

from explicate.evaluation.beliefs import CAVEAT, beliefs, listed
from explicate.evaluation.comparison_table import Comparison, Row
from explicate.evaluation.measurement import Measurement

SAMPLES = 40
NOISE = np.random.Generator(np.random.PCG64(0)).normal(size=SAMPLES)
RANDOM = 0.5 + 0.01 * NOISE


def measurement(metric: str, values: np.ndarray) -> Measurement:
    return Measurement(
        metric=metric,
        values=values,
        weights=np.ones(len(values)),
        interval=None,
        higher_is_better=metric == "insertion",
        evaluations=0,
        gradients=0,
        seconds=0.0,
    )


def comparison(values: dict[str, tuple[np.ndarray, np.ndarray]], verdicts: dict[str, str] | None = None) -> Comparison:
    """Deletion and insertion per method; verdicts of the randomisation check."""
    measurements = {
        (method, metric): measurement(metric, own)
        for method, pair in values.items()
        for metric, own in zip(("deletion", "insertion"), pair, strict=True)
    }
    blank = dict.fromkeys(Row.__dataclass_fields__)
    rows = [
        Row(**{**blank, "method": method, "metric": "randomisation", "verdict": (verdicts or {}).get(method)})
        for method in values
    ]
    return Comparison("m", SAMPLES, 0, None, tuple(rows), measurements)


def test_a_method_that_is_better_on_every_sample_is_clear():
    found = beliefs(comparison({"good": (RANDOM - 0.2, RANDOM + 0.3), "random": (RANDOM, RANDOM)}))
    assert found.failed == ()
    assert found.lines[0].startswith("Clearly better than the random control, sample by sample: good (deletion by 0.2")
    assert "insertion by 0.3" in found.lines[0]
    assert found.lines[-1] == CAVEAT


def test_a_method_that_is_worse_by_one_metric_fails_though_better_by_the_other():
    found = beliefs(comparison({"half": (RANDOM + 0.2, RANDOM + 0.3), "random": (RANDOM, RANDOM)}))
    assert found.failed == ("half",)
    assert "its deletion of 0.699 is clearly worse than the random control's 0.499" in found.lines[0]
    assert "its insertion of 0.799 is better" in found.lines[0]


def test_no_better_by_any_metric_is_a_failure_and_noise_is_not_clear():
    jitter = 5 * np.abs(NOISE) * np.where(np.arange(SAMPLES) % 2, 1, -1)
    values = {
        "same": (RANDOM, RANDOM),
        "noisy": (RANDOM + jitter - jitter.mean() - 0.01, RANDOM + jitter - jitter.mean() - 0.01),
        "random": (RANDOM, RANDOM),
    }
    found = beliefs(comparison(values))
    assert found.failed == ("same",)
    assert found.lines[0] == "Better than the random control, but not clearly on so few samples: noisy (in deletion)."


def test_a_single_sample_decides_nothing_clearly():
    one = np.array([0.5])
    found = beliefs(comparison({"better": (one - 0.2, one), "random": (one, one)}))
    assert found.failed == ()
    assert found.lines[0].startswith("Better than the random control, but not clearly")


def test_who_draws_the_same_for_a_random_model_fails():
    values = {"edges": (RANDOM - 0.2, RANDOM + 0.3), "random": (RANDOM, RANDOM)}
    found = beliefs(comparison(values, {"edges": "fail", "random": "fail"}))
    assert found.failed == ("edges",)
    assert any("a model with random weights" in line for line in found.lines)


def test_metrics_that_were_not_measured_are_passed_over():
    found = beliefs(comparison({"good": (RANDOM - 0.2, RANDOM), "random": (RANDOM, RANDOM)}), decisive=("infidelity",))
    assert found.lines == (CAVEAT,)


@pytest.mark.parametrize(("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_names_in_a_sentence(names, text):
    assert listed(names) == text
