"""The hard bar: the program is the model, on every input; the exported file is plain, formatted, typed Python."""

import subprocess
import sys

import numpy as np
import pytest

from explicate.glassbox import check_glass_box, replay
from explicate.glassbox.transformer_programs import Program
from explicate.glassbox.transformer_programs.runtime import select_closest

from .conftest import WORDS, random_inputs, random_model

SHAPES = [
    {},
    {"layers": 3, "categorical_heads": 3, "numeric_heads": 2, "categorical_mlps": 2, "numeric_mlps": 2},
    {"layers": 2, "numeric_heads": 0, "numeric_mlps": 1},
    {"layers": 2, "categorical_heads": 0},
    {"layers": 2, "categorical_mlps": 0, "numeric_mlps": 0, "causal": True},
    {"categorical_heads": 0, "numeric_heads": 0, "categorical_mlps": 2, "numeric_mlps": 1},
    {"layers": 2, "counts_only": False, "numeric_heads": 3, "numeric_mlps": 2},
    {"layers": 2, "position_bias": "none", "mlp_inputs": 1},
    {"layers": 2, "position_bias": "clipped", "causal": True},
    {"layers": 2, "attention": "score"},
    {"layers": 2, "attention": "score", "position_bias": "clipped"},
    {"layers": 2, "attention": "score", "position_bias": "none"},
    {"layers": 2, "embeddings": 3, "width": 9, "causal": True},
    {"layers": 2, "pooled": True},
]


def run_of(source):
    """The file's `run`, from its text alone."""
    space = {"__name__": "program"}
    exec(compile(source, "program.py", "exec"), space)
    return space["run"]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: ",".join(f"{k}={v}" for k, v in shape.items()) or "default")
@pytest.mark.parametrize("seed", range(3))
def test_file_program_and_model_agree_on_every_length(shape, seed):
    model = random_model(seed, **shape)
    sentences = random_inputs(seed=seed, each=30)
    expected = model.predict(sentences).tolist()
    assert model.program.predict(sentences).tolist() == expected
    for unreachable in (False, True):
        run = run_of(model.to_python(unreachable=unreachable))
        assert [tuple(run(tokens)) for tokens in sentences] == expected
    assert Program.from_json(model.program.to_json()).predict(sentences).tolist() == expected
    if not shape.get("pooled"):
        assert len({tag for row in expected for tag in row}) > 1  # the answer is not always the same


def test_logits_of_network_and_program_are_equal_to_rounding():
    model = random_model(4, layers=3)
    sentences = [tokens for tokens in random_inputs() if len(tokens) == 7]
    assert np.allclose(model.logits(sentences), model.program.trace(sentences).logits(), atol=1e-12)


def test_batches_do_not_change_what_a_sequence_gives():
    model = random_model(2, layers=2)
    sentences = random_inputs(each=5)
    alone = [model.predict([tokens])[0] for tokens in sentences]
    assert model.predict(sentences).tolist() == alone


def test_the_selection_rule_is_the_models_in_all_match_patterns_of_eight():
    """The published rule, which uses the number of matches as the distance to oneself, differs in 73 of 2,048."""
    from explicate.models.tiny.programs.attention import fixed_bias

    bias = fixed_bias(8).double().numpy()
    published_differs = 0
    for pattern in range(256):
        matches = np.array([pattern >> place & 1 for place in range(8)], dtype=bool)
        places = select_closest(matches.tolist(), [True] * 8, lambda query, key: bool(key))
        for query in range(8):
            scores = np.log(matches + (0 if matches.any() else np.eye(8)[0]) + 1e-20) + bias[:, query]
            assert places[query] == int(scores.argmax())
            published_differs += _published(matches, query) != places[query]
    assert published_differs == 73


def _published(matches, query):
    places = np.flatnonzero(matches).tolist()
    if not places:
        return 0
    return min(places, key=lambda place: len(places) if place == query else abs(query - place))


def test_the_file_is_formatted_typed_and_runs_alone_without_torch(tmp_path):
    for number, shape in enumerate(SHAPES):
        model = random_model(5, tags=("x", "y", 'z"'), **shape)
        model.program.save(tmp_path / f"program_{number}.py", inline=number % 2 == 0)
    files = sorted(tmp_path.glob("*.py"))
    checks = (
        ["ruff", "format", "--isolated", "--check", "-q"],
        ["mypy", "--strict", "--cache-dir", str(tmp_path / "c")],
    )
    for command in checks:
        done = subprocess.run([sys.executable, "-m", *command, *map(str, files)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    tokens = ["<s>", "a", 'c"', "d'", "a"]
    for number, file in enumerate(files):
        model = random_model(5, tags=("x", "y", 'z"'), **SHAPES[int(file.stem.split("_")[1])])
        alone = [sys.executable, "-I", "-S", str(file), *tokens]  # no site packages: nothing but Python is there
        done = subprocess.run(alone, capture_output=True, text=True, check=True)
        assert done.stdout.split() == [str(tag) for tag in model.predict([tokens])[0]], number


def test_the_contract_of_glass_boxes():
    for shape in ({"layers": 2}, {"pooled": True}, {"embeddings": 2, "width": 8}):
        model = random_model(1, **shape)
        check_glass_box(model, random_inputs(each=3))
    explanation = model.explain([["a", "b"]])
    assert replay(explanation).tolist() == model.predict([["a", "b"]]).tolist()
    assert "embedding_0:" in explanation["proof"].values[0]
    assert len(explanation.texts) == len(model.program.steps) + 1
    assert "number_mlp_0_0" in explanation._repr_html_()


def test_a_token_that_is_unknown_is_read_as_unk_where_that_is_known():
    known = random_model(words=(*WORDS, "<unk>"))
    assert known.predict([["<s>", "a", "zebra"]]).tolist() == known.predict([["<s>", "a", "<unk>"]]).tolist()
    run = run_of(known.to_python())
    assert run(["<s>", "a", "zebra"]) == run(["<s>", "a", "<unk>"])
