"""Training: relaxed choices, the cache, bad data; and a program that was learned."""

from dataclasses import replace

import numpy as np
import pytest

from explicate.data.language.sequence_tasks import TASKS
from explicate.data.language.tagged import Tagged
from explicate.errors import InputError, ModelError
from explicate.glassbox.transformer_programs import RECIPE, TransformerProgram, TransformerProgramConfig, best_of
from explicate.glassbox.transformer_programs.analysis import accuracy

from .conftest import random_inputs
from .test_faithfulness import run_of

torch = pytest.importorskip("torch")


def test_products_over_positions_are_those_of_einsum_and_their_slopes_are_right():
    from explicate.models.tiny.programs.products import collected, pairs

    rng = torch.Generator().manual_seed(0)
    queries, keys = (torch.randn(2, 3, 4, 5, dtype=torch.double, generator=rng).requires_grad_() for _ in range(2))
    weights = torch.randn(2, 4, 4, 5, dtype=torch.double, generator=rng).requires_grad_()
    assert torch.allclose(pairs(queries, keys), torch.einsum("hdqb,hdpb->hpqb", queries, keys))
    assert torch.allclose(collected(weights, keys), torch.einsum("hpqb,hdpb->hdqb", weights, keys))
    assert torch.autograd.gradcheck(pairs, (queries, keys))
    assert torch.autograd.gradcheck(collected, (weights, keys))


def test_samples_follow_the_softmax_and_become_discrete_as_the_temperature_falls():
    from explicate.models.tiny.programs.sampling import Chooser

    logits = torch.tensor([0.0, 1.0, -1.0]).expand(40_000, 3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for sampling in ("gumbel-soft", "gumbel-hard"):
            found = Chooser(sampling, 0.01)(logits, 1, True)
            assert torch.allclose(found.sum(1), torch.ones(40_000), atol=1e-5)
            assert (found.max(1).values > 0.99).float().mean() > 0.95
            shares = found.argmax(1).bincount(minlength=3) / len(found)
            assert torch.allclose(shares, logits[0].softmax(0), atol=0.01)
    assert torch.equal(Chooser("softmax", 2.0)(logits[:1], 1, True), (logits[:1] / 2).softmax(1))
    assert Chooser("gumbel-soft", 3.0)(logits[:1], 1, False).tolist() == [[0, 1, 0]]


def test_the_temperature_falls_in_equal_ratios():
    found = [TransformerProgramConfig().temperature(share) for share in (0, 0.25, 0.5, 0.75, 1)]
    assert found[0] == 3.0
    assert found[-1] == pytest.approx(0.01)
    assert np.allclose(np.diff(np.log(found)), np.log(0.01 / 3) / 4)


def test_a_learned_counter_beats_the_most_frequent_tag_and_is_its_program(counter):
    model, rows = counter
    tags = [tag for row in rows for tag in row.tags if tag is not None]
    most_frequent = max(map(tags.count, set(tags))) / len(tags)
    assert accuracy(model.program, rows) > most_frequent + 0.25
    sentences = [list(row.tokens) for row in rows] + random_inputs(model.vocabulary, model.context, 50)
    expected = model.predict(sentences).tolist()
    run = run_of(model.to_python())
    assert [tuple(run(tokens)) for tokens in sentences] == expected


def test_training_again_reads_the_cache_and_the_seed_decides(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path))
    rows = TASKS["hist"].examples(40)
    recipe = replace(RECIPE, epochs=2, batch=20)
    first, again = (TransformerProgram.train(rows, recipe=recipe) for _ in range(2))
    assert first.fingerprint() == again.fingerprint()
    (file,) = (tmp_path / "tiny").glob("*.safetensors")
    other = TransformerProgram.train(rows, recipe=replace(recipe, seed=1))
    colder = TransformerProgram.train(rows, TransformerProgramConfig(end_temperature=0.5), recipe)
    assert len({first.fingerprint(), other.fingerprint(), colder.fingerprint()}) == 3
    assert file.exists()


def test_a_loss_that_is_nan_stops_with_the_step_and_the_batch():
    rows = TASKS["hist"].examples(40)
    with pytest.raises(ModelError, match=r"the loss is nan at step \d+ on rows \d+, \d+, \d+, \d+, \d+, \.\.\.; lower"):
        TransformerProgram.train(rows, recipe=replace(RECIPE, epochs=60, batch=20, learning_rate=1e30), cache=False)


def test_data_that_cannot_be_learned_from_are_refused():
    with pytest.raises(InputError, match="no examples"):
        TransformerProgram.train([])
    with pytest.raises(InputError, match="have no tags"):
        TransformerProgram.train([Tagged(("a",), (None,))])
    rows = [Tagged(tuple("abcdefgh"), ("x",) * 8)]
    with pytest.raises(InputError, match="vocabulary of 8 tokens does not fit variables of 3"):
        TransformerProgram.train(rows, TransformerProgramConfig(width=3))


def test_of_several_seeds_the_best_on_validation_is_taken_and_all_are_there():
    rows = TASKS["hist"].examples(120)
    config, recipe = TransformerProgramConfig(hidden=8), replace(RECIPE, epochs=4, batch=30)
    found = best_of(rows[:100], rows[100:], config, recipe, seeds=(3, 4, 5), cache=False)
    assert list(found.validation) == [3, 4, 5]
    assert found.validation == {seed: accuracy(model.program, rows[100:]) for seed, model in found.models.items()}
    assert found.validation[found.seed] == max(found.validation.values())
    assert found.best is found.models[found.seed]
    again = TransformerProgram.train(rows[:100], config, replace(recipe, seed=4), cache=False)
    assert again.fingerprint() == found.models[4].fingerprint()
    with pytest.raises(InputError, match="0 seeds and 20 validation sequences"):
        best_of(rows[:100], rows[100:], seeds=())


def test_unknown_tags_are_neither_learned_nor_predicted():
    rows = TASKS["induction"].examples(60)
    assert any("<unk>" in row.tags for row in rows)
    model = TransformerProgram.train(
        rows, TransformerProgramConfig(causal=True), replace(RECIPE, epochs=1), cache=False
    )
    assert model.tags == ("0", "1", "2", "3")
    answered = [Tagged(row.tokens, tuple(None if tag == "<unk>" else tag for tag in row.tags)) for row in rows]
    again = TransformerProgram.train(
        answered, TransformerProgramConfig(causal=True), replace(RECIPE, epochs=1), cache=False
    )
    assert again.fingerprint() == model.fingerprint()
    assert accuracy(model.program, rows) == accuracy(model.program, answered)


def test_unknown_tags_are_tags_like_the_others_where_they_are_not_masked():
    rows = TASKS["induction"].examples(60)
    config = TransformerProgramConfig(causal=True, mask_unknown=False)
    model = TransformerProgram.train(rows, config, replace(RECIPE, epochs=30), cache=False)
    assert model.tags == ("0", "1", "2", "3", "<unk>")
    inputs = [row.tokens for row in rows]
    assert any("<unk>" in tags for tags in model.predict(inputs))
    assert [tuple(tags) for tags in model.program.predict(inputs)] == [tuple(tags) for tags in model.predict(inputs)]


def test_word_vectors_start_the_embeddings():
    rows = TASKS["hist"].examples(20)
    vectors = np.repeat(np.eye(2), 4, axis=0)[:7]  # two kinds of words
    config = TransformerProgramConfig(embeddings=2, width=8, dropout=0.5)
    recipe = replace(RECIPE, epochs=1, learning_rate=1e-9)
    codes = TransformerProgram.train(rows, config, recipe, vectors=vectors, cache=False).program.embeddings
    assert (codes[:4] == codes[0]).all()
    assert (codes[4:] == codes[4]).all()
    assert not (codes[0] == codes[4]).all()


def test_a_whole_sequence_gets_one_class():
    from explicate.data.language.tagged import labelled

    rng = np.random.default_rng(0)
    sentences = [[str(word) for word in rng.integers(4, size=rng.integers(2, 7))] for _ in range(300)]
    rows = [labelled(words, "yes" if "3" in words else "no") for words in sentences]
    config = TransformerProgramConfig(pooled=True, categorical_mlps=0, numeric_heads=1, categorical_heads=1)
    model = TransformerProgram.train(rows, config, replace(RECIPE, epochs=30, batch=100), cache=False)
    assert accuracy(model.program, rows) > 0.9
    assert model.predict([["1", "3", "2"]]).tolist() == [("yes", None, None)]
