"""A person takes the study in Chromium: pages, order, closing the tab, a killed server, the answers on the disk."""

import csv
import io

import pytest

from explicate.evaluation.simulatability import load_study
from explicate.web.sessions import Sessions

pytest.importorskip("fastapi")

TITLES = [
    "Get to know the system", "Predict the system's answers", "The same examples, with explanations", "Predict again",
    "What if it were different?", "What if it were different, with explanations",
]  # fmt: skip


def begin(page, address):
    page.goto(address)
    page.get_by_label("I have read this and want to take part.").check()
    with page.expect_navigation():
        page.get_by_role("button", name="Begin").click()


def go_on(page, answer="yes", rating="5"):
    """Answer whatever the page asks, and go to the next one."""
    if page.locator("input[name=answer]").count():
        page.locator(f"input[name=answer][value={answer}]").check()
    if page.locator("input[name=rating]").count():
        page.locator(f"input[name=rating][value='{rating}']").check()
    with page.expect_navigation():
        page.locator("main > form button").click()


def test_a_person_takes_the_whole_study(folder, serving, browser, tmp_path):
    server = serving(folder)
    context = browser.new_context()
    page = context.new_page()
    outside = []
    page.on("request", lambda request: outside.append(request.url) if "127.0.0.1" not in request.url else None)
    page.on("console", lambda message: outside.append(message.text))
    begin(page, server.said["address"])
    titles, seen = [], []
    for _ in range(60):
        heading = page.locator("h1")
        if heading.count():
            titles.append(heading.inner_text())
            if titles[-1] == "Thank you":
                break
        else:
            seen.append(page.locator("main").inner_text())
        assert page.title() == "Small & short"  # the markup in items and explanations has stayed text
        go_on(page)
    assert [title for title in titles if title in TITLES] == TITLES
    assert len(seen) == 4 + 2 + 4 + 2 + 2 + 2
    assert not any("Explanation" in text for text in seen[:6])
    assert all("Explanation" in text for text in seen[6:10])
    assert not any("Explanation" in text for text in seen[10:14])
    assert not any("True answer" in text for text in (*seen[4:6], *seen[10:12]))
    assert outside == []
    download = page.request.get(server.said["csv"])
    rows = list(csv.DictReader(io.StringIO(download.text())))
    asked = [(row["test"], row["phase"]) for row in rows]
    assert asked == [("forward", "pre")] * 2 + [("forward", "explain")] * 4 + [("forward", "post")] * 2 + [
        ("counterfactual", "pre")] * 2 + [("counterfactual", "post")] * 2  # fmt: skip
    assert {row["kind"] for row in rows} == {"person"}
    assert all(0 < float(row["seconds"]) < 60 for row in rows)
    assert {row["times_shown"] for row in rows} == {"1"}
    assert [row["answer"] for row in rows if row["phase"] == "post"] == ["yes"] * 4
    assert [row["rating"] for row in rows if row["phase"] == "explain"] == ["5"] * 4
    context.close()


def test_a_closed_tab_and_a_killed_server_lose_nothing(folder, serving, browser, tmp_path, small_study):
    answers = tmp_path / "kept"
    server = serving(folder, answers)
    context = browser.new_context()
    page = context.new_page()
    begin(page, server.said["address"])
    for _ in range(7):  # the introduction, four cases to learn from, an introduction, one prediction
        go_on(page)
    before = page.locator("main").inner_text()
    page.close()
    server.kill()
    again = serving(folder, answers)
    assert again.said["readers"] == 1
    page = context.new_page()
    page.goto(again.said["address"])
    assert page.url.endswith("/page")
    assert page.locator("main").inner_text() == before
    code = page.locator("details code").text_content()
    elsewhere = browser.new_context().new_page()  # another browser, with the code
    elsewhere.goto(again.said["address"])
    elsewhere.locator("summary").click()
    elsewhere.get_by_label("Your code").fill(code)
    with elsewhere.expect_navigation():
        elsewhere.get_by_role("button", name="Go on").click()
    assert elsewhere.locator("main").inner_text() == before
    go_on(elsewhere, answer="no")
    again.kill()
    found = Sessions(load_study(folder), answers).answers()
    assert [(one.item, one.answer) for one in found] == [("forward-0", "yes"), ("forward-1", "no")]
    assert [one.times_shown for one in found] == [1, 3]
    page.close()
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_the_window(folder, serving, browser, width):
    server = serving(folder)
    page = browser.new_context(viewport={"width": width, "height": 800}).new_page()
    begin(page, server.said["address"])
    for _ in range(60):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if page.locator("h1").count() and page.locator("h1").inner_text() == "Thank you":
            return
        go_on(page)
    raise AssertionError("the study has no end")


def test_a_reader_can_withdraw(folder, serving, browser, tmp_path):
    server = serving(folder)
    page = browser.new_context().new_page()
    begin(page, server.said["address"])
    for _ in range(8):
        go_on(page)
    page.locator("summary").click()
    page.get_by_label("Delete all my answers").check()
    with page.expect_navigation():
        page.get_by_role("button", name="Withdraw").click()
    assert page.locator("h1").inner_text() == "Your answers are deleted"
    assert sorted(path.name for path in (tmp_path / "answers").iterdir()) == ["server.lock", "withdrawn.jsonl"]
    page.goto(server.said["address"])
    assert page.get_by_role("button", name="Begin").count() == 1
