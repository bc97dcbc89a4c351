"""The head's invariants: contributions add up, rows sum to 1, permutations leave logits, CT is the static memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from explicate.errors import InputError
from explicate.models.tiny.concept_head import (
    ConceptHead,
    explanation_loss,
    sparsity_loss,
)

COUNTS: Any = {"global_concepts": 4, "spatial_concepts": 5}


def head(**options: Any) -> ConceptHead:
    torch.manual_seed(0)
    return ConceptHead(8, 3, **{**COUNTS, "unsupervised_concepts": 6, **options}).eval()


def check_sums(model: ConceptHead, tokens: torch.Tensor, **options: Any) -> None:
    reading = model(tokens, **options)
    added = reading.biases + sum(part.sum(dim=1) for part in reading.contributions.values())
    torch.testing.assert_close(added, reading.logits, rtol=1e-5, atol=1e-5)
    for rows in reading.attention.values():
        torch.testing.assert_close(rows.sum(dim=-1), torch.ones(rows.shape[:-1]))


@pytest.mark.parametrize("memory", ["sa", "isa", "bo_qsa", "static"])
@pytest.mark.parametrize("slot_input", ["tokens", "cls"])
@pytest.mark.parametrize("cases", [1, 7])
def test_contributions_add_up_also_under_interventions(memory: str, slot_input: str, cases: int) -> None:
    model, tokens = head(memory=memory, slot_input=slot_input), torch.randn(cases, 6, 8)
    check_sums(model, tokens)
    check_sums(model, tokens, masked={"global": [1], "spatial": [0, 2]})
    check_sums(model, tokens, attention={"global": torch.rand(cases, 1, 4)})


@pytest.mark.parametrize("memory", ["isa", "bo_qsa"])
def test_permuting_slots_with_their_order_embeddings_leaves_the_logits(memory: str) -> None:
    model, tokens = head(memory=memory), torch.randn(3, 6, 8)
    stream: Any = model.streams["global"]
    torch.nn.init.normal_(stream.order)
    before, order = model(tokens), torch.tensor([3, 1, 0, 2])
    stream.order.data = stream.order.data[:, order]
    stream.slots.initial.data = stream.slots.initial.data[order]
    after = model(tokens)
    torch.testing.assert_close(after.logits, before.logits)
    torch.testing.assert_close(after.attention["global"], before.attention["global"][..., order])


def test_a_masked_concept_gives_nothing() -> None:
    reading = head()(torch.randn(3, 6, 8), masked={"global": [2]})
    assert not reading.attention["global"][..., 2].any()
    assert not reading.contributions["global"][:, 2].any()


def test_the_explanation_loss_by_hand() -> None:
    rows = torch.tensor([[[0.5, 0.5]], [[0.2, 0.8]], [[1.0, 0.0]]], requires_grad=True)
    target = torch.tensor([[2.0, 0.0], [0.0, 0.0], [float("nan"), 1.0]])
    loss = explanation_loss({"global": rows}, {"global": target})
    assert loss.item() == pytest.approx(2 * 0.25)
    unknown = explanation_loss({"global": rows}, {"global": torch.full((3, 2), float("nan"))})
    unknown.backward()
    assert unknown.item() == 0
    assert not rows.grad.any()
    even = torch.tensor([[[0.5, 0.5]]])
    assert sparsity_loss({"global": even}).item() == pytest.approx(0.5 * 0.693147, abs=1e-5)


def test_bad_input_is_refused() -> None:
    model, tokens = head(), torch.randn(2, 6, 8)
    rows = model(tokens).attention
    for options in ({"heads": 3}, {"memory": "other"}):
        with pytest.raises(InputError):
            head(**options)
    with pytest.raises(InputError, match="at least one stream"):
        ConceptHead(8, 3)
    for bad in (torch.zeros(2, 1, 4), -torch.ones(2, 1, 4), torch.ones(2, 1, 5)):
        with pytest.raises(InputError, match="attention rows"):
            model(tokens, attention={"global": bad})
    with pytest.raises(InputError, match=r"\(2, 1, 7\).*\(2, 1, 4\)"):
        explanation_loss(rows, {"global": torch.ones(2, 7)})
    with pytest.raises(InputError, match=r"\(2, 9, 5\).*\(2, 6, 5\)"):
        explanation_loss(rows, {"spatial": torch.ones(2, 9, 5)})
    with pytest.raises(InputError, match="negative"):
        explanation_loss(rows, {"global": -torch.ones(2, 4)})


def test_contributions_add_up_on_the_states_of_smollm2(smollm2: Any) -> None:
    site = "L4.resid_post"
    states = torch.as_tensor(smollm2.capture("The capital of Italy is Rome", [site])[site], dtype=torch.float32)
    torch.manual_seed(0)
    model = ConceptHead(states.shape[-1], 3, heads=4, memory="sa", **COUNTS).eval()
    check_sums(model, states)
    check_sums(model, states, masked={"spatial": [3]})
