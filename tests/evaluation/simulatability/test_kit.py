"""The files: nothing of the truth where it must not be, read back as they were, and refused by name where damaged."""

import csv
from dataclasses import replace

import pytest

from explicate.errors import FileFormatError, InputError
from explicate.evaluation.simulatability import answers_csv, load_study, read_filled, save_study, simulate
from explicate.evaluation.simulatability.answers import Answer, read_class, read_rating
from explicate.evaluation.simulatability.kit import read_answers, read_sheet, sheets
from explicate.report.simulation_forms import simulation_form


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_study_comes_back_as_it_was(rule, tmp_path, kind):
    pytest.importorskip("openpyxl")
    folder = save_study(rule, tmp_path / kind, kind)
    assert load_study(folder) == rule
    assert load_study(folder / "study.json") == rule


def test_files_have_the_published_columns_and_hide_the_truth(rule):
    found = sheets(rule)
    assert set(found) == {
        "learning", "learning-anchor", "learning-decision-boundary", "forward-pre", "forward-master",
        "forward-post-anchor", "forward-post-decision-boundary", "counterfactual-pre", "counterfactual-master",
        "counterfactual-post-anchor", "counterfactual-post-decision-boundary",
    }  # fmt: skip
    assert found["forward-pre"][0] == ("id", "context", "user")
    assert found["forward-post-anchor"][0] == ("id", "context", "user")
    assert found["counterfactual-pre"][0] == ("id", "context", "label", "model", "perturbation", "user_prediction")
    assert found["learning-anchor"][0] == ("id", "context", "label", "model", "explanation", "user_rating")
    master = {row[0] for row in found["counterfactual-master"][1]}
    for name in ("counterfactual-pre", "counterfactual-post-anchor"):
        columns, rows = found[name]
        assert {row[0] for row in rows} == master
        assert "perturbation_model" not in columns
        assert all(row[columns.index("user_prediction")] == "" for row in rows)
    assert [len(found[name][1]) for name in ("learning", "forward-pre", "counterfactual-pre")] == [16, 32, 96]
    assert found["forward-post-anchor"][1] != found["forward-pre"][1]  # another order
    assert sorted(found["forward-post-anchor"][1]) == sorted(found["forward-pre"][1])


def test_the_form_to_print_shows_what_the_test_shows(rule):
    page = simulation_form(rule, "anchor")
    assert page.count("Conditions for the model predicting") == 16 + 96
    for item in rule.forward:
        part = page.split(f"<small>{item.id}</small>")[1].split('<div class="item">')[0]
        assert "The system answered" not in part
        assert "Explanation" not in part


@pytest.mark.parametrize(
    ("text", "expected"),
    [("yes", "yes"), (" YES ", "yes"), ("'no'", "no"), ("yess", "yes"), ("", None), ("perhaps", None), ("  ", None)],
)
def test_answers_are_matched_to_classes_within_two_letters(text, expected):
    assert read_class(text, ("no", "yes")) == expected


def test_an_answer_as_near_to_both_classes_is_none():
    assert read_class("below", ("below 50", "above 50")) is None
    assert read_class("old", ("cold", "bold")) is None
    assert read_class("abow 50", ("below 50", "above 50")) == "above 50"
    assert read_class("above 5", ("below 50", "above 50")) == "above 50"
    assert [read_rating(text) for text in ("1", " 7 ", "0", "8", "4.5", "")] == [1, 7, None, None, None, None]


def test_filled_files_are_read_and_blank_answers_counted_as_none(rule, tmp_path):
    folder = save_study(rule, tmp_path)
    rows = read_sheet(folder / "counterfactual-pre.csv", ("id",))
    with (tmp_path / "filled.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "user_prediction"])
        for number, name in enumerate(rows):
            writer.writerow([name, ("yes", "nno", "", "perhaps so")[number % 4]])
    found = read_filled(rule, "counterfactual", "pre", tmp_path / "filled.csv", "P1", "anchor")
    assert [one.answer for one in found[:4]] == ["yes", "no", "", ""]
    assert {one.kind for one in found} == {"person"}
    (tmp_path / "filled.csv").write_text("id,user_prediction\nchange-000,yes\nother-1,no\n")
    with pytest.raises(FileFormatError, match=r"95 ids missing: change-001, .*1 id that the master lacks: other-1"):
        read_filled(rule, "counterfactual", "pre", tmp_path / "filled.csv", "P1", "anchor")


def test_answers_of_many_readers_come_back_as_they_were(rule, tmp_path):
    answers = simulate(rule, "anchor", participant="=cmd")
    answers[0] = replace(answers[0], rating=3, seconds=1.25)
    path = tmp_path / "answers.csv"
    path.write_text(answers_csv(answers))
    assert "\n'=cmd," in path.read_text()  # a spreadsheet must not take it for a formula
    assert read_answers(rule, path) == answers
    text = path.read_text().replace("forward-00", "forward-xx").replace("change-001", "change-yy")
    path.write_text(text)
    with pytest.raises(InputError, match="2 items of the answers: change-yy, forward-xx"):
        read_answers(rule, path)
    path.write_text(text.replace(",1.25,", ",soon,"))
    with pytest.raises(FileFormatError, match="row 2"):
        read_answers(rule, path)


def test_answers_that_cannot_be_are_refused(rule, tmp_path):
    from explicate.evaluation.simulatability.answers import checked_answers

    one = Answer("P1", "person", "anchor", "forward", "pre", "forward-00", "yes")
    for answers, words in [
        ([one, one], "twice"),
        ([one, replace(one, item="forward-01", method="decision-boundary")], "sees one method"),
        ([replace(one, answer="perhaps")], "no class"),
    ]:
        with pytest.raises(InputError, match=words):
            checked_answers(rule, answers)
    with pytest.raises(InputError, match="name the program"):
        Answer("P1", "simulated", "anchor", "forward", "pre", "forward-00")
    with pytest.raises(InputError, match="say person or simulated"):
        Answer("P1", "robot", "anchor", "forward", "pre", "forward-00", reader="x")


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("study.json", "{", "cannot read the study"),
        ("study.json", '{"format": 9}', "no study of format"),
        ("study.json", '{"format": 1, "methods": ["../x"], "classes": ["a", "b"]}', "names no file"),
        ("study.json", '{"format": 1, "methods": [1], "classes": ["a", "b"]}', "list of texts"),
        ("learning-anchor.csv", "id,context\n", "column 'label' is missing"),
        ("counterfactual-post-anchor.csv", "", "is empty"),
        ("forward-master.csv", "id,context,label,model\n,x,yes,no\n", "row 2: the id '' is missing"),
    ],
)
def test_damaged_files_are_named(rule, tmp_path, file, content, words):
    folder = save_study(rule, tmp_path)
    (folder / file).write_text(content)
    with pytest.raises(FileFormatError, match=words):
        load_study(folder)


def test_a_missing_file_of_explanations_is_named(rule, tmp_path):
    folder = save_study(rule, tmp_path)
    (folder / "learning-anchor.csv").unlink()
    with pytest.raises(FileFormatError, match="'anchor' is missing"):
        load_study(folder)
    with pytest.raises(FileFormatError, match="cannot read the study"):
        load_study(tmp_path / "nowhere")
