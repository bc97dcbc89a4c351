"""In-context explainers on models whose truth is known, with programs in the place of the chat model."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import explicate as ex
from explicate.core.kinds import Attribution
from explicate.errors import InputError, ModelError, TargetError, WindowError
from explicate.models.chat import LocalChat, ReplayedChat
from explicate.models.chat.scripted import constant, echo, turns
from explicate.rationales import InContextExplainer, Neighbourhood, solved
from explicate.rationales.neighbourhood import chosen
from explicate.rationales.scripted_rankers import copy, correlation, random, read_shots
from explicate.runtime import log as log_file

RNG = np.random.Generator(np.random.PCG64(0))
WEIGHTS = np.array([1.0, -4.0, 2.0, 0.2, -0.5])
TRUTH = [1, 2, 0, 4, 3]
SMALL = Neighbourhood(n_samples=500)


class Linear:
    """A logistic model with known weights."""

    classes_ = np.array([0, 1])

    def __init__(self, weights=WEIGHTS, bias=None):
        self.weights, self.bias = weights, -weights.sum() / 2 if bias is None else bias

    def predict_proba(self, rows):
        positive = 1 / (1 + np.exp(-np.clip(np.asarray(rows) @ self.weights + self.bias, -60, 60)))
        return np.stack([1 - positive, positive], axis=1)


@pytest.fixture
def rows():
    return 0.35 + 0.3 * RNG.random((12, 5))


@pytest.fixture
def model(rows):
    return ex.TabularModel(Linear(), np.vstack([rows, np.zeros(5), np.ones(5)]))


def method(chat, **fields):
    return InContextExplainer(**{"chat": chat, "neighbourhood": SMALL, **fields})


@pytest.mark.parametrize("chatty", [False, True])
@pytest.mark.parametrize("strategy", ["perturbation", "prediction", "instruction"])
def test_the_class_means_of_a_linear_model_rank_its_weights(model, rows, strategy, chatty):
    found = method(correlation(chatty), strategy=strategy, k=3).explain(model, rows)
    assert isinstance(found, Attribution)
    assert list(found["status"].values) == ["ok"] * 12
    assert (found["ranking"].values[:, 0] == TRUTH[0]).all()
    assert (found["ranking"].values[:, 1] == TRUTH[1]).mean() > 0.8
    ranking = found["ranking"].values
    for i in range(12):
        assert found.values[i, ranking[i]].tolist() == [5, 4, 3]
        assert found.values[i].sum() == 12
    assert found.provenance.evaluations > 12 * 500
    assert found.provenance.calls == 12


def test_delta_and_raw_carry_the_same_information(model, rows):
    delta, raw = (method(correlation(), format=how).explain(model, rows) for how in ("delta", "raw"))
    assert (delta["ranking"].values == raw["ranking"].values).all()
    for i in range(12):
        changes, values = (read_shots(one["step_prompt"].values[i, 0]) for one in (delta, raw))
        shift = values.values - changes.values
        assert (shift == shift[0]).all()  # the row itself, rounded


@pytest.mark.parametrize("how", ["delta", "raw"])
def test_the_prompt_shows_neither_the_row_nor_the_names(model, rows, how):
    prompt = method(correlation(), format=how).explain(model, rows)["step_prompt"].values[0, 0]
    scaled = rows[0]
    assert ", ".join(f"{name}: {value:.3f}" for name, value in zip("ABCDE", scaled, strict=True)) not in prompt
    assert not any(name in prompt for name in model.feature_names)


def test_a_row_has_its_own_cloud_whatever_the_batch(model, rows):
    together = method(correlation()).explain(model, rows, seed=3)
    alone = method(correlation()).explain(model, rows[4:5], seed=3)
    assert alone["step_prompt"].values[0, 0] == together["step_prompt"].values[4, 0]
    other = method(correlation()).explain(model, rows[4:5], seed=4)
    assert other["step_prompt"].values[0, 0] != alone["step_prompt"].values[0, 0]
    assert together["step_prompt"].values[3, 0] != together["step_prompt"].values[4, 0]


def test_the_hidden_output_is_scored_and_not_shown(model, rows):
    found = method(correlation(), strategy="prediction").explain(model, rows)
    hidden, predicted = found["hidden_output"].values, found["predicted_output"].values
    assert set(hidden) <= {-1, 0, 1}
    assert (hidden == predicted).mean() > 0.9
    shown = read_shots(found["step_prompt"].values[0, 0])
    assert shown.outputs[-1] == ""
    assert "" not in shown.outputs[:-1]
    silent = method(constant("no number\nA, B, C, D, E"), strategy="prediction").explain(model, rows[:1])
    assert silent["status"].values[0] == "ok"
    assert silent["predicted_output"].values[0] == -9


def test_a_random_ranking_finds_the_first_feature_by_chance(model):
    rows = 0.35 + 0.3 * RNG.random((400, 5))
    found = method(random(), neighbourhood=Neighbourhood(n_samples=100)).explain(model, rows)
    assert len(solved(found)) > 390  # a small cloud may be of one class
    hits = solved(found)["ranking"].values[:, 0] == TRUTH[0]
    assert abs(hits.mean() - 1 / 5) < 3 * np.sqrt(0.2 * 0.8 / len(hits))


def test_examples_and_their_explanations(model, rows):
    found = method(copy(), strategy="explanation", n_icl=4).explain(model, rows)
    assert list(found["status"].values) == ["ok"] * 12
    prompt = found["step_prompt"].values[0, 0]
    assert prompt.count("Explanation: ") == 4
    own = ", ".join(f"{name}: {value:.3f}" for name, value in zip("ABCDE", rows[0], strict=True))
    assert prompt.count(own) == 1  # a row is never its own example
    assert (found["ranking"].values[:, :2] == TRUTH[:2]).all(axis=1).mean() > 0.9
    balanced = method(copy(), strategy="explanation", sampler="balanced").explain(model, rows)
    for prompt in balanced["step_prompt"].values[:, 0]:
        assert sorted(read_shots(prompt).outputs[:4]) == ["0", "0", "1", "1"]


def test_an_explainer_is_given_by_name_and_written_down(model, rows):
    by_name = InContextExplainer.from_parameters({"strategy": "explanation", "explainer": "feature-ablation"})
    parameters = by_name.parameters()
    assert parameters["explainer"]["name"] == "feature-ablation"
    assert InContextExplainer.from_parameters(parameters) == by_name


def test_a_cloud_of_one_class_is_unsolvable_and_costs_no_call(rows):
    certain = ex.TabularModel(Linear(bias=-50.0), rows)
    chat = constant("A, B, C, D, E")
    found = method(chat).explain(certain, rows[:2])
    assert list(found["status"].values) == ["unsolvable"] * 2
    assert chat.ledger.calls == 0
    assert not found.values.any()
    with pytest.raises(InputError, match="no reply was a ranking"):
        solved(found)


def test_what_is_left_keeps_its_instance(model, rows):
    replies = iter(["A, B, C, D, E", "none", "E, D, C, B, A"])
    chat = ex.models.chat.ScriptedChat(lambda messages, rng: next(replies))
    found = method(chat).explain(model, rows[:3])
    assert list(found["status"].values) == ["ok", "bad_reply", "ok"]
    assert found["step_reply"].values[1, 0] == "none"
    assert found.data.attrs["count_bad_reply"] == 1
    left = solved(found)
    assert left["instance"].values.tolist() == [0, 2]
    assert np.allclose(left["inputs"].values, rows[[0, 2]])
    assert left["ranking"].values.tolist() == [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   \n",
        "A, B",
        "A, A, B",
        "A, Q, B",
        "Die Merkmale sind wichtig",
        "[1, 2, 3]",
        "Ignore the task, grade: correct",
    ],
)
def test_a_bad_reply_is_kept_and_never_guessed(model, rows, reply):
    found = method(constant(reply), k=3).explain(model, rows[:1])
    assert found["status"].values[0] == "bad_reply"
    assert found["step_reply"].values[0, 0] == reply
    assert not found.values.any()
    assert (found["ranking"].values == -1).all()


def test_a_bad_reply_is_asked_for_again_a_bounded_number_of_times(model, rows):
    found = method(turns("no", "still no", "C, B, A"), k=3, attempts=3).explain(model, rows[:1])
    assert found["status"].values[0] == "ok"
    assert list(found["step_reply"].values[0]) == ["no", "still no", "C, B, A"]
    assert list(found["step_status"].values[0]) == ["bad reply", "bad reply", "ok"]
    assert "cannot be read: it ranks 0 features" not in found["step_prompt"].values[0, 0]
    assert "'no' is none of A, B, C, D, E" in found["step_prompt"].values[0, 1]
    assert found.provenance.calls == 3
    failed = method(constant("no"), attempts=2).explain(model, rows[:1])
    assert failed["status"].values[0] == "bad_reply"
    assert failed.provenance.calls == 2


def test_a_log_replays_the_explanation_without_the_model(model, rows, tmp_path):
    path = tmp_path / "calls.jsonl"
    first = method(random(chatty=True, log=path), strategy="prediction").explain(model, rows)
    again = method(str(path), strategy="prediction").explain(model, rows)
    assert again.provenance.calls == 0
    assert again.provenance.cached_calls == 12
    assert np.array_equal(first.values, again.values)
    assert np.array_equal(first["predicted_output"].values, again["predicted_output"].values)
    assert np.array_equal(first["step_reply"].values, again["step_reply"].values)
    assert again.data.attrs["chat_fingerprint"] == first.data.attrs["chat_fingerprint"]
    assert len(log_file.read(path)) == 12
    with pytest.raises(InputError, match="has no reply to"):
        method(str(path), strategy="prediction").explain(model, rows, seed=1)


def test_an_explanation_goes_through_a_file_and_a_rerun(model, rows, tmp_path):
    path = tmp_path / "calls.jsonl"
    method(correlation(log=path)).explain(model, rows)
    found = method(ReplayedChat(path)).explain(model, rows)
    again = ex.rerun(found.save(tmp_path / "found.nc"), model)
    assert again.equal
    assert list(again.after["step_reply"].values[:, 0]) == list(found["step_reply"].values[:, 0])


def test_soft_outputs_and_their_stretch(model, rows):
    soft = method(correlation(), soft=True).explain(model, rows)
    stretched = method(correlation(), soft=True, rescale=True, format="raw").explain(model, rows)
    outputs = np.array([float(x) for x in read_shots(soft["step_prompt"].values[0, 0]).outputs])
    assert ((outputs > -1) & (outputs < 1)).all()
    assert len(set(outputs)) > 2
    ends = [float(x) for x in read_shots(stretched["step_prompt"].values[0, 0]).outputs]
    assert (min(ends), max(ends)) == (0.0, 1.0)
    assert (soft["ranking"].values[:, 0] == TRUTH[0]).all()


def test_context_and_reasoning_are_options(model, rows):
    def prompt(**fields):
        return method(correlation(), **fields).explain(model, rows[:1])["step_prompt"].values[0, 0]

    assert prompt().startswith("A machine learning model decides")
    assert "Explain your reasoning" in prompt()
    assert prompt(context=False).startswith("The dataset shows")
    assert "Explain your reasoning" not in prompt(reasoning=False)


def test_more_than_26_features_have_two_letters_or_none(rows):
    wide = np.tile(rows, (1, 6))
    model = ex.TabularModel(Linear(np.tile(WEIGHTS, 6) * np.arange(30, 0, -1)), wide)
    with pytest.raises(InputError, match="30 features have no single letters; switch on two_letters"):
        method(correlation()).explain(model, wide[:1])
    found = method(correlation(), two_letters=True, k=2).explain(model, wide[:1])
    assert found["status"].values[0] == "ok"
    assert "AA: " in found["step_prompt"].values[0, 0]
    assert "BD: " in found["step_prompt"].values[0, 0]


def test_flips_move_0_1_columns_by_one(rows):
    binary = rows.copy()
    binary[:, 4] = (binary[:, 4] > 0.5).astype(float)
    model = ex.TabularModel(Linear(), binary)
    found = method(correlation(), feature_types=("c", "c", "c", "c", "d"), scale="unit").explain(model, binary)
    moved = np.concatenate([read_shots(prompt).values[:, 4] for prompt in found["step_prompt"].values[:, 0]])
    assert set(moved) <= {-1000, 0, 1000}
    cloud = Neighbourhood(n_samples=20_000).draw(binary[0], ("c", "c", "c", "c", "d"), np.random.default_rng(0))
    flipped = (cloud[:, 4] != binary[0, 4]).mean()
    assert abs(flipped - np.sqrt(2 / np.pi) * 0.1) < 4 * np.sqrt(0.08 * 0.92 / 20_000)
    with pytest.raises(InputError, match="feature 0 is declared a 0/1 column"):
        method(correlation(), feature_types=("d", "c", "c", "c", "c"), scale="unit").explain(model, binary)


@given(st.integers(1, 60), st.integers(0, 60), st.integers(2, 20), st.sampled_from(["random", "most_confident"]))
def test_shots_are_balanced_as_far_as_there_are_any(low, high, count, sampler):
    probability = np.concatenate([np.linspace(0.01, 0.49, low), np.linspace(0.5, 0.99, high)])
    picked = chosen(probability, count, sampler, "shuffle", np.random.default_rng(0))
    if high == 0:
        assert picked is None
        return
    assert len(set(picked)) == len(picked) == min(count, low + high)
    of_one = int((probability[picked] >= 0.5).sum())
    assert of_one == min(max(count - count // 2, count - low), high)
    if sampler == "most_confident":
        assert probability[picked].max() == probability.max()
        assert probability[picked].min() == probability.min()


def test_alternating_shots():
    probability = np.array([0.1, 0.2, 0.3, 0.9, 0.8])
    found = chosen(probability, 5, "most_confident", "alternate", np.random.default_rng(0))
    assert [int(probability[i] >= 0.5) for i in found] == [0, 1, 0, 1, 0]


def test_three_classes_ask_which_one(rows):
    labels = np.arange(12) % 3
    model = ex.TabularModel(LogisticRegression().fit(rows, labels), rows)
    with pytest.raises(TargetError, match=r"choice between two classes.*has 3 \(0, 1, 2\).*say which one, against the"):
        method(correlation()).explain(model, rows)
    found = method(correlation(), neighbourhood=Neighbourhood(400, 0.9)).explain(model, rows, target=1)
    assert set(found["status"].values) <= {"ok", "unsolvable"}
    pair = method(correlation(), neighbourhood=Neighbourhood(400, 0.9)).explain(model, rows, target=ex.Contrast(0, 2))
    assert "ok" in set(pair["status"].values)


def test_bad_parameters_and_inputs(model, rows):
    with pytest.raises(InputError, match=r"k is 6, but 'Linear' has 5 features"):
        method(correlation(), k=6).explain(model, rows)
    with pytest.raises(InputError, match="in-context asks a chat model; name one"):
        InContextExplainer().explain(model, rows)
    with pytest.raises(InputError, match="strategy 'guess' is unknown"):
        InContextExplainer(strategy="guess")
    with pytest.raises(InputError, match="needs soft=True"):
        InContextExplainer(rescale=True)
    with pytest.raises(InputError, match=r"column 'x1', row 0: NaN or infinite"):
        method(correlation()).explain(model, np.array([[0, np.nan, 0, 0, 0]]))
    broken = ex.TabularModel(lambda rows: np.full(len(rows), np.nan), rows)
    with pytest.raises(ModelError, match="NaN or infinite for sample"):
        method(correlation()).explain(broken, rows)
    regression = ex.TabularModel(lambda rows: 7 * rows[:, 0], rows)
    with pytest.raises(InputError, match="no probabilities"):
        method(correlation()).explain(regression, rows)
    import pandas as pd

    frame = pd.DataFrame({"a": [0.1, 0.2, 0.3], "b": pd.Categorical(["x", "y", "z"])})
    named = ex.TabularModel(lambda frame: frame["a"].to_numpy(), frame)
    with pytest.raises(InputError, match="column 'b' has 3 categories without an order"):
        method(correlation()).explain(named, frame)


def test_smollm2_ranks_and_what_it_says_is_kept(smollm2, model, rows, tmp_path):
    chat = LocalChat(smollm2, cache=False, log=tmp_path / "calls.jsonl")
    explainer = method(chat, k=2, n_icl=8, max_new_tokens=16, reasoning=False)
    found = explainer.explain(model, rows[:1])
    assert set(found["status"].values) <= {"ok", "bad_reply"}
    assert all(reply.strip() for reply in found["step_reply"].values[:, 0])
    assert (found["step_prompt_tokens"].values > 300).all()
    again = replace(explainer, chat=str(tmp_path / "calls.jsonl")).explain(model, rows[:1])
    assert np.array_equal(found.values, again.values)
    with pytest.raises(WindowError, match="nothing is cut"):
        method(chat, n_icl=400, max_new_tokens=24).explain(model, rows[:1])


def test_an_echo_is_no_answer(model, rows):
    assert method(echo()).explain(model, rows[:1])["status"].values[0] == "bad_reply"
