"""Tasks are solved by their references, written and read back in both encodings, and searched for shorter programs."""

import itertools
import json

import numpy as np
import pytest

from explicate.data.language.karel import (
    Cells,
    Compact,
    ProgramCorpus,
    Setting,
    TaskSource,
    read_tasks,
    shortest_program,
    write_tasks,
)
from explicate.data.language.karel.interpreter import final
from explicate.data.language.karel.programs import program_lengths
from explicate.data.language.karel.shortest import shortest_lengths
from explicate.data.language.karel.tasks import all_programs, best_constant, without_repeats
from explicate.errors import FileFormatError, InputError

OPEN = TaskSource(Setting(3, 3, walls=0.0, marked=1), shown=2, hidden=2, lengths=(1, 4))


@pytest.fixture
def tasks():
    return OPEN.draw(np.random.default_rng(0), 40)


def test_references_solve_what_is_shown_and_what_is_hidden(tasks):
    assert tasks.solved_by(tasks.programs).all()
    assert tasks.solved_by(tasks.programs, hidden=True).all()
    assert tasks.equal_reference(np.pad(tasks.programs, ((0, 0), (0, 3)), constant_values=-1)).all()
    assert not tasks.solved_by(np.full((40, 2), -1)).any()  # nothing is no program, also where nothing has to be done
    some = tasks.take(np.array([5, 7]))
    assert some.solved_by(some.programs, hidden=True).all()
    assert some.first_inputs().same_as(tasks.first_inputs().take([5, 7])).all()
    with pytest.raises(InputError, match="hidden"):
        TaskSource(hidden=0).draw(np.random.default_rng(0), 2).solved_by(np.zeros((2, 1), int), hidden=True)


def test_a_program_solves_a_task_only_if_all_shown_examples_come_out(tasks):
    wrong = np.where(tasks.programs == 0, 1, tasks.programs)
    rows = tasks.rows(np.arange(2))
    ends = final(np.repeat(wrong, 2, axis=0), tasks.inputs.take(rows))
    expected = [
        all(ends.take([2 * i + j]).same_as(tasks.outputs.take([4 * i + j]))[0] for j in (0, 1)) for i in range(40)
    ]
    assert tasks.solved_by(wrong).tolist() == expected
    assert 0 < np.mean(expected) < 1


@pytest.mark.parametrize("encoding", [Compact(3, 3), Compact(3, 3, split_pose=True), Cells(3, 3, examples=2)])
def test_texts_hold_the_program_and_every_example(encoding, tasks):
    texts = encoding.texts(tasks)
    words = [[encoding.vocabulary[i] for i in row if i >= 0] for row in texts]
    assert all(row[0] == "Examples:" and row[-1] == "end" for row in words)
    code = [row.index("Code:") for row in words]
    actions = np.full((40, 6), -1)
    for number, (row, place) in enumerate(zip(texts, code, strict=True)):
        tail = row[row >= 0][place + 1 :]
        actions[number, : len(tail)] = tail
    assert tasks.equal_reference(encoding.programs(actions)).all()
    heads = {tuple(row[:place]) for row, place in zip(words, code, strict=True)}
    states = {tuple(tasks.inputs.draw(4 * i + j) + tasks.outputs.draw(4 * i + j) for j in (0, 1)) for i in range(40)}
    assert len(heads) >= len(states)  # different examples, different texts
    assert np.array_equal(
        encoding.prompts(tasks),
        np.where(np.arange(texts.shape[1]) <= np.array(code)[:, None], texts, -1)[:, : max(code) + 1],
    )


def test_compact_words_name_the_pose_and_each_marker(tasks):
    encoding = Compact(3, 3)
    row = encoding.prompts(tasks)[0]
    words = [encoding.vocabulary[i] for i in row if i >= 0]
    world = tasks.inputs.take([0])
    pose = f"pose-{world.rows[0] - 1}-{world.columns[0] - 1}-{('up', 'right', 'down', 'left')[world.directions[0]]}"
    row, column = np.argwhere(world.markers[0])[0] - 1
    assert words[1:3] == [pose, f"cell-{row}-{column}"]
    assert sum(word.startswith("pose") for word in words) == 4
    with pytest.raises(InputError, match="wall"):
        encoding.prompts(TaskSource(Setting(3, 3, walls=0.5)).draw(np.random.default_rng(0), 5))


def test_a_split_pose_is_a_direction_and_a_cell_and_inputs_are_known_from_outputs(tasks):
    encoding = Compact(3, 3, split_pose=True)
    assert len(encoding.vocabulary) == 8 + 4 + 9
    texts = encoding.texts(tasks)
    row, inputs = texts[0], encoding.of_inputs(texts)[0]
    words = [encoding.vocabulary[i] for i in row if i >= 0]
    world = tasks.inputs.take([0])
    assert words[1] == ("up", "right", "down", "left")[world.directions[0]]
    assert words[2] == f"cell-{world.rows[0] - 1}-{world.columns[0] - 1}"
    starts = [place for place, word in enumerate(words) if word in ("up", "right", "down", "left")]
    expected = [starts[0] <= place < starts[1] or starts[2] <= place < starts[3] for place in range(len(words))]
    assert inputs[: len(words)].tolist() == expected
    batch = ProgramCorpus(OPEN, encoding, inputs_count=0.5).batch(np.random.default_rng(0), 4)
    assert np.array_equal(batch.weights == 0.5, encoding.of_inputs(batch.ids))
    assert ProgramCorpus(OPEN, encoding).batch(np.random.default_rng(0), 4).weights is None
    cells = Cells(3, 3, examples=2)
    words = np.array(cells.vocabulary)[cells.prompts(tasks)[0]]
    assert [words[1], words[11]] == ["Input0", "Output0"]
    assert cells.of_inputs(cells.prompts(tasks))[0].nonzero()[0].tolist() == [*range(1, 11), *range(21, 31)]


def test_cells_are_one_word_each_row_by_row(tasks):
    encoding = Cells(3, 3, examples=2)
    words = [encoding.vocabulary[i] for i in encoding.prompts(tasks)[0]]
    assert [words.index(name) for name in ("Input0", "Output0", "Input1", "Output1")] == [1, 11, 21, 31]
    drawn = "".join(line[1:-1] for line in tasks.inputs.draw(0).splitlines()[1:-1])
    names = {
        "#": "wall",
        ".": "empty",
        "^": "hero-up",
        ">": "hero-right",
        "v": "hero-down",
        "<": "hero-left",
        "1": "markers-1",
    }
    assert words[2:11] == [names[sign] for sign in drawn]
    with pytest.raises(InputError, match="names for 1 examples, 2"):
        Cells(3, 3, examples=1).prompts(tasks)
    with pytest.raises(InputError, match="6 x 6 cells, the worlds have 3 x 3"):
        Cells().prompts(tasks)


def test_what_is_no_program_becomes_a_row_without_actions():
    encoding = Compact()
    end, (move, *_) = encoding.end, encoding.action_tokens
    written = np.array([[move, end, -1], [end, -1, -1], [move, move, move], [move, 0, end], [move, end, 99]])
    assert program_lengths(encoding.programs(written)).tolist() == [1, 0, 0, 0, 1]


def test_the_grammar_allows_actions_and_an_end_after_the_first():
    encoding = Compact()
    allowed = [set(np.flatnonzero(encoding.allowed(written, 2))) for written in range(3)]
    actions = set(encoding.action_tokens)
    assert allowed == [actions, actions | {encoding.end}, {encoding.end}]


def test_a_context_that_is_too_short_is_named_with_both_numbers(tasks):
    prompts = Cells(3, 3).prompts(tasks)
    with pytest.raises(InputError, match=r"up to 47 tokens, the model takes 46"):
        Cells(3, 3).check_context(prompts, 4, 46)
    Cells(3, 3).check_context(prompts, 4, 47)


def test_the_shortest_program_is_that_of_trying_them_all(tasks):
    every = all_programs(4)
    assert len(every) == 5 + 25 + 125 + 625
    lengths = program_lengths(every)
    for number in range(12):
        own = tasks.take(np.array([number]))
        rows = own.rows(np.arange(2))
        inputs, outputs = own.inputs.take(rows), own.outputs.take(rows)
        found = shortest_program(inputs, outputs, 4)
        if inputs.same_as(outputs).all():
            assert len(found) == 0
            continue
        solving = every[[own.solved_by(one[None])[0] for one in every]]
        assert len(found) == program_lengths(solving).min()
        assert own.solved_by(found[None])[0]
        assert len(found) <= program_lengths(own.programs)[0]
    assert lengths.min() == 1
    rows = tasks.rows(np.arange(2))
    many = shortest_lengths(tasks.inputs.take(rows), tasks.outputs.take(rows), 2, 4)
    assert (many <= program_lengths(tasks.programs)).all()
    assert shortest_lengths(tasks.inputs.take(rows), tasks.outputs.take(rows[::-1]), 2, 1).min() == -1


def test_the_best_constant_program_is_the_best(tasks):
    program, share = best_constant(tasks, all_programs(2))
    shares = [tasks.solved_by(np.tile(one, (40, 1))).mean() for one in all_programs(2)]
    assert share == max(shares)
    assert tasks.solved_by(np.tile(program, (40, 1))).mean() == share


def test_tasks_that_occur_elsewhere_are_left_out(tasks):
    left = without_repeats(tasks, [tasks.take(np.array([1, 3])), OPEN.draw(np.random.default_rng(9), 10)])
    assert len(left) == 38
    assert np.array_equal(left.programs[:2], tasks.programs[[0, 2]])


def test_corpus_and_held_out_tasks_come_from_different_draws():
    corpus = ProgramCorpus()
    batch = corpus.batch(np.random.default_rng(0), 3)
    assert batch.ids.dtype == np.int64
    assert np.array_equal(batch.ids, corpus.batch(np.random.default_rng(0), 3).ids)
    first, second = corpus.held_out(20, 0), corpus.held_out(20, 1)
    assert len(without_repeats(first, [second])) > 10
    assert corpus.longest == 6


def test_files_of_the_papers_are_read_back(tmp_path):
    tasks = TaskSource(Setting(), shown=2, hidden=1).draw(np.random.default_rng(0), 8)
    path = write_tasks(tmp_path / "tasks.jsonl", tasks)
    record = json.loads(path.read_text().splitlines()[0])
    assert set(record) == {"code", *(f"{part}{i}" for part, i in itertools.product(("input", "output"), range(3)))}
    found = read_tasks(path, shown=2)
    assert found.equal_reference(tasks.programs).all()
    assert found.inputs.same_as(tasks.inputs).all()
    assert (found.shown, found.hidden) == (2, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code": "def run() { fly(); }"}, "line 2: .*'fly'"),
        ({"code": None}, "line 2"),
        ({"input0": "nonsense"}, "line 2: world 0"),
        ({"code": "def run() { if (front_is_clear()) { move(); } }"}, "line 2: .*branches"),
        ({"output0": "###\n#^#\n###", "input0": "###\n#>#\n###"}, "line 2"),
    ],
)
def test_damaged_files_are_refused_with_the_line(tmp_path, change, message):
    tasks = TaskSource(Setting(), shown=1, hidden=1).draw(np.random.default_rng(0), 3)
    path = write_tasks(tmp_path / "tasks.jsonl", tasks)
    lines = path.read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | change)
    path.write_text("\n".join(lines))
    with pytest.raises(FileFormatError, match=message):
        read_tasks(path, shown=1)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_tasks(tmp_path / "none.jsonl")


def test_examples_that_the_program_does_not_give_are_refused(tmp_path):
    tasks = TaskSource(Setting(), shown=1, hidden=1).draw(np.random.default_rng(0), 3)
    path = write_tasks(tmp_path / "tasks.jsonl", tasks)
    first = json.loads(path.read_text().splitlines()[0])
    first["output0"] = first["output0"].translate(str.maketrans("^>v<", ">v<^"))
    path.write_text(json.dumps(first))
    with pytest.raises(FileFormatError, match="does not turn"):
        read_tasks(path, shown=1)
    assert len(read_tasks(path, shown=1, check=False)) == 1
    with pytest.raises(FileFormatError, match="2 examples where 5"):
        read_tasks(path, check=False)
