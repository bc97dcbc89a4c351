"""Running, reading, editing and storing programs; analysis against what was planted."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.language.tagged import Tagged
from explicate.errors import FileFormatError, InputError, UnknownNameError, WindowError
from explicate.glassbox.transformer_programs import Program, TransformerProgramConfig
from explicate.glassbox.transformer_programs.analysis import accuracy, circuit, failures, simplified, size
from explicate.glassbox.transformer_programs.repairs import best_shift, failing_inputs, repair
from explicate.glassbox.transformer_programs.steps import Head, Lookup

from .conftest import random_inputs, random_model
from .test_faithfulness import run_of


def planted():
    """By hand: a token's tag tells the token before it (B for <s>, A for a, Z for b); the first tells itself."""
    before = np.array([0, 0, 1, 2])  # position -> the position before it
    steps = [Head("head_0_0", "positions", "positions", "tokens", before)]
    steps += [
        Lookup("mlp_0_0", ("head_0_0",), np.array([0, 1, 2, 2])),
        Head("head_0_1", "tokens", "tokens", "tokens", np.arange(4)),
    ]
    weights = {"mlp_0_0": np.eye(4)[:, :3], "tokens": np.zeros((4, 3)), "positions": np.zeros((4, 3))}
    weights["mlp_0_0"][3] = 0
    return Program(("<s>", "a", "b"), ("B", "A", "Z"), 4, 4, tuple(steps), weights)


def test_a_program_written_by_hand_does_what_it_says():
    program = planted()
    assert program.run(["<s>", "a", "b", "a"]) == ["B", "B", "A", "Z"]
    assert run_of(program.to_python())(["<s>", "a", "b", "a"]) == ["B", "B", "A", "Z"]
    assert program.dependencies()["head_0_0"] == ("positions", "tokens")
    assert program.variables["head_0_0"].values[:3] == ("<s>", "a", "b")  # it is named after what it copies
    assert program.variables["head_0_0"].reachable == (0, 1, 2)


def test_dead_code_goes_and_nothing_else_changes():
    program = planted()
    alive = program.live()
    assert [step.name for step in alive.steps] == ["head_0_0", "mlp_0_0"]
    sentences = random_inputs(("<s>", "a", "b"), 4, 20)
    assert alive.predict(sentences).tolist() == program.predict(sentences).tolist()
    assert size(program).dead == 1
    assert (size(program).heads, size(program).tables, size(program).predicates) == (2, 1, 6)


def test_features_add_up_to_the_logits():
    model = random_model(3, layers=2)
    names, parts = model.program.features(["<s>", "a", "b"])
    assert set(names) == set(model.program.variables)
    assert np.allclose(parts.sum(1), model.logits([["<s>", "a", "b"]])[0], atol=1e-12)


def test_a_circuit_is_the_smallest_set_by_enumeration():
    from itertools import combinations

    model = random_model(0, layers=1, categorical_heads=1, numeric_heads=1)
    sentences, program = random_inputs(each=20), model.program
    trace = program.trace(sentences)
    for tag in program.tags:
        said = (trace.predictions() == program.tags.index(tag)) & (trace.codes >= 0)
        if not said.any():
            continue
        found = circuit(program, sentences, tag)
        shares = {
            names: (program.without(names).trace(sentences).predictions() != program.tags.index(tag))[said].mean()
            for count in range(1, len(found) + 1)
            for names in combinations(program.weights, count)
        }
        assert shares[found] >= 0.5
        assert len(found) > 2 or not any(share >= 0.5 for names, share in shares.items() if len(names) < len(found))
    assert circuit(planted(), [["<s>", "a", "b"]], "A") == ("mlp_0_0",)
    with pytest.raises(InputError, match="for none of these"):
        circuit(planted(), [["<s>"]], "Z")


def test_a_planted_error_is_named_and_one_table_row_repairs_it():
    inputs = [tuple(tokens) for tokens in random_inputs(("<s>", "a", "b"), 4, 20)]
    right = [Tagged(tokens, tuple(planted().run(tokens))) for tokens in inputs]
    broken = planted().edit("mlp_0_0", "b", 1)
    found = failures(broken, right)
    assert {(one.expected, one.predicted, one.variable, one.value) for one in found} == {("Z", "A", "mlp_0_0", 1)}
    assert failing_inputs(right, found, 1)[0].endswith(": A, not Z, for mlp_0_0 = 1)")
    fixed = repair(broken, right, weights=False)
    assert (fixed.variable, fixed.entry, fixed.value, fixed.after) == ("mlp_0_0", ("b",), 2, 1.0)
    assert str(fixed) == "mlp_0_0(b) = 2"
    assert fixed.before == accuracy(broken, right) < 1
    assert repair(planted(), right) is None


def test_a_planted_wrong_weight_is_found_and_moved_back():
    inputs = [tuple(tokens) for tokens in random_inputs(("<s>", "a", "b"), 4, 20)]
    right = [Tagged(tokens, tuple(planted().run(tokens))) for tokens in inputs]
    broken = planted().reweighted("mlp_0_0", 2, "A", 3.0)  # 2 stands for Z
    fixed = repair(broken, right)
    assert (fixed.weight, fixed.after) == (True, 1.0)
    assert (fixed.variable, fixed.entry) in [("mlp_0_0", (2, "A")), ("mlp_0_0", (2, "Z")), ("head_0_0", ("b", "A"))]
    assert accuracy(fixed.program, right) == 1
    assert str(fixed).startswith(f"weight of {fixed.variable}({fixed.entry[0]}, ")


def test_a_repair_must_hold_on_the_rows_that_confirm_it():
    broken = planted().edit("mlp_0_0", "b", 1)
    inputs = [tuple(tokens) for tokens in random_inputs(("<s>", "a", "b"), 4, 20)]
    right = [Tagged(tokens, tuple(planted().run(tokens))) for tokens in inputs]
    others = [Tagged(tokens, tuple(broken.run(tokens))) for tokens in inputs]  # here, what is broken is right
    assert repair(broken, right, confirm=right).after == 1
    assert repair(broken, right, confirm=others) is None


def test_the_weight_of_a_number_is_moved_too():
    steps = (Head("count_0_0", "tokens", "tokens", "ones", np.arange(8), counts=True),)
    weights = {"count_0_0": np.array([[1.0, 0.0]]), "ones": np.array([[-4.5, 0.0]])}  # many: five or more; not three
    program = Program(("<s>", "a", "b"), ("many", "few"), 8, 8, steps, weights)
    rows = [Tagged(("a",) * count, ("many" if count > 2 else "few",) * count) for count in range(1, 9)]
    assert 0 < accuracy(program, rows) < 1
    fixed = repair(program, rows)
    assert fixed.weight
    assert fixed.after == accuracy(fixed.program, rows) == 1
    assert fixed.entry in ((1, "many"), (1, "few"))


@given(st.integers(0, 10_000))
def test_the_best_shift_of_a_weight_is_best_among_all(seed):
    rng = np.random.default_rng(seed)
    logits, truth = rng.integers(-3, 4, (8, 3)) + rng.choice([0.0, 0.3], (8, 3)), rng.integers(-1, 3, 8)
    truth[truth == -1] = -2

    def right(shift):
        return int(((logits + np.outer(times, [0, shift, 0])).argmax(1) == truth).sum())

    times = rng.integers(1, 4, 8)
    found, gain = best_shift(logits, truth, 1, times)
    assert right(found) - right(0) == gain >= 0
    assert right(found) >= max(right(shift) for shift in np.linspace(-8, 8, 321) + 0.01)
    assert best_shift(logits[:, :1], truth, 0) == (0, 0)


def test_a_program_without_what_it_can_do_without_is_shorter_and_as_good():
    inputs = [tuple(tokens) for tokens in random_inputs(("<s>", "a", "b"), 4, 20)]
    right = [Tagged(tokens, tuple(planted().run(tokens))) for tokens in inputs]
    idle = dataclasses.replace(planted(), weights={**planted().weights, "head_0_1": np.full((4, 3), 0.001)})
    short = simplified(idle, right)
    assert list(short.weights) == ["mlp_0_0"]
    assert [step.name for step in short.steps] == ["head_0_0", "mlp_0_0"]
    assert accuracy(short, right) == 1
    assert size(short).lines < size(idle).lines
    assert run_of(short.to_python())(["<s>", "a", "b", "a"]) == ["B", "B", "A", "Z"]
    assert len(simplified(random_model(3, layers=2).program, right[:3], loss=1.0).weights) == 1


def test_edits_change_one_entry_and_the_file_with_it():
    program = planted()
    changed = program.edit("head_0_0", 3, 3)
    assert changed.run(["<s>", "a", "b", "a"]) == ["B", "B", "A", "A"]
    assert run_of(changed.to_python())(["<s>", "a", "b", "a"]) == ["B", "B", "A", "A"]
    assert program.run(["<s>", "a", "b", "a"]) == ["B", "B", "A", "Z"]
    heavier = program.reweighted("tokens", "b", "B", 5.0)
    assert heavier.run(["<s>", "a", "b", "a"]) == ["B", "B", "B", "Z"]
    for attempt, error, message in (
        (lambda: program.edit("head_9", "a", 1), UnknownNameError, "no step 'head_9'; there are head_0_0"),
        (lambda: program.edit("head_0_0", 9, 1), UnknownNameError, "'positions' has no value 9"),
        (lambda: program.edit("mlp_0_0", ("a", "b"), 1), InputError, "reads head_0_0; give a value for each, not 2"),
        (lambda: program.reweighted("head_0_1", "a", "B", 1), UnknownNameError, "no weights for 'head_0_1'"),
        (lambda: program.reweighted("tokens", "a", "Q", 1), UnknownNameError, "no tag 'Q'"),
    ):
        with pytest.raises(error, match=message):
            attempt()


@pytest.mark.parametrize("inline", [True, False])
def test_files_come_back_and_changes_are_named_by_hash(tmp_path, inline):
    program = random_model(6, layers=2).program
    path = program.save(tmp_path / "one.py", inline=inline)
    assert Program.load(path).to_json() == program.to_json()
    assert Program.load(tmp_path / "one.json").fingerprint() == program.fingerprint()
    changed = path if inline else tmp_path / "one.csv"
    changed.write_text(changed.read_text() + "\n")
    with pytest.raises(FileFormatError, match=rf"{changed.name} was changed after it was exported: its SHA-256 is \w"):
        Program.load(path)
    changed.unlink()
    with pytest.raises(FileFormatError, match="is not there; export the program again"):
        Program.load(path)
    (tmp_path / "one.json").write_text("{}")
    with pytest.raises(FileFormatError, match="is no program"):
        Program.load(path)
    with pytest.raises(FileFormatError, match="is not there; a program is read from"):
        Program.load(tmp_path / "two.py")
    with pytest.raises(InputError, match=r"ends in \.py"):
        program.save(tmp_path / "one.txt")


def test_pythons_own_debugger_steps_through_the_file(tmp_path):
    path = planted().save(tmp_path / "planted.py")
    commands = ["-c", "b run", "-c", "c", "-c", "until", "-c", "r", "-c", "p head_0_0, mlp_0_0", "-c", "q"]
    done = subprocess.run(
        [sys.executable, "-m", "pdb", *commands, str(path), "<s>", "a", "b"], capture_output=True, text=True, timeout=60
    )
    assert "(['<s>', '<s>', 'a'], [0, 0, 1])" in done.stdout


def test_bad_inputs_are_refused_by_program_model_and_file_alike():
    model = random_model()
    run = run_of(model.to_python())
    for predict in (model.predict, model.program.predict):
        with pytest.raises(WindowError, match="sequence 1 has 8 tokens, the longest may have 7"):
            predict([["a"], ["a"] * 8])
        with pytest.raises(KeyError, match="sequence 0: the token 'zebra' is unknown"):
            predict([["zebra"]])
        with pytest.raises(InputError, match="sequence 0 is empty"):
            predict([[]])
        with pytest.raises(InputError, match="is the text 'a b'"):
            predict(["a b"])
    with pytest.raises(ValueError, match="8 tokens; the program takes 1 to 7"):
        run(["a"] * 8)
    with pytest.raises(KeyError, match="zebra"):
        run(["zebra"])
    with pytest.raises(FileFormatError, match="no program in JSON"):
        Program.from_json("{}")
    program = planted()
    with pytest.raises(InputError, match="reads 'head_9', which is not computed"):
        dataclasses.replace(program, steps=(Lookup("mlp_0_0", ("head_9",), np.zeros(4, int)),), weights={})


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"categorical_heads": 0, "numeric_heads": 0, "categorical_mlps": 0, "numeric_mlps": 0}, "zero heads and zero"),
        ({"end_temperature": 0.0}, "cannot fall from 3.0 to 0.0"),
        ({"start_temperature": 0.1, "end_temperature": 1.0}, "cannot fall from 0.1 to 1.0"),
        ({"layers": 0}, "layers is 0"),
        ({"numeric_heads": -1}, "numeric_heads is -1"),
        ({"mlp_inputs": 3}, "mlp_inputs is 3"),
        ({"embeddings": 0}, "embeddings is 0"),
        ({"sampling": "hard"}, "sampling 'hard' is unknown"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_bad_shapes_are_refused(shape, message):
    with pytest.raises(InputError, match=message):
        TransformerProgramConfig(**shape)


def test_a_width_that_is_too_small_names_both_numbers():
    with pytest.raises(InputError, match="a vocabulary of 9 tokens does not fit variables of 6 values"):
        TransformerProgramConfig(width=6).width_for(9, 4)
    with pytest.raises(InputError, match="sequences of 8 tokens do not fit variables of 6 values"):
        TransformerProgramConfig(width=6, embeddings=2).width_for(9, 8)
    assert TransformerProgramConfig().width_for(5, 8) == 8
