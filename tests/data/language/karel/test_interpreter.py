"""Two interpreters agree; every action does what the papers say; other semantics are other programs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.language.karel import (
    ACTIONS,
    ALTERNATIVES,
    ORIGINAL,
    Karel,
    Semantics,
    Setting,
    alternative,
    parse,
    read_worlds,
    text_of,
)
from explicate.data.language.karel.interpreter import final, step
from explicate.data.language.karel.programs import as_array, program_lengths, random_programs
from explicate.errors import InputError

ROOM = ["#####\n#...#\n#1>.#\n#...#\n#####"]


def after(code, drawn=ROOM[0], semantics=ORIGINAL):
    return Karel().run(parse(f"def run() {{ {code} }}"), read_worlds([drawn]), semantics)


def plain_step(grid, row, column, direction, action):
    """One action, written without arrays: the second source of truth."""
    d_row, d_column = [(-1, 0), (0, 1), (1, 0), (0, -1)][direction]
    walls, markers = grid
    if action == "move" and not walls[row + d_row][column + d_column]:
        row, column = row + d_row, column + d_column
    elif action == "turn_left":
        direction = (direction + 3) % 4
    elif action == "turn_right":
        direction = (direction + 1) % 4
    elif action == "put_marker":
        markers[row][column] += 1
    elif action == "pick_marker" and markers[row][column] > 0:
        markers[row][column] -= 1
    return row, column, direction


def test_each_action_and_what_cannot_be_done():
    assert after("move();")[-1].draw() == "#####\n#...#\n#1.>#\n#...#\n#####"
    assert after("move(); move();")[-1].same_as(after("move();")[-1]).all()  # a wall
    assert after("turn_left();")[-1].draw()[2 * 6 + 2] == "^"
    assert after("turn_right();")[-1].draw()[2 * 6 + 2] == "v"
    assert after("pick_marker();")[-1].same_as(after("turn_left(); turn_right();")[-1]).all()  # an empty cell
    assert after("put_marker(); put_marker(); move();")[-1].draw() == "#####\n#...#\n#12>#\n#...#\n#####"
    assert after("put_marker(); pick_marker();")[-1].same_as(after("pick_marker();")[-1]).all()
    assert after("turn_left(); turn_left(); move(); pick_marker();")[-1].markers.sum() == 0


@given(st.integers(0, 2**32), st.sampled_from([ORIGINAL, *ALTERNATIVES]))
def test_many_worlds_at_once_equal_the_interpreter_of_one_and_a_plain_one(seed, semantics):
    rng = np.random.default_rng(seed)
    worlds = Setting(4, 3, walls=0.2, markers=0.3).draw(rng, 6)
    programs = random_programs(rng, 6, (1, 7))
    ends = final(programs, worlds, semantics)
    for number in range(6):
        one = Karel().run(parse(text_of(programs[number])), worlds.take([number]), semantics)
        assert len(one) == program_lengths(programs)[number] + 1
        assert one[-1].same_as(ends.take([number])).all()
        grid = (worlds.walls[number].tolist(), worlds.markers[number].astype(int).tolist())
        hero = (int(worlds.rows[number]), int(worlds.columns[number]), int(worlds.directions[number]))
        for action in programs[number][programs[number] >= 0]:
            hero = plain_step(grid, *hero, semantics.meanings[action])
        assert hero == (ends.rows[number], ends.columns[number], ends.directions[number])
        assert grid[1] == ends.markers[number].tolist()


def test_traces_of_many_programs_are_those_of_one_by_one():
    rng = np.random.default_rng(1)
    worlds = Setting().draw(rng, 30)
    programs = random_programs(rng, 30, (1, 5))
    programs[3] = -1  # no actions: no trace
    fast = Karel().traces(programs, worlds, ALTERNATIVES[1])
    assert 3 not in fast.program
    slow = Karel().traces(
        [*map(parse, (text_of(p) for p in programs[4:])), parse(BRANCHES)], worlds.take([*range(4, 30), 0])
    )
    again = Karel().traces(programs[4:], worlds.take(slice(4, None)))
    kept = slow.program < 26
    assert slow.states.take(kept).same_as(again.states).all()
    assert (slow.step[kept] == again.step).all()
    assert (fast.first == np.maximum.accumulate(np.where(fast.step == 0, np.arange(len(fast)), 0))).all()
    assert (fast.step[fast.last] == np.array([fast.lengths[p] for p in fast.program])).all()


BRANCHES = (
    "def run() { if (markers_present()) { pick_marker(); } "
    "ifelse (front_is_clear()) { move(); } else { turn_left(); } }"
)


def test_branches_follow_the_world():
    assert [
        len(after("move(); if (front_is_clear()) { move(); }")),
        len(after("if (front_is_clear()) { move(); }")),
    ] == [2, 2]
    assert after("ifelse (no_markers_present()) { put_marker(); } else { move(); }")[-1].markers.sum() == 2
    assert after("if (left_is_clear()) { turn_left(); } if (right_is_clear()) { move(); }")[-1].draw()[6 + 2] == "^"
    corner = "####\n#>.#\n####"
    assert len(after("if (left_is_clear()) { move(); } if (right_is_clear()) { move(); } turn_left();", corner)) == 2
    assert parse(BRANCHES) == parse(text_of(parse(BRANCHES)))
    with pytest.raises(InputError, match="most_steps"):
        Karel(most_steps=2).run(parse("def run() { move(); move(); move(); }"), read_worlds(ROOM))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", "'def'"),
        ("def run() { }", "no actions"),
        ("def run() { jump(); }", "'jump'"),
        ("def run() { move() }", "';'"),
        ("def run() { move();", "the end"),
        ("def run() { move(); } }", "goes on"),
        ("def run() { if (rain()) { move(); } }", "no condition"),
        ("def run() { ifelse (front_is_clear()) { move(); } }", "'else'"),
    ],
)
def test_what_is_no_program_is_refused_by_name(code, message):
    with pytest.raises(InputError, match=message):
        parse(code)


def test_semantics_are_total_and_no_identity():
    same = dict(zip(ACTIONS, ACTIONS, strict=True))
    with pytest.raises(InputError, match="changes no meaning"):
        Semantics.of("same", same)
    with pytest.raises(InputError, match="no meaning to pick_marker"):
        Semantics.of("partial", dict.fromkeys(ACTIONS[:-1], "move"))
    with pytest.raises(InputError, match="jump"):
        Semantics.of("foreign", same | {"move": "jump"})
    assert not any(each.is_identity for each in ALTERNATIVES)
    assert alternative("random").meanings == ("turn_right", "put_marker", "pick_marker", "move", "turn_left")
    with pytest.raises(InputError, match="opposites"):
        alternative("nothing")


def test_a_step_leaves_the_world_before_it_alone():
    worlds = read_worlds(ROOM)
    step(worlds, np.array([3]))
    assert worlds.markers.sum() == 1


def test_random_programs_have_the_papers_shares_and_lengths():
    programs = random_programs(np.random.default_rng(0), 20_000, (2, 4))
    lengths = program_lengths(programs)
    assert np.bincount(lengths, minlength=5)[2:].min() > 6400
    shares = np.bincount(programs[programs >= 0]) / lengths.sum()
    assert shares == pytest.approx(np.array([5, 3, 3, 2, 2]) / 15, abs=0.006)
    with pytest.raises(InputError, match="lengths"):
        random_programs(np.random.default_rng(0), 1, (0, 3))
    with pytest.raises(InputError, match="weights"):
        random_programs(np.random.default_rng(0), 1, weights=(1.0,))
    with pytest.raises(InputError, match="branches"):
        as_array([parse(BRANCHES)])
