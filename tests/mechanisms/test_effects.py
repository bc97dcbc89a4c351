"""Metrics of effect against their definitions, from all logits."""

import numpy as np
import pytest

from explicate.core.interventions import Ablate, Scale
from explicate.core.targets import Contrast
from explicate.errors import InputError, TargetError
from explicate.mechanisms import effects_of, logits_of

VARIANTS = [Ablate("L1.mlp_out"), Scale("L2.z.H1@-1", 3.0), Ablate("L0.attn_out@2")]
TARGET, OTHER = 11, 40


def log_softmax(logits):
    return (
        logits
        - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True))
        - logits.max(-1, keepdims=True)
    )


def definition(metric, before, after, target):
    spread = {"logit": after, "logit-difference": after, "log-probability": log_softmax(after)}.get(metric)
    spread = np.exp(log_softmax(after)) if metric == "probability" else spread
    if metric == "kl":
        old, new = log_softmax(before), log_softmax(after)
        return (np.exp(old) * (old - new)).sum(-1)
    if metric == "rank":
        return (after > after[..., [TARGET]]).sum(-1)
    return spread[..., TARGET] - spread[..., OTHER] if isinstance(target, Contrast) else spread[..., TARGET]


@pytest.mark.parametrize("target", [TARGET, Contrast(TARGET, OTHER)], ids=["token", "contrast"])
@pytest.mark.parametrize("metric", ["logit", "logit-difference", "log-probability", "probability", "kl", "rank"])
def test_metrics_are_what_they_are_called(causal, pair, metric, target):
    ids = np.concatenate(pair(causal))
    if metric == "logit-difference" and target == TARGET:
        with pytest.raises(TargetError, match="two tokens"):
            effects_of(causal, ids, VARIANTS, target=target, metric=metric)
        return
    found = effects_of(causal, ids, VARIANTS, target=target, metric=metric)
    after, before = logits_of(causal, ids, VARIANTS), causal.predict(ids).astype(float)
    base = definition(metric, before, before, target)
    np.testing.assert_allclose(found["base_score"], base, atol=1e-5)
    expected = definition(metric, before[None], after, target) - base
    np.testing.assert_allclose(found["effect"], expected, atol=1e-4 if metric != "rank" else 1.0)
    assert np.abs(expected).max() > 1e-3


def test_defaults_are_the_likeliest_token_and_the_metric_that_suits(llama, pair):
    ids = np.concatenate(pair(llama))
    found = effects_of(llama, ids, VARIANTS)
    np.testing.assert_array_equal(found["target"], llama.predict(ids).argmax(axis=1))
    assert found.data.attrs["metric"] == "logit"
    assert effects_of(llama, ids, VARIANTS, target=Contrast(3, 4)).data.attrs["metric"] == "logit-difference"
    each = effects_of(llama, ids, VARIANTS, target=[TARGET, OTHER])
    single = effects_of(llama, ids[1:], VARIANTS, target=OTHER)
    np.testing.assert_allclose(each["effect"][:, 1], single["effect"][:, 0], atol=2e-5)


def test_unknown_metrics_and_no_interventions_are_refused(llama, pair):
    ids, _ = pair(llama)
    with pytest.raises(InputError, match="metric 'logit-diff' is unknown; use one of logit"):
        effects_of(llama, ids, VARIANTS, metric="logit-diff")
    with pytest.raises(InputError, match="no interventions"):
        effects_of(llama, ids, [])
