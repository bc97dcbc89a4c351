"""Direct effects on the loss, which head wins where, and what a case is called."""

import numpy as np
import pytest
import torch

import explicate as ex
from explicate.errors import CapabilityError, InputError
from explicate.mechanisms.succession import (
    affine_lens,
    case_of,
    direct_losses,
    lens_successors,
    winning_cases,
    winning_heads,
)
from explicate.models.language.sites import head_weights


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_direct_losses_by_hand(small, architecture):
    model = small(architecture)
    texts = model.encode(["When John and Mary went to the store", "Anna and Tom gave a ball to the dog"])
    found = direct_losses(model, texts)
    assert len(found) == (texts >= 0).sum() - 2
    ends = model.capture(texts, ["L2.resid_post"])["L2.resid_post"]
    norm, unembedding = model.module.model.norm, model.module.lm_head
    for layer, head in ((0, 1), (2, 3)):
        mixed = model.capture(texts, [f"L{layer}.z"])[f"L{layer}.z"][:, head]
        rows = list(zip(found["text"].values, found["position"].values, strict=True))
        mean = np.mean([mixed[row] for row in rows], axis=0)
        output = head_weights(model.blocks[layer].self_attn.o_proj.weight, 4)[head].detach().numpy()
        for sample in (0, 3, len(rows) - 1):
            text, position = rows[sample]
            state = ends[text, position]
            changed = state - (mixed[text, position] - mean) @ output.T
            losses = []
            for each in (state, changed):
                logits = unembedding(norm(torch.tensor(each, dtype=torch.float32))).log_softmax(-1)
                losses.append(-logits[texts[text, position + 1]].item())
            assert found["base_score"].values[sample] == pytest.approx(losses[0], abs=1e-4)
            effect = found["effect"].values[sample, layer, head]
            assert effect == pytest.approx(losses[1] - losses[0], abs=1e-4)


def test_positions_and_reference(llama):
    texts = llama.encode("When John and Mary went to the store")
    whole = direct_losses(llama, texts)
    some = direct_losses(llama, texts, positions=(-3, 1), reference=texts[:, :-1])
    assert some["position"].values.tolist() == [texts.shape[1] - 3, 1]
    for row, position in enumerate(some["position"].values):
        np.testing.assert_allclose(some.values[row], whole.values[position], atol=1e-5)
    layers, heads = winning_heads(whole)
    assert whole.values[np.arange(len(whole)), layers, heads].min() == whole.values.max(axis=(1, 2)).min()
    with pytest.raises(InputError, match="no prefix"):
        direct_losses(llama, texts, positions=(-1,))


def test_a_norm_behind_the_heads_is_refused(gemma):
    with pytest.raises(CapabilityError, match="none has a contribution"):
        direct_losses(gemma, "When John and Mary")


@pytest.mark.parametrize(
    ("output", "attended", "case"),
    [
        (" Tuesday", ["Monday"], "successorship"),
        ("january", ["December"], "successorship"),
        (" 13", ["pear", "12"], "successorship"),
        (" 14", ["12"], "greater-than"),
        (" friday", ["tuesday"], "greater-than"),
        (" tuesday", ["friday"], "other"),
        (" Mary", ["mary"], "copying"),
        ("NATO", ["north"], "acronym"),
        (" C", ["Central", "Intelligence"], "acronym"),
        (" b", ["a"], "successorship"),
        (" IV", ["III"], "successorship"),
        (" 7", ["pear"], "other"),
        ("  ", ["a"], "other"),
        (" May", ["Mary"], "acronym"),
        ("x", [], "other"),
    ],
)
def test_cases(output, attended, case):
    assert case_of(output, attended) == case


def test_words_are_put_together_of_their_tokens(smollm2, planted):
    from explicate.mechanisms.succession.cases import _glued, _word

    ids = smollm2.encode("On Monday, Wyclefson had 12 pears")[0]
    glued = _glued(smollm2, ids)
    words = [_word(smollm2, ids, glued, place) for place in range(len(ids))]
    assert [word for word in dict.fromkeys(words) if word] == ["On", "Monday", ",", "Wyclefson", "had", "12", "pears"]
    ids = planted.model.encode("monday 12 7")[0]
    glued = _glued(planted.model, ids)
    assert [_word(planted.model, ids, glued, place) for place in range(3)] == ["monday", "12", "7"]


def test_winning_cases_of_a_head_that_copies(small):
    """All prefixes won are sorted once, and the control puts other outputs to the same words."""
    model = small("llama")
    texts = model.encode(["When John and Mary went to the store, John gave a drink to Mary."] * 2)
    effects = direct_losses(model, texts)
    layers, heads = winning_heads(effects)
    counts = np.zeros((3, 4), dtype=int)
    np.add.at(counts, (layers, heads), 1)
    layer, head = np.unravel_index(counts.argmax(), counts.shape)
    cases = winning_cases(model, texts, effects, f"L{layer}.head_out.H{head}")
    assert len(cases.samples) == counts.max()
    assert len(cases.labels) == len(cases.outputs) == len(cases.attended) == counts.max()
    assert sum(cases.shares.values()) == pytest.approx(1)
    assert sum(cases.shuffled.values()) == pytest.approx(1)
    pattern = model.capture(texts[:1], [f"L{layer}.pattern.H{head}"])[f"L{layer}.pattern.H{head}"][0]
    first = int(cases.samples[0])
    own = pattern[effects["position"].values[first]].copy()
    own[0] = 0 if effects["position"].values[first] else own[0]
    best = model.token_text(int(texts[0, own.argmax()])).strip()
    if own.max() >= 0.1:
        assert best in cases.attended[0][0]
    with pytest.raises(InputError, match="no head"):
        winning_cases(model, texts, effects, ex.Site("attn_out", 1))


def test_the_lens_is_the_identity_where_nothing_follows(llama, head):
    texts = llama.encode("When John and Mary went to the store, John gave a drink to Mary.")
    exact = affine_lens(llama, texts, "L2.resid_post", penalty=1e-9)
    states = llama.capture(texts, ["L2.resid_post"])["L2.resid_post"][0]
    np.testing.assert_allclose(exact(states), states, atol=1e-2)
    assert exact.explained > 0.999
    planted = affine_lens(head.model, head.data.ids[:, None], penalty=1e-6)
    without = lens_successors(planted, head)
    assert without["vocabulary"] < 0.05
    assert without["task"] < 0.2
    assert without["itself"] > 0.5


def test_on_smollm2(smollm2):
    text = "1. one\n2. two\n3. three\n4"
    found = direct_losses(smollm2, text, positions=(-2,), reference="The dog ran away. One day, two cats came.")
    token = smollm2.token_text(int(found["target"].values[0]))
    assert token == "4"
    loss = -float(torch.log_softmax(torch.tensor(smollm2.logits(text)[-2]), -1)[found["target"].values[0]])
    assert found["base_score"].values[0] == pytest.approx(loss, abs=1e-3)
    assert np.isfinite(found.values).all()
    assert found.values.max() > 0
