"""Handles on language models: encoding, scores, padding, gradients, names of outputs."""

import numpy as np
import pytest
import torch
import transformers

from explicate.core.capabilities import Differentiable, Generator, Predictor, Transparent
from explicate.core.cost import measure
from explicate.core.targets import Contrast, resolve_targets, select
from explicate.errors import CapabilityError, InputError, ModelError, NonFiniteScoreError, TargetError
from explicate.models.language import LanguageModel, TextEncoder

TEXTS = ["When John and Mary went to the store", "The cat sat", "Is the value 3.14 today? Nobody knows"]


def plain_logits(model, ids):
    with torch.no_grad():
        return model.module(torch.as_tensor(ids)).logits


def test_capabilities(causal, bert):
    for capability in (Predictor, Differentiable, Transparent, Generator):
        assert isinstance(causal, capability)
    assert isinstance(bert, Transparent)
    assert not isinstance(bert, Generator)


def test_logits_are_bit_identical_to_the_plain_model(causal):
    for text in TEXTS:
        ids = causal.encode(text)
        expected = plain_logits(causal, ids)
        assert torch.equal(torch.as_tensor(causal.predict(ids)), expected[:, -1])
        assert torch.equal(torch.as_tensor(causal.logits(text)), expected[0])
    assert causal.module.config._attn_implementation == "sdpa"


def test_smollm2_is_bit_identical_and_says_mary(smollm2):
    ids = smollm2.encode("When John and Mary went to the store, John gave a drink to")
    scores = smollm2.predict(ids)
    assert torch.equal(torch.as_tensor(scores), plain_logits(smollm2, ids)[:, -1])
    assert smollm2.output_name(int(scores.argmax())) == " Mary"


def test_padded_batch_equals_single_runs(model):
    batch = model.encode(TEXTS)
    singles = np.concatenate([model.predict(model.encode(text)) for text in TEXTS])
    np.testing.assert_allclose(model.predict(batch), singles, atol=2e-5)
    one_chunk = model.batch(batch)
    assert one_chunk.frame.ragged  # so the comparison above was one of padding


def test_chunks_do_not_matter(llama):
    batch = llama.encode([text[: 8 + 3 * i] for i, text in enumerate(TEXTS * 4)])
    expected = llama.predict(batch)
    small = LanguageModel(llama.module, llama.tokenizer, chunk=2)
    tight = LanguageModel(llama.module, llama.tokenizer, tokens_at_once=1)
    np.testing.assert_allclose(small.predict(batch), expected, atol=2e-5)
    np.testing.assert_allclose(tight.predict(batch), expected, atol=2e-5)


def test_scores_are_the_selected_columns(causal):
    batch = causal.encode(TEXTS)
    single, pairs = np.array([3, 100, 250]), np.array([[3, 4], [100, 3], [7, 8]])
    for score in ("logit", "log-probability", "probability"):
        with causal.scored_by(score):
            everything = causal.predict(batch)
            np.testing.assert_allclose(causal.scores(batch, single), select(everything, single), atol=2e-5)
            np.testing.assert_allclose(causal.scores(batch, pairs), select(everything, pairs), atol=2e-5)
    shares = torch.as_tensor(causal.predict(batch)).softmax(-1).numpy()
    np.testing.assert_allclose(causal.probabilities(batch, single), select(shares, single), atol=1e-6)
    np.testing.assert_allclose(causal.probabilities(batch, pairs), select(shares, pairs[:, 0]), atol=1e-6)


def test_only_last_positions_are_unembedded(llama):
    shapes = []
    hook = llama.module.lm_head.register_forward_hook(lambda module, args, output: shapes.append(tuple(output.shape)))
    try:
        llama.predict(llama.encode(TEXTS))
    finally:
        hook.remove()
    assert shapes
    assert all(shape[1] == 1 for shape in shapes)
    calls = []
    original = llama.module.lm_head.forward
    llama.module.lm_head.forward = lambda x: calls.append(x) or original(x)
    try:
        llama.scores(llama.encode(TEXTS), np.array([1, 2, 3]))
    finally:
        del llama.module.lm_head.forward
    assert calls == []


def test_deleted_tokens_are_closed_up(model):
    full = model.encode("The cat sat on the mat")[0]
    holed = full.copy()
    holed[[2, 4]] = -1
    shorter = np.delete(full, [2, 4])
    target = np.array([1])
    expected = model.scores(shorter[None], target)
    np.testing.assert_allclose(model.scores(holed[None], target), expected, atol=2e-6)
    both = np.stack([full, holed])
    np.testing.assert_allclose(model.scores(both, np.array([1, 1]))[1:], expected, atol=2e-5)


def test_nothing_left_is_the_beginning_token(llama, bert):
    nothing = np.full((1, 5), -1)
    assert np.array_equal(llama.predict(nothing), llama.predict(np.array([[llama.tokenizer.bos_token_id]])))
    assert np.array_equal(bert.predict(nothing), bert.predict(np.array([[bert.tokenizer.cls_token_id]])))


def test_empty_token_is_a_zero_embedding_in_place(model):
    ids = model.encode("The cat sat on the mat")
    points = model.continuous(ids)
    points[0, 3] = 0
    blanked = ids.copy()
    blanked[0, 3] = -2
    target = np.array([1])
    np.testing.assert_allclose(
        model.scores(blanked, target), model.point_scores(points, target, ids), rtol=1e-5, atol=1e-6
    )
    assert not model.continuous(blanked)[0, 3].any()


def test_points_are_what_the_model_takes_in(model):
    batch = model.encode(TEXTS)
    targets = np.array([1, 2, 3])
    np.testing.assert_allclose(
        model.point_scores(model.continuous(batch), targets, batch), model.scores(batch, targets), atol=2e-5
    )
    # the scale of Gemma's embedding is part of the point: it is what its blocks see
    ids = model.encode("The cat sat")
    inside = model.capture(ids, ["embed"])["embed"]
    np.testing.assert_array_equal(inside, model.continuous(ids))


def test_gradients_match_finite_differences(model):
    batch = model.encode(["The cat sat on the mat", "Anna gave"])
    points = model.continuous(batch).astype(np.float64)
    targets = np.array([5, 9])
    gradients = model.gradients(points, targets, batch)
    rng = np.random.default_rng(0)
    double = type(model)(model.module.double(), model.tokenizer)
    try:
        for _ in range(3):
            direction = rng.normal(size=points.shape) * (batch >= 0)[..., None]
            step = 2e-3  # norms compute in 32 bits whatever the weights are, so a smaller one would measure rounding

            def slope_at(step, direction=direction):
                up = double_scores(double, points + step * direction, targets, batch)
                return (up - double_scores(double, points - step * direction, targets, batch)) / (2 * step)

            slope = (4 * slope_at(step) - slope_at(2 * step)) / 3  # of fourth order
            size = np.linalg.norm(gradients.reshape(2, -1), axis=1)  # what a slope typically is
            assert (np.abs((gradients * direction).sum(axis=(1, 2)) - slope) < 3e-3 * size).all()
    finally:
        model.module.float()
    absent = batch < 0
    assert absent.any()
    assert not gradients[absent].any()
    assert gradients[~absent].any(axis=-1).all()


def double_scores(model, points, targets, batch):
    with torch.no_grad():
        made = model.batch(batch)
        place = np.maximum(made.origin, 0)[..., None]
        leaf = torch.as_tensor(np.take_along_axis(points, place, axis=1))
        with model.framed(made.frame):
            found = model.target_tensor(made, model.embeddings(made, leaf), torch.as_tensor(targets))
        return found.numpy()


def test_gradients_of_holes_and_contrasts(llama):
    full = llama.encode("The cat sat on the mat")
    holed = full.copy()
    holed[0, 2] = -1
    pair = np.array([[5, 9]])
    there = llama.gradients(llama.continuous(holed), pair, holed)
    shorter = np.delete(full, 2, axis=1)
    expected = llama.gradients(llama.continuous(shorter), pair, shorter)
    np.testing.assert_allclose(np.delete(there, 2, axis=1), expected, atol=1e-6)
    one, other = (llama.gradients(llama.continuous(full), np.array([i]), full) for i in (5, 9))
    np.testing.assert_allclose(llama.gradients(llama.continuous(full), pair, full), one - other, atol=1e-5)


def test_gradients_leave_the_weights_trainable(llama):
    before = [parameter.requires_grad for parameter in llama.module.parameters()]
    ids = llama.encode("The cat")
    llama.gradients(llama.continuous(ids), np.array([1]), ids)
    assert [parameter.requires_grad for parameter in llama.module.parameters()] == before
    assert all(parameter.grad is None for parameter in llama.module.parameters())


def test_collapse_sums_the_width(llama):
    values = np.arange(24.0).reshape(2, 3, 4)
    assert llama.collapse(values).tolist() == values.sum(axis=2).tolist()


def test_cost_is_counted(llama):
    batch = llama.encode(TEXTS)
    targets = np.array([1, 2, 3])
    with measure() as cost:
        llama.predict(batch)
        llama.scores(batch, targets)
        llama.gradients(llama.continuous(batch), targets, batch)
        llama.capture(batch[:2], ["L0.z"])
    assert (cost.evaluations, cost.gradients) == (8, 3)


def test_encode_takes_texts_ids_and_what_tokenizers_give(llama):
    expected = llama.encode(TEXTS)
    assert expected.dtype == np.int64
    assert (expected[1] == -1).any()
    assert np.array_equal(llama.encode([list(row[row >= 0]) for row in expected]), expected)
    assert np.array_equal(llama.encode(expected), expected)
    assert np.array_equal(llama.encode(torch.as_tensor(expected)), expected)
    given = llama.tokenizer(TEXTS, padding=True, padding_side="right", return_tensors="pt")
    assert np.array_equal(llama.encode(given), expected)
    assert llama.encode("The cat").shape[0] == 1
    assert llama.decode(expected) == TEXTS


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([], "no texts"),
        ("", "text 0 is empty"),
        (["good", "  "], "text 1 is empty"),
        ([[1, 2], [3, 100_000]], "text 1, token 1.*outside the vocabulary"),
        ([[1, -3]], "outside the vocabulary"),
        (np.full((2, 3), -1), "text 0 has no tokens"),
        (["cat " * 400], "takes at most 128"),
        ([1.5, 2.5], "neither text nor a list"),
        ([None], "neither text nor a list"),
        (np.array([[0.5, 1.0]]), "neither text nor a list"),
    ],
)
def test_bad_inputs_are_named(llama, inputs, words):
    with pytest.raises(InputError, match=words) as caught:
        llama.encode(inputs)
    assert "\n" not in str(caught.value)


def test_scores_of_nothing_and_of_texts_not_encoded(llama):
    with pytest.raises(InputError, match="no samples"):
        llama.predict(np.empty((0, 4), dtype=np.int64))
    with pytest.raises(InputError, match="encode the texts first"):
        llama.predict(np.ones((2, 4)))
    with pytest.raises(InputError, match="points of"):
        llama.gradients(np.ones((2, 4, 5)), np.array([0, 0]))
    with pytest.raises(InputError, match="is unknown"):
        LanguageModel(llama.module, llama.tokenizer, score="odds")


def test_outputs_are_found_by_text(llama):
    mary = llama.output_index("Mary")
    assert llama.output_name(mary) == " Mary"
    assert llama.output_index(" Mary") == mary
    assert llama.output_name(llama.output_index(".")) == "."
    with pytest.raises(TargetError, match=r"'Zanzibar' is not one token .* but \d+: "):
        llama.output_index("Zanzibar")
    ids = llama.encode("The cat")
    assert resolve_targets(llama, ids, Contrast("Mary", "John")).tolist() == [[mary, llama.output_index("John")]]
    with pytest.raises(TargetError, match="out of range"):
        resolve_targets(llama, ids, llama.output_count)


def test_labels_words_and_special_tokens(llama, bert):
    batch = llama.encode(["The cat sat", "The"])
    labels = llama.feature_labels(batch)
    assert labels["input_text"][1].tolist() == [["The", " cat", " sat"], ["The", "", ""]]
    assert labels["present"][1].tolist() == [[True] * 3, [True, False, False]]
    assert llama.words(llama.encode("store, John")[0]).max() == 2
    ids = bert.encode("the drinks")[0]
    texts = bert.feature_labels(ids[None])["input_text"][1][0].tolist()
    assert texts[0] == "[CLS]"
    assert bert.special_tokens(ids).tolist() == [True, *[False] * (len(ids) - 2), True]
    words = bert.words(ids)
    assert words[0] == words[-1] == -1
    assert sorted(set(words.tolist())) == [-1, 0, 1]
    assert [text.startswith("##") for text in texts[1:-1]] == [words[i] == words[i - 1] for i in range(1, len(ids) - 1)]


def test_a_model_that_fails_is_named(llama, monkeypatch):
    def broken(*args, **options):
        raise RuntimeError("out of tape")

    monkeypatch.setattr(llama.module, "forward", broken)
    with pytest.raises(ModelError, match="out of tape"):
        llama.predict(llama.encode(TEXTS))


def test_a_score_that_is_not_finite_is_named(llama):
    weight = llama.module.lm_head.weight
    saved = weight.data.clone()
    weight.data[7] = float("nan")
    try:
        with pytest.raises(NonFiniteScoreError, match="NaN or infinite for sample"):
            llama.predict(llama.encode(TEXTS))
    finally:
        weight.data.copy_(saved)


def test_fingerprint_follows_weights_and_score(llama):
    same = LanguageModel(llama.module, llama.tokenizer)
    assert same.fingerprint() == llama.fingerprint()
    assert LanguageModel(llama.module, llama.tokenizer, score="probability").fingerprint() != llama.fingerprint()
    other = LanguageModel(type(llama.module)(llama.config), llama.tokenizer)
    assert other.fingerprint() != llama.fingerprint()


def test_the_wrong_class_of_model(bert, llama):
    with pytest.raises(CapabilityError, match="TextEncoder"):
        LanguageModel(bert.module, bert.tokenizer)
    decoder = transformers.BertLMHeadModel(bert.config)
    with pytest.raises(CapabilityError, match="both directions"):
        LanguageModel(decoder, bert.tokenizer)
    with pytest.raises(CapabilityError, match="AutoModelForMaskedLM"):
        TextEncoder(bert.module, bert.tokenizer, output="token")


def test_encoder_embedding_is_the_normalised_mean(bert):
    ids = bert.encode(TEXTS[0])
    with torch.no_grad():
        states = bert.module(torch.as_tensor(ids)).last_hidden_state
    expected = torch.nn.functional.normalize(states.mean(1), dim=1)
    assert torch.equal(torch.as_tensor(bert.predict(ids)), expected)


def test_encoder_similarity_is_a_cosine(bert):
    texts = ["The dog ran", *TEXTS]
    compare = TextEncoder(bert.module, bert.tokenizer, references=["The cat sat", "Anna"])
    both = bert.predict(bert.encode([*texts, "The cat sat", "Anna"]))
    np.testing.assert_allclose(compare.predict(compare.encode(texts)), both[:4] @ both[4:].T, atol=1e-5)
    assert compare.output_index("Anna") == 1
    assert compare.fingerprint() != bert.fingerprint()
    with pytest.raises(InputError, match="references"):
        TextEncoder(bert.module, bert.tokenizer, output="similarity")


def test_masked_token_and_class_outputs(bert, build):
    module_of = build

    masked = module_of("bert", len(bert.tokenizer), kind="AutoModelForMaskedLM")
    model = TextEncoder(masked, bert.tokenizer)
    ids = model.encode("the [MASK] sat on the mat")
    place = ids[0].tolist().index(bert.tokenizer.mask_token_id)
    with torch.no_grad():
        expected = masked(torch.as_tensor(ids)).logits[:, place]
    np.testing.assert_allclose(model.predict(ids), expected.numpy(), atol=1e-5)
    assert model.output_index("cat") == bert.tokenizer.convert_tokens_to_ids("cat")
    with pytest.raises(InputError, match="has 0 mask tokens"):
        model.predict(model.encode("the cat"))
    classes = module_of("bert", len(bert.tokenizer), kind="AutoModelForSequenceClassification")
    model = TextEncoder(classes, bert.tokenizer, score="probability")
    ids = model.encode(TEXTS[0])
    with torch.no_grad():
        expected = classes(torch.as_tensor(ids)).logits.softmax(-1)
    assert torch.equal(torch.as_tensor(model.predict(ids)), expected)
    assert model.output_name(1) == "LABEL_1"
    assert model.output_index("LABEL_1") == 1
