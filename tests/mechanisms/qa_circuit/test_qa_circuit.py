"""Circuits of answering: algebra that holds exactly, a head whose place is known, and SmolLM2."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from explicate import Contrast, Patch, Site, patch_paths  # noqa: E402
from explicate.attribution.attn_attrib import AttnAttrib, over_context  # noqa: E402
from explicate.benchmarks.copy_questions import CopyQuestions  # noqa: E402
from explicate.core.cost import measure  # noqa: E402
from explicate.data.language.questions import conflicting_questions, people_questions, probes  # noqa: E402
from explicate.errors import CapabilityError, InputError  # noqa: E402
from explicate.evaluation.attribution_qa import best_threshold, sentence_f1, top_sentence  # noqa: E402
from explicate.mechanisms.qa_circuit import (  # noqa: E402
    DirectPaths,
    ProbeSet,
    accuracy_without,
    copy_probes,
    indirect_paths,
    random_circuits,
    rank_heads,
    select_greedy,
    subject_probes,
)
from explicate.mechanisms.qa_circuit.following import first_tokens, follows, with_contrast, with_signal  # noqa: E402
from explicate.models.tiny.decoder import Decoder  # noqa: E402
from explicate.models.tiny.language import DecoderRecipe, train_decoder  # noqa: E402

WORDS = tuple(f"w{i}" for i in range(20))
CLEAN, OTHER = ["w1 w2 w3 w4", "w5 w6 w7 w4"], ["w1 w8 w3 w4", "w5 w9 w7 w4"]


@pytest.fixture(scope="module")
def model():
    decoder = Decoder(WORDS, layers=3, width=32, heads=4, mlp_width=48)
    return decoder.handle(decoder.build(0))


@pytest.fixture(scope="module")
def paths(model):
    answers = np.array([[2, 8], [6, 9]])
    return DirectPaths.of(model, ProbeSet(CLEAN, OTHER, answers, 2, {}, np.array([1, 1])))


def test_all_parts_move_everything_and_none_moves_nothing(paths):
    np.testing.assert_allclose(paths.scores(paths.nodes), 1.0, atol=1e-3)
    np.testing.assert_array_equal(paths.scores([]), 0.0)
    assert len(paths.nodes) == 3 * (4 + 1)


def test_a_direct_path_is_the_change_written_into_the_last_stream(model, paths):
    nodes = [Site("head_out", 1, 2, (-1,)), Site("mlp_out", 0, None, (-1,))]
    change = 0.0
    for node in nodes:
        values = [np.asarray(model.capture(model.encode(texts), [node])[node]) for texts in (CLEAN, OTHER)]
        change = change + (values[1] - values[0])[:, 0]
    end = Site("resid_post", 2, None, (-1,))
    stream = np.asarray(model.capture(model.encode(CLEAN), [end])[end])
    with model.intervene(Patch(end, stream + change[:, None])):
        logits = model.predict(model.encode(CLEAN))
    moved = logits[[0, 1], [2, 6]] - logits[[0, 1], [8, 9]]
    expected = (paths.clean_difference - moved) / (paths.clean_difference - paths.corrupted_difference)
    np.testing.assert_allclose(paths.scores(nodes), expected, atol=1e-3)


def test_greedy_selection_only_keeps_what_adds(paths):
    found = select_greedy(paths, delta=0.01, enough=0.95)
    assert (np.diff(found.curve) > 0.01).all()
    assert found.score == pytest.approx(paths.scores(found.nodes).mean(), abs=1e-6)
    everything = select_greedy(paths, delta=0.0, enough=10.0)
    assert everything.score >= found.score - 1e-9
    heads = [node for node in paths.nodes if node.kind == "head_out"]
    assert {node.kind for node in select_greedy(paths, candidates=heads).nodes} <= {"head_out"}
    assert found.overlap(found) == 1.0
    with pytest.raises(InputError, match="no node here"):
        paths.scores([Site("mlp_out", 0)])


def test_an_ablated_node_is_its_mean(model):
    ids = model.encode(CLEAN)
    answers = model.predict(ids).argmax(axis=1)
    node = Site("head_out", 2, 1, (-1,))
    without, plain = accuracy_without(model, [[node], []], CLEAN, answers, OTHER)
    np.testing.assert_array_equal(plain, 1.0)
    np.testing.assert_array_equal(without[1], 1.0)
    z = Site("z", 2, 1, (-1,))
    mean = np.asarray(model.capture(model.encode(OTHER), [z])[z]).mean(axis=0)
    with model.intervene(Patch(z, np.broadcast_to(mean, (2, *mean.shape)))):
        expected = model.predict(ids).argmax(axis=1) == answers
    np.testing.assert_array_equal(without[0], expected.astype(float))


def test_random_circuits_have_the_same_shape_and_no_node_in_common(model):
    circuit = [Site("head_out", 0, 1, (-1,)), Site("head_out", 0, 2, (-1,)), Site("mlp_out", 1, None, (-1,))]
    for nodes in random_circuits(model, circuit, 4):
        assert [node.kind for node in nodes] == ["head_out", "head_out", "mlp_out"]
        assert {node.layer for node in nodes if node.kind == "head_out"} == {0}
        assert not set(nodes) & set(circuit)


def test_attention_over_the_context_adds_up_and_leaves_the_first_token_out():
    pattern = np.array([0.7, 0.1, 0.05, 0.05, 0.1])
    np.testing.assert_allclose(over_context(pattern, (0, 4)), [0, 0.5, 0.25, 0.25])
    np.testing.assert_allclose(over_context(pattern, (1, 3)), [2 / 3, 1 / 3])
    np.testing.assert_allclose(over_context(np.zeros(4), (1, 3)), [0.5, 0.5])


@pytest.fixture(scope="module")
def pairs():
    """A task of pairs and an attention-only decoder of two layers that does it."""
    task = CopyQuestions(8, 8, 3)
    recipe = DecoderRecipe(steps=900, batch=64, learning_rate=3e-3, weight_decay=0.0)
    return task, train_decoder(task.decoder, task, recipe, name="pairs")


def test_the_head_that_copies_is_found_and_points_at_what_it_copies(pairs, tmp_path):
    task, trained = pairs
    ids, places = task.questions(40, 1)
    assert (trained.model.predict(ids).argmax(axis=1) == ids[np.arange(40), places]).mean() > 0.9
    texts = [trained.decoder.decode(row) for row in ids]
    ranking = rank_heads(trained.model, texts, [(0, ids.shape[1] - 2)] * 40, places)
    head = ranking.best()[0]
    assert head.layer == 1
    assert ranking.hit_rate[ranking.heads.index(head)] > 0.9
    contexts = [(0, ids.shape[1] - 2)] * 40
    for again in range(2):  # searched, then found
        with measure() as cost:
            kept = rank_heads(trained.model, texts, contexts, places, cache=tmp_path)
        assert cost.evaluations == (0 if again else 40)
        assert kept.heads == ranking.heads
        for name in ("entropy", "hit_rate", "largest"):
            np.testing.assert_array_equal(getattr(kept, name), getattr(ranking, name))
    assert 0 < ranking.floor(head) <= ranking.largest[ranking.heads.index(head)].mean()


def test_what_the_copying_head_is_told_comes_from_the_head_that_looks_back(pairs):
    task, trained = pairs
    model, every = trained.model, np.arange(40)
    ids, places = task.questions(40, 1)
    other = ids.copy()  # the pair's key is another one: nothing says where the answer is
    other[every, places - 1] = [next(k for k in range(1, 9) if k not in row) for row in ids]
    wrong = ids[every, (places + 2) % 6]  # the value of another pair
    texts, others = ([trained.decoder.decode(row) for row in rows] for rows in (ids, other))
    answers = np.stack([ids[every, places], wrong], axis=1)
    probes = ProbeSet(texts, others, answers, 40, {}, places)
    copying = patch_paths(model, ids, other, target=[Contrast(int(a), int(b)) for a, b in answers]).strongest(4, -1)
    assert {site.layer for site in copying} == {1}
    found = indirect_paths(model, probes, copying)
    pattern = model.capture(ids, [Site("pattern", 0)])[Site("pattern", 0)]
    back = pattern[every, :, places, places - 1].mean(axis=0) > 0.9
    assert 0 < back.sum() < 4
    query, answer, before = found.heads
    assert (answer[0][back] > 0.5).all()
    assert (np.abs(answer[0][~back]) < 0.05).all()
    assert max(np.abs(query).max(), np.abs(before).max(), np.abs(found.mlps).max()) < 0.2  # little comes another way
    assert not answer[1].any()  # nor from the heads' own layer
    where, teller, score = found.strongest(1)[0]
    assert (where, teller.layer, score) == ("answer", 0, answer.max())


def test_paths_into_nothing_are_refused(model):
    probes = ProbeSet(CLEAN, OTHER, np.array([[2, 8], [6, 9]]), 2, {}, np.array([-1, -1]))
    with pytest.raises(InputError, match="name the heads that receive"):
        indirect_paths(model, probes, [Site("mlp_out", 1)])
    with pytest.raises(InputError, match="stands in its context"):
        indirect_paths(model, probes, [Site("head_out", 1, 0)])


def test_sentences_are_judged_by_accuracy_and_f1():
    scores = np.array([[0.1, 0.9, 0.0], [0.6, 0.3, 0.1]])
    np.testing.assert_array_equal(top_sentence(scores, [1, 1]), [1, 0])
    np.testing.assert_allclose(sentence_f1(scores, [{1}, {0, 1}], 0.3), [1.0, 1.0])
    np.testing.assert_allclose(sentence_f1(scores, [{1}, {0, 1}], 0.5), [1.0, 2 / 3])
    assert best_threshold(scores, [{1}, {0, 1}]) == 0.3
    with pytest.raises(InputError, match="one row"):
        top_sentence(scores, [1])


def test_generated_questions_hold_their_answer_in_one_sentence_only():
    for question in people_questions(20, 3):
        held = [place for place, text in enumerate(question.sentences) if question.answer in text]
        assert question.support in held
        name = question.lead.split()[:2]
        assert [place for place, text in enumerate(question.sentences) if text.split()[:2] == name] == [
            question.support
        ]
    for question in conflicting_questions(20, 3):
        assert question.answer != question.remembered
        assert question.answer in question.sentences[question.support]


def test_smollm2_answers_from_contexts_and_says_from_which_sentence(smollm2):
    found = copy_probes(smollm2, probes(0)[:12], fewest=2)
    assert 0.2 < found.retention <= 1.0
    lengths = [(smollm2.encode([a, b]) >= 0).sum(axis=1) for a, b in zip(found.clean, found.corrupted, strict=True)]
    assert all(first == second for first, second in lengths)
    (question,) = conflicting_questions(1, 0)
    method = AttnAttrib(("L23.pattern.H0",))
    written = method.answer(smollm2, [question])
    given = method.explain(smollm2, [question], [str(written["answer"].values[0])])
    assert str(written["answer"].values[0])
    own = written["attribution"].values[0]
    assert own.max() <= 1.0 + 1e-6
    context = "".join(
        str(t) for t, v in zip(given["input_text"].values[0], given["attribution"].values[0], strict=True) if v
    )
    assert "Question" not in context
    assert len(question.sentences) > 1
    assert not written["trivial"].values.any()
    assert written.data.attrs["kernel"] == "sdpa"
    single = replace(question, sentences=question.sentences[question.support :][:1], support=0)
    assert method.explain(smollm2, [single])["trivial"].values.all()
    assert written["best_sentence"].values.tolist() == given["best_sentence"].values.tolist()


def test_smollm2_no_longer_copies_what_is_told_of_another_subject(smollm2):
    asked = [probe for probe in probes(0) if probe.kind in ("capital", "language")][:16]
    found = subject_probes(smollm2, asked, fewest=2)
    assert 2 <= len(found) <= found.asked <= 16
    lengths = [(smollm2.encode([a, b]) >= 0).sum(axis=1) for a, b in zip(found.clean, found.corrupted, strict=True)]
    assert all(first == second for first, second in lengths)
    for clean, other in zip(found.clean, found.corrupted, strict=True):
        (told, *rest), (moved, *same) = clean.split("\n"), other.split("\n")
        assert rest == same  # the question stays
        assert told != moved
        assert told.split()[-1] == moved.split()[-1]  # and so does the value
    said = smollm2.predict(smollm2.encode(found.corrupted)).argmax(axis=1)
    np.testing.assert_array_equal(said, found.answers[:, 1])
    assert (found.answers[:, 0] != found.answers[:, 1]).all()


def test_signals_and_contrasts_are_read_by_the_first_token(smollm2):
    questions = conflicting_questions(2, 1)
    plain = follows(smollm2, questions, first_tokens(smollm2, [q.prompt() for q in questions]))
    np.testing.assert_array_equal(with_contrast(smollm2, questions, 0.0), plain)
    assert "The answer is in this sentence" in questions[0].prompt(signal=0)
    with pytest.raises(InputError, match="one of each"):
        with_signal(smollm2, questions, [0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": ()}, "name the heads"),
        ({"heads": ("L1.z.H0",)}, "no head's attention"),
        ({"heads": ("L1.pattern",)}, "no head's attention"),
        ({"heads": ("L1.pattern.H0",), "window": -1}, "window"),
    ],
)
def test_heads_that_are_none_are_refused(model, options, message):
    with pytest.raises(InputError, match=message):
        AttnAttrib(**options).explain(model, people_questions(1))


def test_black_boxes_are_refused():
    with pytest.raises(CapabilityError, match="shows none"):
        AttnAttrib(("L1.pattern.H0",)).answer(object(), people_questions(1))
