"""Studies of sentences from the command line: made of published files, taken by programs and by a chat model."""

import importlib
import json

import pytest
from typer.testing import CliRunner

from explicate.cli import catalogue, studying
from explicate.cli.app import app
from explicate.data.language.review_sentences import made_reviews
from explicate.evaluation.simulatability import load_study
from explicate.evaluation.simulatability.kit import read_answers
from explicate.models.chat import scripted

assert catalogue  # an application of one command has no name for it
assert studying
open_chat_module = importlib.import_module("explicate.models.chat.open_chat")


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def reviews(tmp_path):
    """A folder in the layout of rt-polarity."""
    texts = made_reviews(1200, clauses=1)
    for name, label in (("rt-polarity.pos", 1), ("rt-polarity.neg", 0)):
        lines = [text for text, own in zip(texts.texts, texts.labels, strict=True) if own == label]
        (tmp_path / name).write_text("\n".join(lines), encoding="latin-1")
    return tmp_path


def test_a_study_of_sentences_is_made_and_taken(reviews, monkeypatch):
    folder = reviews / "study"
    sizes = ("--learning", "4", "--forward", "4", "--counterfactual", "8")
    made = run("study", "make", folder, "--sentences", reviews, "--methods", "lime", *sizes, "--json")
    assert made.exit_code == 0, made.output
    assert set(json.loads(made.stdout)["accuracy"]) == {"task"}
    study = load_study(folder)
    assert all(item.context.startswith("Sentence : ") for item in study.counterfactual)
    taken = run("study", "simulate", folder, "--out", reviews / "own.csv")
    assert taken.exit_code == 0, taken.output
    assert {one.reader for one in read_answers(study, reviews / "own.csv")} == {"lime"}
    chat = scripted.constant("The system says positive.")
    monkeypatch.setitem(vars(open_chat_module), "load_model", lambda text: chat)
    taken = run("study", "simulate", folder, "--out", reviews / "chat.csv", "--chat", "some.package:chat")
    assert taken.exit_code == 0, taken.output
    answers = read_answers(study, reviews / "chat.csv")
    assert {(one.kind, one.reader, one.answer) for one in answers} == {("simulated", "chat", "positive")}


def test_a_place_without_sentences_is_named(tmp_path):
    found = run("study", "make", tmp_path / "study", "--sentences", tmp_path)
    assert found.exit_code != 0
    assert "rt-polarity.pos" in str(found.exception)
