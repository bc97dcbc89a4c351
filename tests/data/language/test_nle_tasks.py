"""Choice items from published files and from our own, each with its right answer."""

import csv
import json

import pytest

from explicate.data.language.nle_tasks import INFERENCES, ChoiceItem, bare, read_items, templated_items
from explicate.errors import FileFormatError, InputError


def _csv(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_published_files_are_read_with_their_answers(tmp_path):
    statements = [
        {"Correct Statement": f"Right {i}.", "Incorrect Statement": f"Wrong {i}.", "Right Reason1": "It is so."}
        for i in range(40)
    ]
    comve = read_items(_csv(tmp_path / "comve.csv", statements), "comve")
    places = [item.gold for item in comve]
    assert 10 < places.count(0) < 30  # in random order, the same at every reading
    assert comve == read_items(tmp_path / "comve.csv", "comve")
    for item in comve:
        assert item.fields[item.gold][1].startswith("Wrong")
        assert item.gold_explanation == "It is so."
    options = {f"q_op{place}": text for place, text in enumerate(["a", "b", "c", "d", "e"], start=1)}
    ecqa = read_items(
        _csv(tmp_path / "ecqa.csv", [{"q_text": "Which?", **options, "q_ans": "d", "taskB": "y"}]), "ecqa"
    )
    assert (ecqa[0].letters, ecqa[0].gold) == ("ABCDE", 3)
    pair = {
        "Sentence1": "A man sleeps.",
        "Sentence2": "A man runs.",
        "gold_label": "contradiction",
        "Explanation_1": "z",
    }
    (inference,) = read_items(_csv(tmp_path / "esnli.csv", [pair]), "esnli")
    assert inference.choices[inference.gold] == "contradiction"
    assert inference.choices == INFERENCES


def test_our_own_files_hold_edits(tmp_path):
    items = [*templated_items("esnli", 3), *templated_items("comve", 3)]
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(item.to_dict()) + "\n" for item in items))
    assert read_items(path) == items
    path.write_text(json.dumps({"idx": "1", "task": "esnli", "premise": "x", "choices": ["a", "b"]}) + "\n")
    with pytest.raises(FileFormatError, match=r"items\.jsonl, record 0: KeyError: 'hypothesis'"):
        read_items(path)
    path.write_text("")
    with pytest.raises(FileFormatError, match="holds no record"):
        read_items(path)
    with pytest.raises(InputError, match="say which task"):
        read_items(_csv(tmp_path / "x.csv", [{"a": 1}]))
    with pytest.raises(FileFormatError, match="cannot read"):
        read_items(tmp_path / "none.jsonl")


@pytest.mark.parametrize(("task", "most"), [("esnli", 720), ("comve", 320)])
def test_templated_items_are_distinct_and_balanced(task, most):
    items = templated_items(task, most)
    assert len({item.fields for item in items}) == most
    counts = [sum(item.gold == place for item in items) for place in range(len(items[0].choices))]
    assert max(counts) == most / (3 if task == "esnli" else 2)
    assert templated_items(task, 5, 1) == templated_items(task, 5, 1) != templated_items(task, 5, 2)
    with pytest.raises(InputError, match=f"make {most} items"):
        templated_items(task, most + 1)


def test_items_check_themselves():
    with pytest.raises(InputError, match="has the fields"):
        ChoiceItem("1", "esnli", (("premise", "x"),), ("a", "b"))
    with pytest.raises(InputError, match="has an empty field"):
        ChoiceItem("1", "ecqa", (("question", " "),), ("a", "b"))
    with pytest.raises(InputError, match="1 choices"):
        ChoiceItem("1", "ecqa", (("question", "x"),), ("a",))
    assert bare("Hot!?") == "hot"
