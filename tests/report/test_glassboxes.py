"""The report of readable models beside black boxes, on a table whose values are hostile texts."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

from explicate.core.features import features_of
from explicate.core.kinds import Rules
from explicate.data.table import Table
from explicate.errors import InputError
from explicate.evaluation.glassboxes import compare_glassboxes
from explicate.glassbox.decision_tree import DecisionTree
from explicate.glassbox.logistic import LogisticRegression
from explicate.report.glassboxes import glassbox_report, rule_list, shown_model, standings, written
from explicate.report.terms import term_table, weights
from explicate.report.trees import tree, tree_of

EVIL = "<script>document.title='owned'</script>"
MODELS = ["decision-tree", "fold-se", "logistic-regression", "gradient-boosting"]


def table(name="people"):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.integers(18, 80, 300), EVIL: rng.choice([EVIL, "a & b"], 300)})
    label = ((frame["age"] > 40) & (frame[EVIL] == EVIL)).to_numpy() ^ (rng.random(300) < 0.1)
    return Table(name, frame, label.astype(int), "classification", (f"no {EVIL}", "yes"), features_of(frame))


@pytest.fixture(scope="module")
def compared():
    return [compare_glassboxes(table(name), MODELS, folds=2) for name in ("people", "others")]


def test_the_page_is_whole_and_safe(compared):
    page = glassbox_report(compared, "explicate compare --glassbox people others").to_html()
    assert "<script>" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    for said in ("In short", "people", "others", "can be taken", "What to believe", "gradient-boosting", "300 rows"):
        assert said in page
    assert page.count("<img") >= 2 * 4  # standings, tree, weights, black box
    assert "raises the explained score" not in page  # the key of attributions


def test_one_table_needs_no_overview(compared):
    assert "In short" not in glassbox_report(compared[:1]).to_html()


def test_the_picture_has_every_model_and_its_interval(compared):
    ax = standings(compared[0])
    shown = {text.get_text().split(" (")[0] for text in ax.get_yticklabels()}
    assert shown == {*MODELS, "majority"}
    gap = compared[0].standing("majority").behind["accuracy"]
    ends = [segment for lines in ax.collections for segment in lines.get_segments()]
    assert any(np.allclose(segment[:, 0], [100 * gap.low, 100 * gap.high]) for segment in ends)


def test_rules_say_how_many_rows_they_hold_for(compared):
    explanation = compared[0].explanations["fold-se"]
    shown = rule_list(explanation)
    assert shown.count("<b>Rule ") == explanation.data.sizes["rule"]
    assert f"Holds for {int(explanation['coverage'].values[0]):,} rows" in shown
    assert "In all other cases" in shown


def test_the_tree_is_drawn_as_it_was_grown():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"])
    labels = (rows["a"] > 0.2) & (rows["b"] <= 0.5)
    explanation = DecisionTree(depth=2, least=1).fit(rows, labels).explain()
    grown = DecisionTreeClassifier(max_depth=2, random_state=0).fit(rows, labels).tree_
    root = tree_of(explanation)
    assert (root.test[0], root.test[1]) == (rows.columns[grown.feature[0]], "<=")
    assert root.test[2] == pytest.approx(grown.threshold[0])
    assert sorted(root.leaves()) == list(range(grown.n_leaves))
    words = [text.get_text() for text in tree(explanation).texts]
    assert sum("% right" in word for word in words) == grown.n_leaves


def test_rules_that_are_no_tree_are_not_drawn_as_one(compared):
    explanation = compared[0].explanations["decision-tree"]
    changed = explanation.data.isel(literal=slice(1, None))
    with pytest.raises(InputError, match="not the leaves of a tree"):
        tree_of(Rules(changed, explanation.provenance))


def test_weights_are_drawn_and_listed_largest_first():
    data = table()
    explanation = LogisticRegression().fit(data.frame, data.labels).explain()
    sizes = np.abs(explanation["weight"].values[:, 0])
    bars = [abs(bar.get_width()) for bar in weights(explanation, most=2).patches]
    np.testing.assert_allclose(bars, np.sort(sizes)[::-1][:2])
    listed = term_table(explanation)
    assert "<script>" not in listed
    assert listed.count("<tr>") == len(sizes) + 2  # head and start


def test_a_kind_without_any_picture_is_still_named(compared):
    class Odd:
        kind = "odd"
        provenance = compared[0].explanations["fold-se"].provenance

    assert "has no picture" in shown_model(Odd())


def test_machines_get_the_verdict(compared):
    found = written(compared)
    assert [one["table"] for one in found] == ["people", "others"]
    assert found[0]["choice"] in MODELS
    assert found[0]["models"][0]["values"]["accuracy"]["low"] < 1


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_without_sideways_scrolling(compared, tmp_path, in_browser, width):
    found, images, title = in_browser(glassbox_report(compared).save(tmp_path / "report.html"), width)
    assert found <= width
    assert images >= 8
    assert title == "Readable models beside black boxes: people, others"
