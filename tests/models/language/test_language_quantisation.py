"""Rounded weights: on their grid, per row, and bit by bit as before afterwards."""

import numpy as np
import pytest
import torch

from explicate.errors import InputError
from explicate.models.language.quantisation import fake_quant


def weights(model):
    return {name: weight.detach().clone() for name, weight in model.module.named_parameters()}


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("per", ["channel", "tensor"])
def test_each_linear_weight_is_on_its_grid_and_the_largest_stays(llama, bits, per):
    before = weights(llama)
    most = 2 ** (bits - 1) - 1
    with llama.intervene(fake_quant(llama, bits, per)):
        for name, weight in llama.module.named_parameters():
            if weight.ndim < 2 or "embed" in name or "lm_head" in name:
                torch.testing.assert_close(weight, before[name], rtol=0, atol=0)
                continue
            largest = before[name].abs().amax(dim=-1, keepdim=True) if per == "channel" else before[name].abs().amax()
            steps = weight / (largest / most)
            torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-3)
            assert len(steps.round().unique()) <= 2 * most + 1
            assert (weight - before[name]).abs().max() <= 0.5001 * (largest / most).max()
            torch.testing.assert_close(weight.abs().amax(), before[name].abs().amax())
    after = weights(llama)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_sixteen_bits_are_bfloat16_and_thirty_two_are_nothing(llama):
    before = weights(llama)
    with llama.intervene(fake_quant(llama, 16)):
        for name, weight in llama.module.named_parameters():
            assert torch.equal(weight, before[name].bfloat16().float())
    assert fake_quant(llama, 32).parts == ()


def test_fewer_bits_move_the_logits_more(smollm2):
    ids = smollm2.encode("The capital of France is")
    plain = smollm2.predict(ids)
    moved = []
    for bits in (16, 8, 4):
        with smollm2.intervene(fake_quant(smollm2, bits)):
            moved.append(float(np.abs(smollm2.predict(ids) - plain).mean()))
    assert moved == sorted(moved)
    assert moved[0] > 0
    np.testing.assert_array_equal(smollm2.predict(ids), plain)


def test_the_fingerprint_tells_rounded_weights_from_others(llama):
    plain = llama.fingerprint()
    seen = {plain}
    for bits in (4, 8):
        with llama.intervene(fake_quant(llama, bits)):
            seen.add(llama.fingerprint())
    assert len(seen) == 3
    assert llama.fingerprint() == plain


def test_bad_requests_are_named(llama):
    with pytest.raises(InputError, match="bits is 3; use one of 4, 8, 16, 32"):
        fake_quant(llama, 3)
    with pytest.raises(InputError, match="per 'block' is unknown"):
        fake_quant(llama, 8, "block")
