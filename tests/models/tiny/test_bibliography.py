"""A small decoder remembers what it has read often."""

import numpy as np

from explicate.data.language.bibliography import AUTHORS, bibliography, lines
from explicate.models.tiny import bibliography as tiny


def test_rows_hold_whole_lines_and_count_the_answers_alone():
    shape = tiny.decoder(2, 64, 128)
    told = lines(bibliography(0, 6, 6, 6, authors=12, often=3), lists=5)
    ids, labels = tiny.packed(shape, told)
    padding = len(shape.vocabulary)
    words = [shape.decode(row) for row in np.where(ids == padding, -1, ids)]
    assert " ".join(words) == " ".join(f"{question} {answer}" for question, answer in told)
    assert (labels >= 0).sum() == sum(len(answer.split()) for _, answer in told)
    rows, places = np.nonzero(labels >= 0)
    assert (labels[rows, places] == ids[rows, places + 1]).all()
    counted = " ".join(shape.decode(row[row >= 0]) for row in labels)
    assert counted == " ".join(answer for _, answer in told)
    assert ids.shape[1] <= tiny.ROW


def test_what_is_read_often_is_known_and_what_is_read_once_is_not():
    world = bibliography(0, 8, 8, 8, authors=12)
    shape = tiny.decoder(2, 64, 128)
    model = tiny.trained(world, 0, shape=shape, batch=2, learning_rate=4e-3, lists=10)
    recall = {}
    for name, works in (("well known", world.well_known), ("rare", world.rare)):
        said = model.generate([AUTHORS.format(title=work.title) for work in works], max_new_tokens=13)
        recall[name] = np.mean([one.strip() == work.names for one, work in zip(said, works, strict=True)])
    assert recall["well known"] >= 0.75
    assert recall["rare"] <= 0.25
