import re

import numpy as np
import pandas as pd
import pytest

from explicate.report.document import Cell, Figure, Grid, Part, Report, Section, comparison_grid

EVIL = '<script>document.title="owned"</script>'


@pytest.fixture
def report() -> Report:
    grid = Grid([Cell("method"), Cell("deletion ↓", hint="lower is better")], [[Cell(EVIL), Cell("0.1", "best")]])
    part = Part("Side by side", [EVIL], [Figure("<p>inside</p>", EVIL)] * 3, grid)
    return Report("Title", EVIL, [Section("One", {"name": EVIL}, [EVIL], [part], [EVIL])], "explicate demo")


def test_everything_but_fragments_is_escaped(report):
    page = report.to_html()
    assert "<script>" not in page
    assert page.count("<p>inside</p>") == 3


def test_the_page_asks_no_network(report):
    page = report.to_html()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_the_page_is_written_at_once(report, tmp_path):
    path = report.save(tmp_path / "new" / "report.html")
    assert path.read_text().startswith("<!doctype html>")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


class Table:
    """What `comparison_grid` needs of a comparison."""

    def to_frame(self) -> pd.DataFrame:
        rows = [
            ("a", "deletion", 0.1, 0.05, 0.2, 1, False, 10, 0),
            ("b", "deletion", 0.4, 0.3, 0.5, 2, False, 10, 5),
            ("a", "insertion", 0.6, 0.5, 0.7, 1, True, 10, 0),
            ("b", "insertion", np.nan, np.nan, np.nan, np.nan, True, 0, 0),
        ]
        names = ["method", "metric", "value", "low", "high", "rank", "higher_is_better", "evaluations", "gradients"]
        return pd.DataFrame(rows, columns=names)


def test_a_comparison_marks_the_best_and_says_what_does_not_apply():
    grid = comparison_grid(Table())
    assert [head.text for head in grid.heads] == ["method", "deletion ↓", "insertion ↑", "cost"]
    assert [[cell.text for cell in row] for row in grid.rows] == [
        ["a", "0.1", "0.6", "10"],
        ["b", "0.4", "–", "10 + 5"],
    ]
    assert [row[1].mark for row in grid.rows] == ["best", ""]


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_without_sideways_scrolling(report, tmp_path, in_browser, width):
    path = report.save(tmp_path / "report.html")
    found, _, title = in_browser(path, width)
    assert found <= width
    assert title == "Title"
    assert path.exists()
