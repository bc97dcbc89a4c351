import dataclasses

import numpy as np
import pytest
import xarray as xr

from explicate.core.explanation import Explanation
from explicate.core.kinds import Rules
from explicate.data.odeen import all_structures, structure_texts
from explicate.errors import FileFormatError, InputError
from explicate.glassbox import check_glass_box, replay
from explicate.glassbox.explanatory import (
    Conjectures,
    CriticalRationalistNetwork,
    NetworkShape,
    RuleInterpreter,
    Words,
    interpreter_of,
)

pytest.importorskip("torch")


@pytest.fixture
def network(networks):
    return CriticalRationalistNetwork(*networks, beam=20)


def table_of(phenomena, place):
    return structure_texts(all_structures()[phenomena.tables[place]]), phenomena.table_tags[place]


def test_the_interpreter_learned_what_the_words_mean(networks, simple):
    _, unseen = simple
    for rule, ids, tags in zip(unseen.rules, unseen.structures, unseen.tags, strict=True):
        assert (networks[1].tags([rule], all_structures()[ids])[0] == tags).mean() > 0.9


def test_the_rule_behind_each_table_is_found_and_followed(network, simple):
    _, unseen = simple
    for place, rule in enumerate(unseen.rules):
        network.fit(*table_of(unseen, place))
        assert network.rule == rule
        cases = all_structures()[unseen.structures[place]]
        assert (network.predict(cases) == unseen.tags[place]).mean() > 0.9


def test_the_explanation_holds_the_rule_the_rejected_ones_and_the_interpreter(network, simple):
    texts, tags = table_of(simple[1], 1)
    found = network.fit(texts, tags).explain(texts)
    assert isinstance(found, Rules)
    assert found.chosen == simple[1].rules[1]
    frame = found.to_frame()
    assert frame["verdict"].tolist()[0] == "chosen"
    assert len(frame) == 20
    assert frame["rank"].tolist()[1:] == sorted(frame["rank"].tolist()[1:])
    assert found.malformed_count == (frame["verdict"] == "malformed").sum() > 0
    assert found.malformed_count + len(found.rejected) + 1 == 20
    again = interpreter_of(found)
    assert again.fingerprint() == network.interpreter.fingerprint()
    for text, verdict, wrong, reading in zip(
        found.texts, frame["verdict"], frame["contradictions"], found["reading"].values, strict=True
    ):
        if verdict == "malformed":
            assert (wrong, set(reading)) == (-1, {-1})
        else:
            assert np.array_equal(again.tags([text], texts)[0], reading.astype(bool))
            assert wrong == (reading != np.asarray(tags)).sum()
    assert found.provenance.evaluations > 32 * (20 - found.malformed_count) + 32
    assert found.confidence == 1 - frame["contradictions"][0] / 32


def test_the_contract_predictions_follow_from_the_stated_rule(network, simple, tmp_path):
    texts, tags = table_of(simple[1], 4)
    others = structure_texts(np.random.default_rng(0).integers(7, size=(70, 6)))
    network.fit(texts, tags)
    check_glass_box(network, others)
    found = Explanation.load(network.explain().save(tmp_path / "found.nc"))
    assert isinstance(found, Conjectures)
    assert np.array_equal(replay(found, others), network.predict(others))
    assert np.array_equal(found.data["table_tag"], np.asarray(tags))
    with pytest.raises(InputError, match="of a table alone"):
        replay(found)
    with pytest.raises(InputError, match="of a table alone"):
        _ = found.predictions


def test_predictions_hang_on_the_rule_alone(network, simple):
    """Two tables that lead to one rule lead to the same predictions."""
    learned, unseen = simple
    cases = np.random.default_rng(1).integers(7, size=(200, 6))
    one = network.fit(*table_of(learned, 2)).predict(cases)
    other = network.fit(*table_of(unseen, 2)).predict(cases)
    assert np.array_equal(one, other)
    assert np.array_equal(one, network.interpreter.tags([network.rule], cases)[0])


def test_a_table_that_no_conjecture_fits_is_abstained_from(networks, simple):
    texts, tags = table_of(simple[1], 0)
    tags = np.array(tags)
    tags[:8] = ~tags[:8]
    strict = CriticalRationalistNetwork(*networks, beam=20, find_nearest=False).fit(texts, tags)
    assert strict.rule is None
    assert strict.predict(texts).tolist() == [None] * 32
    found = strict.explain(texts)
    assert (found.chosen, found.confidence, found.all_explained) == (None, None, False)
    assert "no rule is stated" in found.statement
    assert found.predictions.tolist() == [None] * 32
    check_glass_box(strict, texts)
    nearest = CriticalRationalistNetwork(*networks, beam=20).fit(texts, tags).explain()
    assert nearest.chosen is not None
    assert 0 < nearest.confidence < 1
    assert f"{round(32 * nearest.confidence)} of 32" in nearest.statement


def test_an_empty_table_is_answered_by_what_is_likely_beforehand(network):
    found = network.fit([], []).explain(["......"])
    assert found.confidence is None
    assert found.statement.startswith("none")
    assert len(found.rejected) + found.malformed_count == 19
    ranks = found["rank"].values
    assert ranks[0] == found["rank"].values[np.array(found["verdict"].values) != "malformed"].min()
    check_glass_box(network, ["......", "abBaAV"])


def test_tables_that_cannot_be_taken(network, networks):
    with pytest.raises(ValueError, match="'x' at position 1"):
        network.fit(["ax...."], [True])
    with pytest.raises(InputError, match="1 structures and 2 tags"):
        network.fit(["a....."], [True, False])
    with pytest.raises(InputError, match="both tags"):
        network.fit(["a.....", "a....."], [True, False])
    noisy = CriticalRationalistNetwork(*networks, beam=20, allow_noise=True).fit(["a.....", "a....."], [True, False])
    assert noisy.explain().confidence == 0.5
    with pytest.raises(InputError, match="call fit"):
        CriticalRationalistNetwork(*networks).predict(["......"])
    with pytest.raises(InputError, match="'green' was never seen"):
        network.interpreter.tags(["zero green"], ["......"])
    with pytest.raises(InputError, match="cannot read 2, at_least, block"):
        CriticalRationalistNetwork(networks[0], RuleInterpreter.build(Words(("red",), 3), NetworkShape(8, 2, 8, 1)))


def test_files(network, simple, tmp_path):
    path = network.save(tmp_path / "network.safetensors")
    again = CriticalRationalistNetwork.load(path, beam=20)
    texts, tags = table_of(simple[1], 3)
    one, other = network.fit(texts, tags).explain(texts), again.fit(texts, tags).explain(texts)
    xr.testing.assert_identical(one.data, other.data)
    assert one.provenance.model_fingerprint == other.provenance.model_fingerprint
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FileFormatError, match=r"network\.safetensors holds no Critical"):
        CriticalRationalistNetwork.load(path)


def test_an_interpreter_that_does_not_fit_its_weights_is_refused(network):
    own = network.interpreter
    with pytest.raises(FileFormatError, match="cannot be made of"):
        RuleInterpreter.from_weights(own.weights[1:], own.settings)
    with pytest.raises(FileFormatError, match="settings cannot be read"):
        RuleInterpreter.from_weights(own.weights, "{}")
    with pytest.raises(InputError, match="cannot be built"):
        dataclasses.replace(own.shape, width=30, heads=4)
