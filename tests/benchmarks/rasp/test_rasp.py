"""Scores against worked cases, and entities with word vectors of a real language model."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("seqeval")

from explicate.benchmarks.rasp import (
    CLASS_RECIPE,
    ENTITY_RECIPE,
    entity_f1,
    known_words,
    most_frequent_tag,
    study_texts,
    token_accuracy,
    unigram_table,
    word_count_classes,
)
from explicate.benchmarks.rasp.scoring import looked_up
from explicate.benchmarks.rasp.study import standalone
from explicate.data.language.named_entities import entity_sentences
from explicate.data.language.question_kinds import kind_questions
from explicate.data.language.tagged import Tagged, framed, labelled
from explicate.glassbox.transformer_programs import RECIPE, TransformerProgram, TransformerProgramConfig
from explicate.models.tiny.encoder_tagger import encoder_tagger
from explicate.models.tiny.training import train

ROWS = [Tagged(("<s>", "a", "b"), (None, "x", "<unk>")), Tagged(("a", "a"), ("x", "y"))]


def test_scores_of_a_worked_case():
    predicted = [("q", "x", "x"), ("x", "x")]
    assert token_accuracy(predicted, ROWS) == 2 / 3  # "<unk>" is no tag
    assert most_frequent_tag(ROWS, ROWS) == 2 / 3
    table = unigram_table(ROWS)
    assert table == {"a": "x", "b": "<unk>", "<unk>": "<unk>"}
    assert looked_up(table, ROWS)[0] == ["<unk>", "x", "<unk>"]
    assert known_words([Tagged(("a", "b", "a"), ("x",) * 3)]) == ("<unk>", "a")


def test_entities_count_whole_and_strictly():
    rows = [Tagged(("<s>", "New", "York", "and", "Ford"), (None, "B-LOC", "I-LOC", "O", "B-ORG"))]
    assert entity_f1([("O", "B-LOC", "I-LOC", "O", "B-ORG")], rows)["f1"] == 1
    found = entity_f1([("B-PER", "B-LOC", "O", "O", "B-ORG")], rows)  # half a name is none
    assert (found["precision"], found["recall"], found["f1"]) == (0.5, 0.5, 0.5)
    assert entity_f1([("O", "I-LOC", "I-LOC", "O", "O")], rows)["f1"] == 0  # a name that does not begin


def test_the_standard_transformer_learns_what_needs_positions_and_neither_padding_nor_the_future_leaks():
    import torch

    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=(100, 4))
    recipe = replace(RECIPE, epochs=20, batch=25, learning_rate=3e-3)
    module = train(lambda: encoder_tagger(3, 3, 4, width=32), codes, np.roll(codes, 1, axis=1), recipe, cache=False)
    with torch.no_grad():
        assert (module(torch.as_tensor(codes)).argmax(-1).numpy() == np.roll(codes, 1, axis=1)).mean() > 0.9
        ahead = encoder_tagger(3, 3, 4, causal=True).eval()
        other = codes.copy()
        other[:, 3:] = (other[:, 3:] + 1) % 3
        one, two = (ahead(torch.as_tensor(each)).numpy() for each in (codes, other))
        assert np.allclose(one[:, :3], two[:, :3], atol=1e-5)
        short = np.concatenate([codes, np.full((100, 2), -1)], axis=1)[:, :4]
        short[:, 3:] = -1
        padded, alone = (module(torch.as_tensor(each)).numpy() for each in (short, codes[:, :3]))
        assert np.allclose(padded[:, :3], alone, atol=1e-5)


def test_counts_of_words_see_a_word_and_no_order():
    rows = [labelled(words, label) for words, label in [(("a", "b"), "x"), (("b", "c"), "y")] * 4]
    assert word_count_classes(rows, rows) == [row.tags for row in rows]
    turned = [labelled(words, label) for words, label in [(("a", "b"), "x"), (("b", "a"), "y")] * 4]
    assert len({row[0] for row in word_count_classes(turned, turned)}) == 1


def test_a_program_tells_what_a_question_asks_for_where_counts_of_words_cannot():
    rows = kind_questions(700, 30)
    config = TransformerProgramConfig(
        categorical_heads=4, numeric_heads=0, categorical_mlps=2, numeric_mlps=0, embeddings=2, width=12, pooled=True
    )
    result, model = study_texts(rows[:600], rows[600:], config, replace(CLASS_RECIPE, epochs=50))
    assert result.program["accuracy"] > result.words["accuracy"] + 0.2
    assert result.words["accuracy"] > result.frequent
    assert result.standard["accuracy"] > result.words["accuracy"]
    assert (result.checked, result.equal) == (100, 100)
    assert (result.unknown, model.context) == (0, 10)


def test_entities_are_studied_with_known_vectors_and_rare_words_unknown():
    rows = entity_sentences(40)
    config = TransformerProgramConfig(numeric_heads=0, numeric_mlps=0, embeddings=2, width=14)
    vectors = {"lives": np.array([1.0, 0.0]), "works": np.array([0.0, 1.0])}
    recipe = replace(ENTITY_RECIPE, epochs=1)
    held_out = entity_sentences(20, late=True)
    result, model = study_texts(rows, held_out, config, recipe, vectors=vectors, rarest=3, context=14)
    assert set(result.program) == set(result.words) == {"precision", "recall", "f1"}
    assert result.equal == result.checked == 20
    assert 0 < result.unknown < 1
    assert sum(token == "zebra" for token in model.vocabulary) == 0
    assert all(sum(word in row.tokens for row in rows) for word in model.vocabulary if word != "<unk>")


def test_word_vectors_of_smollm2_start_a_program_that_is_its_file(smollm2):
    """Its learned variables begin from a language model's word vectors; alike words share values from the start."""
    rows = [framed(row) for row in entity_sentences(150)]
    words = known_words(rows)
    table = smollm2.module.get_input_embeddings().weight.detach().numpy()
    vectors = np.stack([table[smollm2.encode([f" {word}"])[0]].mean(0) for word in words])
    vectors = (vectors - vectors.mean(0)) / vectors.std()
    config = TransformerProgramConfig(
        categorical_heads=2, numeric_heads=0, numeric_mlps=0, categorical_mlps=0, embeddings=3, width=16
    )
    recipe = replace(RECIPE, epochs=12, batch=30, learning_rate=0.05)
    model = TransformerProgram.train(rows, config, recipe, vocabulary=words, context=16, vectors=vectors, cache=False)
    held_out = [framed(row) for row in entity_sentences(60, late=True)]
    inputs = [row.tokens for row in held_out]
    predicted = model.predict(inputs)
    run = standalone(model)
    assert [tuple(run(tokens)) for tokens in inputs] == predicted.tolist()
    assert token_accuracy(predicted, held_out) > most_frequent_tag(rows, held_out)
