"""Heads patched at each prompt's own position, against one `intervene` a prompt."""

import numpy as np
import pytest
import torch

from explicate.core.interventions import Patch
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.head_patching import HeadPatch, head_outputs, patched_answers

COLUMNS = np.array([2, 7, 4, 0])


def prompts(tokens=8):
    return np.random.default_rng(0).integers(5, 200, (4, tokens))


def test_outputs_are_read_where_asked(causal):
    found = head_outputs(causal, prompts(), COLUMNS)
    for row, column in enumerate(COLUMNS):
        for layer in range(3):
            seen = causal.capture(prompts()[row : row + 1], [Site("z", layer)])[Site("z", layer)]
            np.testing.assert_allclose(found[row, layer].numpy(), seen[0, :, column], atol=1e-5)


def test_every_prompt_gets_its_own_patch(causal):
    ids = prompts()
    values = 3 * torch.randn(4, 2, causal.config.head_dim, generator=torch.Generator().manual_seed(0))
    patches = [HeadPatch(0, 1, COLUMNS, values[:, 0]), HeadPatch(2, 3, np.full(4, 7), values[:, 1])]
    found = patched_answers(causal, ids, [patches, patches[:1], []])
    for row in range(4):
        one = ids[row : row + 1]
        parts = [Patch(Site("z", p.layer, p.head, (int(p.columns[row]),)), p.values[row]) for p in patches]
        for number, kept in enumerate((parts, parts[:1], [])):
            with causal.intervene(*kept):
                assert found[number, row] == causal.predict(one)[0].argmax()
    assert (found[0] != found[2]).any()


def test_the_model_s_own_blocks_give_the_same(llama, monkeypatch):
    values = 3 * torch.randn(4, llama.config.head_dim, generator=torch.Generator().manual_seed(0))
    variants = [[HeadPatch(1, 1, COLUMNS, values)], []]
    fast = patched_answers(llama, prompts(), variants)
    monkeypatch.setattr("explicate.mechanisms.fused.SHAPES", ())
    np.testing.assert_array_equal(patched_answers(llama, prompts(), variants), fast)


def test_what_does_not_fit_is_refused(llama):
    values = torch.zeros(4, llama.config.head_dim)
    with pytest.raises(InputError, match="prompt 1 has no column 9"):
        patched_answers(llama, prompts(), [[HeadPatch(0, 0, np.array([0, 9, 0, 0]), values)]])
    with pytest.raises(InputError, match="3 values for 4 prompts"):
        patched_answers(llama, prompts(), [[HeadPatch(0, 0, COLUMNS, values[:3])]])
    with llama.intervene(Patch("L0.z.H0@-1", np.zeros(8))), pytest.raises(InputError, match="leave them first"):
        patched_answers(llama, prompts(), [[HeadPatch(0, 0, COLUMNS, values)]])
