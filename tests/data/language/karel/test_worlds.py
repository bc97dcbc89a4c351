"""Worlds are drawn and read back, and random ones are what was asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.language.karel import Setting, read_worlds
from explicate.data.language.karel.files import from_planes, planes
from explicate.errors import FileFormatError, InputError

DRAWN = """
#####
#..3#
#.>##
#o..#
#####
"""


def test_a_drawing_becomes_walls_markers_and_a_hero():
    world = read_worlds([DRAWN])
    assert (world.rows[0], world.columns[0], world.directions[0]) == (2, 2, 1)
    assert world.markers[0][1, 3] == 3
    assert world.markers[0][3, 1] == 1
    assert world.walls[0][2, 3]
    assert not world.walls[0][1:4, 1:3].any()
    assert world.draw().splitlines() == DRAWN.replace("o", "1").split()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("####\n#..#\n####", "0 heroes"),
        ("####\n#><#\n####", "2 heroes"),
        ("####\n#>x#\n####", "'x'"),
        ("####\n#>.#\n###", "differ in length"),
        ("####\n#>..\n####", "border"),
    ],
)
def test_what_is_no_world_is_refused_by_name(text, message):
    with pytest.raises(InputError, match=message):
        read_worlds([text])


@given(st.integers(0, 2**32), st.integers(1, 7), st.integers(1, 7), st.floats(0, 0.9), st.floats(0, 1))
def test_random_worlds_keep_the_border_the_hero_free_and_survive_both_file_forms(seed, rows, columns, walls, markers):
    worlds = Setting(rows, columns, walls, markers).draw(np.random.default_rng(seed), 5)
    assert worlds.walls[:, [0, -1]].all()
    assert worlds.walls[:, :, [0, -1]].all()
    assert not worlds.wall_at(worlds.positions).any()
    assert not (worlds.walls & (worlds.markers > 0)).any()
    assert not worlds.markers_at(worlds.positions).any()
    assert read_worlds([worlds.draw(i) for i in range(5)]).same_as(worlds).all()
    assert from_planes(planes(worlds)).same_as(worlds).all()


def test_walls_and_markers_are_as_frequent_as_asked():
    worlds = Setting().draw(np.random.default_rng(0), 4000)
    inside = worlds.walls[:, 1:-1, 1:-1]
    assert inside.mean() == pytest.approx(0.1 * 35 / 36, abs=0.005)
    assert worlds.markers.sum() / (~inside).sum() == pytest.approx(0.1 * 35 / 36, abs=0.005)
    assert np.bincount(worlds.directions).min() > 900
    marked = Setting(5, 5, walls=0.0, marked=2).draw(np.random.default_rng(0), 500)
    assert (marked.markers.sum(axis=(1, 2)) == 2).all()


def test_planes_are_those_of_the_papers():
    arrays = planes(read_worlds([DRAWN]))[0]
    assert arrays.shape == (5, 5, 16)
    assert arrays[2, 2, 3] == 1  # looks right, their fourth plane
    assert arrays[0, 0, 4] == 1
    assert arrays[1, 3, 5 + 3] == 1
    assert (arrays[..., 5:].sum(axis=-1) == 1).all()
    with pytest.raises(FileFormatError, match="one hero"):
        from_planes(np.zeros((1, 5, 5, 16)))
    with pytest.raises(FileFormatError, match="shape"):
        from_planes(np.zeros((1, 5, 5, 15)))


def test_settings_that_make_no_sense_are_refused():
    for wrong in ({"rows": 0}, {"walls": 1.0}, {"markers": 2.0}, {"marked": 2}, {"walls": 0.0, "marked": 99}):
        with pytest.raises(InputError):
            Setting(**wrong)
