import dataclasses

import numpy as np
import pytest

from explicate.data.odeen import all_structures, language
from explicate.errors import InputError
from explicate.glassbox.explanatory import (
    PAPER,
    SMALL,
    ConjectureGenerator,
    EmpiricistBaseline,
    NetworkShape,
    RuleInterpreter,
    Words,
    odeen_network,
)
from explicate.glassbox.explanatory.training import JudgedSamples, TableSamples, word_loss

torch = pytest.importorskip("torch")

SHAPE = NetworkShape(16, 2, 16, 1)
SHORT = dataclasses.replace(SMALL.generator_recipe, steps=4, batch=8, warmup=2, checkpoints=())


def test_words_are_read_back_and_unknown_ones_refused():
    words = Words.of(["zero red", "at_least 1 blue"], longest=3)
    rows = words.encode(["at_least 1 blue", "zero red"], ends=True)
    assert rows.shape == (2, 5)
    assert rows[1].tolist()[0::3] == [1, 2]  # start, and the end after two words
    assert [words.decode(row) for row in rows] == ["at_least 1 blue", "zero red"]
    for rule, message in (("zero green", "'green' was never seen"), ("", "has 0 words"), ("1 1 1 1", "has 4 words")):
        with pytest.raises(InputError, match=message):
            words.encode([rule])


def test_the_target_is_the_input_rolled_by_one_and_its_last_position_does_not_wrap():
    rows = np.array([[1, 5, 2, 0], [1, 5, 6, 2]])
    sure = torch.full((2, 4, 7), -30.0)
    for row, place, word in ((0, 0, 5), (0, 1, 2), (1, 0, 5), (1, 1, 6), (1, 2, 2)):
        sure[row, place, word] = 30.0
    assert float(word_loss(sure, rows)) < 1e-6  # what stands at the last place, and after an end, is not looked at
    sure[1, 2, 2] = -30.0
    assert float(word_loss(sure, rows)) == pytest.approx(np.log(7) / 5)
    assert rows[1].tolist() == [1, 5, 6, 2]


def test_samples_are_true_and_tables_are_drawn_anew(simple):
    learned, _ = simple
    words, rules = Words.of(learned.rules), language("small")
    rng = np.random.default_rng(0)
    places = all_structures().shape[0] // 7 ** np.arange(1, 7)
    batch = JudgedSamples(learned, words, 4).batch(rng, 32)
    assert batch.structures.shape == (8, 4, 6)
    for row, codes, tags in zip(batch.rules, batch.structures, batch.tags, strict=True):
        rule = rules.places[words.decode(row)]
        assert np.array_equal(rules.tags(np.array(rule), codes @ places), tags)
    samples = TableSamples(learned, words, 10, 3, shorter=0.0)
    one, other = samples.batch(rng, 50), samples.batch(rng, 50)
    assert one.structures.shape == (50, 10, 6)
    assert not np.array_equal(one.structures, other.structures)
    for row, codes, tags, queries, answers in zip(
        one.rules, one.structures, one.tags, one.queries, one.answers, strict=True
    ):
        rule = np.array(rules.places[words.decode(row)])
        assert np.array_equal(rules.tags(rule, codes @ places), tags)
        assert np.array_equal(rules.tags(rule, queries @ places), answers)
        assert len(np.unique(np.concatenate([codes, queries]) @ places)) == 13  # a query is not in its table
    sizes = {TableSamples(learned, words, 10, 3, 1.0).batch(rng, 2).structures.shape[1] for _ in range(60)}
    assert sizes == set(range(10))
    with pytest.raises(InputError, match="more than 400"):
        TableSamples(learned, words, 399, 3)


def test_trained_weights_are_kept_and_the_best_checkpoint_is_taken(simple, monkeypatch, tmp_path):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path))
    learned, unseen = simple
    short = dataclasses.replace(SHORT, steps=30, batch=32, warmup=1, checkpoints=(1, 3))
    recipe = dataclasses.replace(short, learning_rate=0.3, weight_decay=0.01)
    first = RuleInterpreter.train(learned, unseen, shape=SHAPE, recipe=recipe, together=8)
    again = RuleInterpreter.train(learned, unseen, shape=SHAPE, recipe=recipe, together=8)
    assert np.array_equal(first.weights, again.weights)
    assert len(list((tmp_path / "explanatory").iterdir())) == 1
    codes = [all_structures()[ids] for ids in unseen.structures]

    def loss(interpreter):
        logits = np.array([interpreter.logits([r], c)[0] for r, c in zip(unseen.rules, codes, strict=True)])
        surprise = -torch.log_softmax(torch.tensor(logits), dim=-1).numpy()
        return np.take_along_axis(surprise, unseen.tags[..., None].astype(int), axis=2).mean()

    last = RuleInterpreter.train(learned, shape=SHAPE, recipe=recipe, together=8)  # a rate so high that it gets worse
    assert loss(first) < loss(last)


@pytest.mark.parametrize("empiricist", ["conscious", "rules", "labels"])
def test_empiricists_give_what_they_learned_and_nothing_else(simple, empiricist):
    learned, unseen = simple
    found = EmpiricistBaseline.train(empiricist, learned, shape=SHAPE, recipe=SHORT, cache=False)
    table = all_structures()[unseen.tables[0]], unseen.table_tags[0]
    queries = all_structures()[unseen.structures[0]]
    if empiricist != "labels":
        assert set(found.rule(*table, queries[:4]).split()) <= set(found.network.words.words)
    else:
        with pytest.raises(InputError, match="learned tags alone"):
            found.rule(*table)
    if empiricist != "rules":
        assert found.tags(*table, queries).shape == (100,)
    else:
        with pytest.raises(InputError, match="learned rules alone"):
            found.tags(*table, queries)
        assert found.network.conjectures(*table, 3, queries[:8]) != found.network.conjectures(*table, 3)


def test_unknown_kinds_are_refused(simple):
    with pytest.raises(InputError, match="'radical' is unknown"):
        EmpiricistBaseline.train("radical", simple[0])
    with pytest.raises(InputError, match="needs a network that learned tags"):
        EmpiricistBaseline("labels", ConjectureGenerator.build(Words(("a",), 2), SHAPE))
    with pytest.raises(InputError, match="no configuration named 'large'"):
        odeen_network("large")


@pytest.mark.parametrize("part", ["interpreter", "generator"])
def test_the_papers_sizes_train(simple, part):
    """A few steps of the full-size networks: their shapes, and a loss that falls."""
    learned = simple[0]
    small = {"steps": 8, "batch": 16, "warmup": 1, "learning_rate": 1e-3, "checkpoints": ()}
    losses = []
    network = RuleInterpreter if part == "interpreter" else ConjectureGenerator
    shape = getattr(PAPER, part)
    recipe = dataclasses.replace(getattr(PAPER, f"{part}_recipe"), **small)
    build = network.build

    def watched(self, optimiser, number):
        step(self, optimiser, number)
        losses.append(self.losses[-1])

    from explicate.models.tiny.descent import Descent

    step = Descent._step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Descent, "_step", watched)
        found = network.train(learned, shape=shape, recipe=recipe, cache=False)
    assert np.mean(losses[-2:]) < losses[0]
    assert found.shape == shape
    width, layers = (128, 4) if part == "interpreter" else (256, 4)
    assert (shape.width, shape.heads, shape.inner, shape.layers, shape.dropout) == (width, 8, width, layers, 0.1)
    assert sum(1 for _ in found.module.encoder) == layers
    assert build(found.words, shape).module.words.embedding.weight.shape[1] == width
    assert (PAPER.split.training, PAPER.split.structures, PAPER.split.test) == (1438, 10_000, 1132)
