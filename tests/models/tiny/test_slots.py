"""Slot memories against what their equations imply."""

from __future__ import annotations

import pytest
import torch

from explicate.errors import InputError
from explicate.models.tiny.slots import ImplicitSlotAttention, QuerySlotAttention, SlotAttention

LEARNED = [ImplicitSlotAttention, QuerySlotAttention]


@pytest.mark.parametrize("memory", [SlotAttention, *LEARNED])
def test_slots_are_alike_in_any_batch_and_in_any_order_of_tokens(memory: type) -> None:
    torch.manual_seed(0)
    slots = memory(4, 8).eval()
    tokens = torch.randn(5, 6, 8)
    together = slots(tokens)
    assert together.shape == (5, 4, 8)
    torch.testing.assert_close(slots(tokens), together, rtol=0, atol=0)
    torch.testing.assert_close(slots(tokens[:1]), together[:1])
    torch.testing.assert_close(slots(tokens[:, torch.randperm(6)]), together)


@pytest.mark.parametrize("memory", LEARNED)
def test_permuted_beginnings_give_permuted_slots(memory: type) -> None:
    torch.manual_seed(1)
    slots = memory(4, 8).eval()
    tokens, order = torch.randn(3, 6, 8), torch.tensor([2, 0, 3, 1])
    before = slots(tokens)
    slots.initial.data = slots.initial.data[order]
    torch.testing.assert_close(slots(tokens), before[:, order])


def test_one_token_gives_every_slot_the_same_update() -> None:
    """With one input, the mean over inputs is its value, whatever the share: no competition is left."""
    torch.manual_seed(2)
    slots = ImplicitSlotAttention(3, 8).eval()
    token = torch.randn(2, 1, 8)
    key, value = slots.read(token)
    begun = slots.begin(2)
    expected = slots.cell(value.expand(-1, 3, -1).flatten(0, 1), begun.flatten(0, 1)).view(2, 3, 8)
    torch.testing.assert_close(slots.step(begun, key, value), expected)


def test_gradients_reach_the_beginning_straight_through_and_not_through_the_implicit_step() -> None:
    tokens = torch.randn(2, 6, 8)
    straight, implicit = QuerySlotAttention(3, 8), ImplicitSlotAttention(3, 8)
    straight(tokens).sum().backward()
    implicit(tokens).sum().backward()
    assert straight.initial.grad is not None
    assert straight.initial.grad.abs().sum() > 0
    assert implicit.initial.grad is None
    assert implicit.key.weight.grad is not None


def test_tokens_of_another_width_are_refused() -> None:
    with pytest.raises(InputError, match="width 8"):
        SlotAttention(3, 8)(torch.zeros(2, 6, 7))
