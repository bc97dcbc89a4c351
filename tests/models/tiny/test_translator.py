"""Encoder-decoders and separated decoders: what they learn, how they are cut, and what is refused."""

from itertools import product

import numpy as np
import pytest

from explicate.errors import InputError, WindowError
from explicate.models.tiny.decoder import Decoder
from explicate.models.tiny.descent import DecoderRecipe
from explicate.models.tiny.separated_decoder import SeparatedDecoder
from explicate.models.tiny.translator import CUT, Head, Pairs, Translator, TranslatorShape

INPUTS = tuple(words for length in (1, 2, 3) for words in product("ab", repeat=length))
TURNED = Pairs(INPUTS, tuple(words[::-1] for words in INPUTS))
SHAPE = TranslatorShape(("a", "b"), sources=4, targets=4, layers=1, width=32, heads=2, inner=64)
RECIPE = DecoderRecipe(steps=250, batch=32, learning_rate=5e-3, warmup=20)


@pytest.fixture(scope="module")
def translator():
    return Translator.train(SHAPE, TURNED, RECIPE, cache=False)


@pytest.fixture(scope="module")
def separated():
    decoder = Decoder(("a", "b"), context=10, layers=2, width=32, heads=2)
    return SeparatedDecoder.train(decoder, TURNED, RECIPE, cache=False)


def test_words_are_turned_round(translator, separated):
    for model in (translator, separated):
        assert model.answers(INPUTS) == [*TURNED.outputs]


def test_an_answer_does_not_depend_on_what_is_asked_beside_it(translator):
    untrained = Translator(SHAPE, SHAPE.build())
    for model in (translator, untrained):
        assert model.answers(INPUTS) == [model.answers([words])[0] for words in INPUTS]


def test_writing_word_by_word_is_reading_all_words_at_once(translator):
    import torch

    sources, targets = SHAPE.encode(INPUTS[-4:]), SHAPE.encode(TURNED.outputs[-4:], ends=True)
    with torch.inference_mode():
        whole = translator.module(torch.as_tensor(sources), torch.as_tensor(targets))
        memories, there = translator.module.read(torch.as_tensor(sources))
        kept = None
        for place in range(targets.shape[1]):
            logits, kept = translator.module.step(torch.as_tensor(targets[:, place]), place, memories, there, kept)
            torch.testing.assert_close(logits, whole[:, place], atol=1e-4, rtol=1e-4)


def test_watched_attention_is_the_same_attention(translator):
    answer, pattern = translator.attention(("a", "a", "b"))
    assert answer == ("b", "a", "a")
    assert pattern.shape == (1, 2, 4, 3)
    assert np.allclose(pattern.sum(-1), 1)
    means = translator.head_means(INPUTS)
    assert set(means) == set(translator.heads)
    assert all(value.shape == (16,) for value in means.values())
    with translator.without([]):
        assert translator.answers(INPUTS) == [*TURNED.outputs]


def test_a_decoder_that_reads_nothing_writes_the_same_for_every_input(translator, separated):
    cross = [head for head in translator.heads if head.part == "cross"]
    with translator.without(cross):
        assert len(set(translator.answers(INPUTS))) == 1
    with separated.without(separated.heads):
        assert len(set(separated.answers(INPUTS))) == 1
    for model in (translator, separated):
        assert model.answers(INPUTS) == [*TURNED.outputs]


def test_a_value_of_zero_is_no_value(translator, separated):
    for model in (translator, separated):
        head = model.heads[0]
        zeros = np.zeros_like(model.head_means(INPUTS)[head])
        with model.without([head]):
            plain = model.answers(INPUTS)
        with model.without([head], {head: zeros}):
            assert model.answers(INPUTS) == plain


def test_the_mean_of_one_input_alone_is_what_its_head_passes_on(translator):
    own = Head("cross", 0, 0)
    seen = []
    with translator._visiting([("cross", 0)], lambda place, pattern, out: seen.append(out) or out):
        translator.answers([("a", "b")])
    expected = np.mean([one[0, 0, 0].numpy() for one in seen], axis=0)
    assert translator.head_means([("a", "b")])[own] == pytest.approx(expected, abs=1e-6)


def test_pairs_are_drawn_by_their_weights():
    weights = np.array([float(words == ("a", "a")) for words in INPUTS])
    pairs = Pairs(INPUTS, TURNED.outputs, weights)
    assert pairs.fingerprint() != TURNED.fingerprint() != Pairs(INPUTS, INPUTS).fingerprint()
    model = Translator.train(SHAPE, pairs, DecoderRecipe(steps=60, batch=8, learning_rate=5e-3), cache=False)
    assert set(model.answers(INPUTS[2:])) == {("a", "a")}


def test_an_answer_that_does_not_end_says_so():
    module = SHAPE.build()
    module.out.bias.data[1] = 100.0
    assert Translator(SHAPE, module).answers([("a",)]) == [("b",) * 5 + (CUT,)]


def test_inputs_beyond_the_table_of_positions_are_told(translator, separated):
    for model, long in ((translator, ("a",) * 5), (separated, ("a",) * 9)):
        assert model.fits(INPUTS[0])
        assert not model.fits(long)
        with pytest.raises(WindowError, match="input 1 has"):
            model.answers([INPUTS[0], long])
    with pytest.raises(WindowError, match="an input has 5 words, more than the 4"):
        Translator.train(SHAPE, Pairs((("a",) * 5,), (("a",),)), RECIPE)


def test_what_cannot_be_is_refused(translator, separated):
    with pytest.raises(InputError, match="text 0: the word 'c'"):
        translator.answers([("c",)])
    for model in (translator, separated):
        with pytest.raises(InputError, match="has no head"), model.without([Head("cross", 7, 0)]):
            pass
    with pytest.raises(InputError, match="2 inputs and 1 outputs; give one output an input"):
        Pairs((("a",), ("b",)), (("a",),))
    with pytest.raises(InputError, match="cannot be built"):
        TranslatorShape(("a",), 1, 1, width=30, heads=4)
    with pytest.raises(InputError, match="positions 'rotary' are unknown"):
        TranslatorShape(("a",), 1, 1, positions="rotary")


def test_sinusoidal_positions_are_no_weights():
    learned, fixed = SHAPE.build(), TranslatorShape(("a", "b"), 4, 4, 1, 32, 2, 64, "sinusoidal").build()
    names = {name for name, _ in learned.named_parameters()} - {name for name, _ in fixed.named_parameters()}
    assert names == {"source_places.places", "target_places.places"}
