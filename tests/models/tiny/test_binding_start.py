"""First weights of binding: the heads look where they are meant to, and nothing of it depends on the words."""

import numpy as np
import pytest

from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.models.tiny.binding_corpora import VOCABULARY, BoxesText
from explicate.models.tiny.binding_start import BindingStart
from explicate.models.tiny.decoder import Decoder

DECODER = Decoder(VOCABULARY, layers=3, width=128, heads=4, mlp_width=16, tied=True)


def model(seed=0, **options):
    return DECODER.handle(BindingStart(seed, **options)(DECODER.build(seed)))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_first_layer_s_heads_look_one_two_three_and_four_tokens_back(seed):
    ids = BoxesText(5, 5).batch(np.random.default_rng(seed), 4).ids
    pattern = model(seed).capture(ids, [Site("pattern", 0)])[Site("pattern", 0)]
    for head in range(4):
        back = np.diagonal(pattern[:, head], -(head + 1), axis1=1, axis2=2)[:, 8:]
        assert back.mean() > 0.8


def test_a_later_head_looks_more_at_the_word_that_stood_two_back():
    """Head 2.0 asks for the word two back of the last token, and so looks at where it stood before."""
    ids = np.argsort(np.random.default_rng(0).random((300, 100)), axis=1)[:, :20]
    ids[:, 17] = ids[:, 10]
    pattern = model().capture(ids, [Site("pattern", 2, 0)])[Site("pattern", 2, 0)][:, 19].mean(axis=0)
    others = np.delete(pattern[:17], 10)
    assert pattern[10] > max(others.max(), 1.5 * others.mean())


def test_decoders_that_do_not_fit_are_refused():
    shared = Decoder(VOCABULARY, layers=2, width=64, heads=4, key_value_heads=2)
    with pytest.raises(InputError, match="4 heads and 2 keys and values"):
        BindingStart()(shared.build())
    with pytest.raises(InputError, match="at least 5 heads"):
        BindingStart(back=5)(DECODER.build())
