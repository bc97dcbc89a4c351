import json

import numpy as np
import pytest

from explicate.data.odeen import (
    OdeenSplit,
    TableMaker,
    all_structures,
    language,
    read_phenomena,
    structure_texts,
    write_phenomena,
)
from explicate.data.odeen.tables import change_costs
from explicate.data.odeen.world import SYMBOLS
from explicate.errors import FileFormatError, InputError

TINY = OdeenSplit(training=30, validation=5, test=10, structures=60, judged=20, seed=3)


@pytest.fixture(scope="module")
def parts():
    return TINY.draw()


def maker(seed=0, pool=128):
    return TableMaker(language("small"), np.random.default_rng(seed), pool)


def test_a_minimal_table_leaves_one_meaning_and_each_of_its_structures_is_needed():
    rules, tables = language("small"), maker()
    for row in (3, 700, 2500, 5000):
        found = tables.minimal(row)
        fits = (rules.matrix(found) == rules.tags(np.array(row), found)).all(axis=1)
        assert set(rules.meaning[fits]) == {rules.meaning[row]}
        assert len(found) < 32
        rest = found[:-1]  # the last one was drawn because others were left
        fits = (rules.matrix(rest) == rules.tags(np.array(row), rest)).all(axis=1)
        assert len(set(rules.meaning[fits])) > 1


def test_near_misses_differ_in_one_cell_and_in_their_tag():
    rules = language("small")
    for row in (3, 700, 2500):
        pairs = maker().near_misses(row, 10)
        assert len(pairs) == 10
        codes = all_structures()[pairs]
        assert ((codes[:, 0] != codes[:, 1]).sum(axis=1) == 1).all()
        tags = rules.tags(np.array(row), pairs)
        assert (tags[:, 0] != tags[:, 1]).all()
    assert len(maker().near_misses(int(np.flatnonzero(rules.constant)[0]), 10)) == 0


def test_what_changes_cost():
    costs = {(a, b): change_costs()[i, j] for i, a in enumerate(SYMBOLS) for j, b in enumerate(SYMBOLS)}
    assert costs["a", "a"] == 0
    assert costs["a", "A"] == costs["a", "v"] == costs["b", "B"] == costs["a", "b"] == 1
    assert costs["a", "V"] == costs["A", "b"] == 2
    assert costs[".", "b"] == costs["v", "."] == 3


@pytest.mark.parametrize("kind", ["informative", "paired"])
def test_tables_are_full_and_hold_no_structure_twice(kind):
    table = getattr(maker(), kind)(2500, 32)
    assert len(set(table.tolist())) == 32
    with pytest.raises(InputError, match="0 structures"):
        maker().filled(table, 0)


def test_parts_share_no_meaning_and_leave_out_what_they_should():
    rules = language("small")
    rows = TINY.rows()
    meanings = [rules.meaning[rows[part]] for part in ("training", "validation", "test")]
    assert len(set(np.concatenate(meanings))) == 45
    assert not rules.constant[np.concatenate(list(rows.values()))].any()
    held_out = [rules.texts[row] for part in ("validation", "test") for row in rows[part]]
    assert not any("at_the_left_of" in text for text in held_out)
    assert any("at_the_left_of" in rules.texts[row] for row in rows["training"])
    with pytest.raises(InputError, match="ask for fewer"):
        OdeenSplit(training=5_000).rows()


def test_phenomena_are_tagged_by_their_rules_and_drawn_again_from_the_seed(parts):
    rules = language("small")
    for part in parts.values():
        places = np.array([rules.places[text] for text in part.rules])[:, None]
        assert np.array_equal(part.tags, rules.tags(places, part.structures))
        assert np.array_equal(part.table_tags, rules.tags(places, part.tables))
    training = parts["training"]
    assert all(set(table) <= set(ids) for table, ids in zip(training.tables, training.structures, strict=True))
    assert np.array_equal(TINY.draw()["test"].tables, parts["test"].tables)
    assert 0.5 <= training.majority.mean() < 0.8
    assert repr(parts["test"]) == "Phenomena(10 rules, 32 observations and 20 tagged structures each)"


def test_files_in_the_published_format(tmp_path, parts):
    test = parts["test"]
    own = read_phenomena(write_phenomena(tmp_path / "own.json", test))
    shared_ids = np.tile(test.structures[0], (10, 1))
    places = np.array([language("small").places[text] for text in test.rules])[:, None]
    shared = type(test)(
        test.rules, test.tables, test.table_tags, shared_ids, language("small").tags(places, shared_ids)
    )
    read = read_phenomena(write_phenomena(tmp_path / "shared.json", shared))
    for one, other in ((test, own), (shared, read)):
        assert one.rules == other.rules
        for name in ("tables", "table_tags", "structures", "tags"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    content = json.loads((tmp_path / "shared.json").read_text())
    assert content["structures"] == structure_texts(all_structures()[shared_ids[0]])
    assert set(content["dataset"][0]) == {"rule", "table", "table_labels", "labels"}


def test_damaged_files_are_refused_with_the_entry(tmp_path, parts):
    test = parts["test"].take(slice(3))
    path = write_phenomena(tmp_path / "file.json", test)
    content = json.loads(path.read_text())
    for change, message in (
        (lambda entry: entry.pop("table"), "entry 1: the field 'table' is missing"),
        (lambda entry: entry.update(rule="zero green"), "entry 1: the rule 'zero green': token 1"),
        (lambda entry: entry["table"].__setitem__(2, "abc"), "entry 1: structure 2, 'abc', has 3 cells"),
        (lambda entry: entry["table_labels"].pop(), "entry 1: 32 structures need as many tags"),
        (lambda entry: entry["labels"].__setitem__(0, 5), "entry 1: 20 structures need as many tags, each 0 or 1"),
    ):
        broken = json.loads(json.dumps(content))
        change(broken["dataset"][1])
        path.write_text(json.dumps(broken))
        with pytest.raises(FileFormatError, match=message):
            read_phenomena(path)
    path.write_text("[")
    with pytest.raises(FileFormatError, match="Expecting value"):
        read_phenomena(path)
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_phenomena(tmp_path / "none.json")
