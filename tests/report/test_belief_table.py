"""The page of a belief table: every part on the colour of its verdict, text as it is, nothing run."""

import re

import pytest

from explicate.benchmarks.faith_plaus import review_model
from explicate.data.language.marked_tasks import CUES, review_items
from explicate.evaluation.belief import believe
from explicate.rationales import SelfExplainer
from explicate.report.belief_table import belief_report, belief_table, marked, shares

ITEMS = review_items(6)


@pytest.fixture(scope="module")
def table():
    chat = review_model("cue", "cue")
    days = [next(word for word in item.words if word in CUES) for item in ITEMS]
    letters = ["B" if CUES[day] > 0 else "A" for day in days]
    texts = [
        f"Because of {day.title()} <b>and</b> the {item.words[-1]}." for day, item in zip(days, ITEMS, strict=True)
    ]
    return believe(chat, ITEMS, SelfExplainer(chat=chat).given(ITEMS, letters, texts), insertions=0)


def test_words_are_marked_where_they_stand_and_the_text_is_escaped(table):
    one = table.predictions[0]
    said = marked(one)
    assert "&lt;b&gt;and&lt;/b&gt;" in said
    assert re.search(r'<span class="yes" title="supported: [^"]+">[A-Z]\w+</span>', said)
    assert re.search(r'<span class="no" title="contradicted: [^"]+">\w+</span>', said)
    assert re.sub(r"<span[^>]*>|</span>", "", said).replace("&lt;", "<").replace("&gt;", ">") == one.text


def test_the_page_shows_rule_controls_and_each_prediction(table):
    page = belief_report(table, "explicate believe X").to_html()
    assert page.count("<article>") == len(ITEMS)
    assert "<script" not in page
    for words in ("words that are not named", "another item&#39;s explanation", "a scripted model", "simulated"):
        assert words in page
    assert str(table.rule).split(",", maxsplit=1)[0].replace("'", "&#39;") in page
    assert table._repr_html_() == belief_table(table)
    assert table._repr_html_().count("<article>") == 5


def test_the_picture_shows_the_share_and_both_controls(table):
    labels = [label.get_text() for label in shares(table).get_yticklabels()]
    assert labels == ["named in the reasons", "words that are not named", "another item's explanation"]
