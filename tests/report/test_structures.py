from xml.etree import ElementTree

import numpy as np
import pytest

from explicate.glassbox.explanatory import (
    ConjectureGenerator,
    CriticalRationalistNetwork,
    NetworkShape,
    RuleInterpreter,
    Words,
)
from explicate.report.pictures import LOWERS, RAISES
from explicate.report.structures import structure_svg

pytest.importorskip("torch")

WORDS = Words(("red", "zero"), 2)
SHAPE = NetworkShape(8, 2, 8, 1)


@pytest.fixture(scope="module")
def network():
    """Untrained: of its six strings, one is in the grammar."""
    return CriticalRationalistNetwork(ConjectureGenerator.build(WORDS, SHAPE), RuleInterpreter.build(WORDS, SHAPE))


def test_a_structure_is_drawn_cell_by_cell():
    root = ElementTree.fromstring(structure_svg(".aVb.."))
    shapes = [each for each in root if each.tag == "polygon"]
    assert [each.get("fill") for each in shapes] == [LOWERS, RAISES, LOWERS]
    corners = [np.array([pair.split(",") for pair in each.get("points").split()], float) for each in shapes]
    assert [len(each) for each in corners] == [3, 3, 4]
    up, down = corners[0], corners[1]
    assert (up[:, 1] == up[:, 1].min()).sum() == 1  # one corner at the top
    assert (down[:, 1] == down[:, 1].max()).sum() == 1  # one at the bottom
    assert [int(each[:, 0].mean() // 22) for each in corners] == [1, 2, 3]


def test_the_picture_and_the_page_say_which_observations_contradict_the_rule(network):
    texts = ["......", "a.....", "A....."]
    tags = network.interpreter.tags(["zero red"], texts)[0]
    network.fit(texts, [tags[0], tags[1], not tags[2]])
    found = network.explain(["bbbbbb"])
    assert found.chosen == "zero red"
    ax = found.plot()
    notes = [each.get_text() for each in ax.texts]
    assert len(notes) == 3
    assert [note.endswith("against the rule") for note in notes] == [True, False, False]
    assert "2 of 3 observations explained" in ax.get_title(loc="left")
    page = found._repr_html_()
    assert "<strong>zero red</strong>" in page
    assert page.count("<svg") == 4
    assert page.count("against the rule") == 1
    assert "5 further conjectures were outside the grammar" in page


def test_no_rule_is_said_to_be_none(network):
    strict = CriticalRationalistNetwork(network.generator, network.interpreter, find_nearest=False)
    tag = network.interpreter.tags(["zero red"], ["......"])[0, 0]
    found = strict.fit(["......"], [not tag]).explain(["bbbbbb"])
    assert "no rule is stated" in found._repr_html_()
    assert "?" in found._repr_html_()
    assert found.plot().get_title(loc="left").startswith("no rule")
