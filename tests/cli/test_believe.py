"""`explicate believe`: one line from a model and its reasons to the table and its page."""

import json

import pytest
from typer.testing import CliRunner

from explicate.cli import believing, explaining
from explicate.data.language.marked_tasks import CUES, review_items

ITEMS = review_items(6)
app = explaining.app  # several commands, as on the command line
CUE = "tests_belief_models:cue"


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """A file of the user's own with a chat model and a classifier, in the current folder."""
    (tmp_path / "tests_belief_models.py").write_text(
        "import numpy as np\n"
        "from explicate.benchmarks.faith_plaus import positive, review_model\n"
        "def cue():\n    return review_model('cue', 'sentiment')\n"
        "def classify(texts):\n"
        "    return np.array([[1 - positive(t, 'sentiment'), positive(t, 'sentiment')] for t in texts])\n"
    )
    monkeypatch.chdir(tmp_path)


def run(*arguments, code=0):
    assert believing.app is app
    result = CliRunner().invoke(app, ["believe", *arguments, "--insertions", "0", "--json"])
    if code == 0:
        assert result.exit_code == 0, result.output
        return json.loads(result.output)
    return result


def items_file(tmp_path, **more):
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(item.to_dict() | more) + "\n" for item in ITEMS))
    return str(path)


def test_reasons_are_asked_for_and_contradicted(tmp_path, monkeypatch):
    log = tmp_path / "calls.jsonl"
    monkeypatch.setattr("sys.argv", ["explicate", "believe", CUE, "items.jsonl"])
    told = run(CUE, items_file(tmp_path), "--log", str(log))
    assert told["verdict"] == "do not believe"
    assert told["counts"]["contradicted"] == sum(told["counts"].values()) > 0
    page = (tmp_path / "explicate-out/believe/report.html").read_text()
    assert page.count("<article>") == len(ITEMS)
    assert page.count("contradicted:") >= told["counts"]["contradicted"]
    assert f"<code>explicate believe {CUE} items.jsonl" in page
    assert json.loads((tmp_path / "explicate-out/believe/beliefs.json").read_text())["counts"] == told["counts"]
    assert log.is_file()


def test_reasons_that_stand_in_the_file_are_judged(tmp_path):
    path = tmp_path / "items.jsonl"
    rows = []
    for item in ITEMS:
        day = next(word for word in item.words if word in CUES)
        rows.append(item.to_dict() | {"answer": "B" if CUES[day] > 0 else "A", "explanation": f"It was on {day}."})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = run(CUE, str(path), "--rows", "0:5")
    assert told["counts"] == {"supported": 5, "contradicted": 0, "undecided": 0, "not tested": 0}
    assert told["verdict"] == "believe"


def test_one_text_with_its_answer_and_its_reason():
    text = "we saw it on monday and the story was good"
    how = [text, "--task", "review", "--choices", "negative,positive", "--answer", "negative"]
    told = run(CUE, *how, "--reason", "It was on Monday.")
    assert [part["verdict"] for part in told["predictions"][0]["parts"]] == ["supported"]
    told = run(CUE, *how, "--reason", "The story is the reason.")
    assert [part["verdict"] for part in told["predictions"][0]["parts"]] == ["contradicted"]
    assert list(told["left_out"]) == ["monday"]


def test_a_classifier_answers_what_a_chat_model_explains(tmp_path):
    told = run(CUE, items_file(tmp_path), "--answers", "tests_belief_models:classify")
    assert told["verdict"] == "believe"
    assert told["model"].startswith("classify, explained by")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["some text"], "say what the text may be answered with"),
        (["some text", "--choices", "a,b", "--reason", "x"], "--reason explains an answer"),
        (["some text", "--choices", "a,b", "--answer", "a"], "--answer says what --reason explains"),
        (["some text", "--choices", "a,b", "--answer", "c", "--reason", "x"], "is none of a, b"),
        (["some text", "--choices", "a,b", "--task", "esnli"], "one text is of the task"),
        (["items.jsonl", "--choices", "a,b"], "--choices is for one text"),
        (["items.jsonl"], "cannot read items.jsonl"),
        (["some text", "--choices", "a,b", "--form", "poem"], "form 'poem' is unknown"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(arguments, words):
    result = run(CUE, *arguments, code=2)
    assert words in str(result.exception)
