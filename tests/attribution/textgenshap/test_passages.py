"""Passages encoded once give what passages encoded anew give, for every coalition."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch")

from explicate.attribution.textgenshap import Document, DocumentPrompt, DocumentTree, TextGenSHAP
from explicate.attribution.textgenshap.passages import PassageReader
from explicate.data.language.documents import document_questions
from explicate.errors import CapabilityError, InputError
from explicate.models.language import FusionInDecoder
from explicate.models.tiny.fusion import FusionRecipe, passage, tokenizer, train_fusion

RECIPE = FusionRecipe(
    width=32, heads=2, mlp_width=32, encoder_layers=1, decoder_layers=1, steps=3, batch=4, documents=2
)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model():
    return train_fusion(RECIPE, cache=False)


@pytest.fixture
def prompt():
    question = document_questions(1, 0, 5)[0]
    return DocumentPrompt.of(question.question, question.documents)


def test_encoding_once_answers_as_encoding_anew(model, prompt):
    for levels in (1, 3):
        tree = DocumentTree.of(prompt, levels)
        masks = RNG.random((24, len(tree.atoms))) < RNG.random((24, 1))
        masks[0], masks[1] = False, True
        once, anew = (PassageReader(model, tree, 6, encode_once=once) for once in (True, False))
        assert once.write(masks) == anew.write(masks)
    tree = DocumentTree.of(prompt, 1)
    before = model.encoded
    PassageReader(model, tree, 6).write(RNG.random((50, 5)) < 0.5)
    assert model.encoded - before == 6  # five passages and the question alone


def test_answers_do_not_depend_on_what_is_decoded_beside(model, prompt):
    tree = DocumentTree.of(prompt, 1)
    reader = PassageReader(model, tree, 6)
    masks = (np.arange(32)[:, None] >> np.arange(5)) % 2 == 1
    assert [reader.write(row[None])[0] for row in masks] == reader.write(masks)


def test_passages_are_those_of_the_training(model):
    prompt = DocumentPrompt.of("Which code?", [Document("Lena", "It is 3."), Document("Marco", "It is 4.")])
    reader = PassageReader(model, DocumentTree.of(prompt, 1), 6)
    expected = model.tokens([passage("Which code?", 2, "Marco", "It is 4.")])[0][0]
    assert reader.ids[1].tolist() == expected.tolist()


def test_it_is_explained_as_any_model(model, prompt):
    found = TextGenSHAP(levels=1, draws=4, max_new_tokens=6).explain(model, prompt)
    whole = float(found["score"].values[0] - found["baseline_score"].values[0])
    assert found.values_of(1).sum() == pytest.approx(whole)
    with pytest.raises(CapabilityError, match="writes only"):
        TextGenSHAP(levels=1, draws=4, worth="log-probability").explain(model, prompt)


def test_long_passages_are_cut_and_listed(model):
    short = FusionInDecoder(model.module, model.tokenizer, passage_tokens=4)
    with pytest.warns(UserWarning, match="passages cut to 4 tokens: 2"):
        ids, _ = short.tokens(["It is 3", "It is 3 and 4"])
    assert [len(one) for one in ids] == [3, 4]


def test_a_decoder_is_refused_and_recipes_are_checked():
    class Plain:
        config = None

    with pytest.raises(CapabilityError, match="has no encoder"):
        FusionInDecoder(Plain(), tokenizer())
    with pytest.raises(InputError, match="width a multiple of heads"):
        dataclasses.replace(RECIPE, width=33)


def test_the_tokenizer_reads_digits_one_by_one():
    words = tokenizer()
    assert words.decode(words("4817")["input_ids"]) == "4817"
    assert len(words("Lena is 48.")["input_ids"]) == 5
