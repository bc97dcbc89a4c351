"""Low-rank adapters: only they are trained, and merged they are a plain model that says the same."""

import numpy as np
import torch

from explicate.models.tiny.adapters import LowRankAdapters, merged
from explicate.models.tiny.binding_corpora import VOCABULARY, Assignments, BoxesText
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.language import DecoderRecipe, train_decoder

DECODER = Decoder(VOCABULARY, layers=2, width=32, heads=4, mlp_width=32)


def test_adapters_are_trained_alone_and_merge_into_a_plain_model():
    start = DECODER.handle(DECODER.build(0))
    recipe = DecoderRecipe(steps=6, batch=8, learning_rate=1e-2, warmup=0)
    trained = train_decoder(DECODER, Assignments(), recipe, start=start, adapt=LowRankAdapters(rank=4), cache=False)
    ids = BoxesText(3, 3).batch(np.random.default_rng(0), 2).ids
    adapted = trained.model.module(input_ids=torch.as_tensor(ids)).logits.detach()
    whole = merged(trained)
    assert type(whole.module) is type(start.module)
    np.testing.assert_allclose(whole.module(input_ids=torch.as_tensor(ids)).logits.detach(), adapted, atol=1e-4)
    before = dict(start.module.named_parameters())
    for name, weight in whole.module.named_parameters():
        change = (weight - before[name]).detach()
        projection = any(part in name for part in ("q_proj", "k_proj", "v_proj", "o_proj"))
        assert (change.abs().max() > 0) == projection
        if projection:
            assert torch.linalg.matrix_rank(change, atol=1e-5) <= 4
