"""The reproduction runs at smoke scale, resumes, and judges its bars by what it measured."""

import pytest

from explicate.benchmarks.references import TitleIndex, label, write_published
from explicate.data.language.books import famous_books
from explicate.rationales import ReferenceChecker
from explicate.rationales.scripted_librarian import librarian
from explicate.reproductions import hallucinated_references as reproduction
from explicate.reproductions import hallucinated_references_claims as judged
from explicate.reproductions.claims import Context, reproduce


def test_smoke_scale_measures_the_bars_that_need_no_large_model(tmp_path, monkeypatch):
    context = Context(scale="smoke", seeds=(0,), folder=tmp_path)
    result = reproduce("hallucinated-references", context)
    barred = {claim["claim"]: claim for claim in result["claims"] if claim["bar"]}
    assert [claim["bar"] for claim in barred.values()] == [
        "= 1", ">= 0.95", ">= 0.90", "between 0.5 and that of well-known works, every seed", "<= 0.6",
        "= 0.5, all lists equal", "= 1",
    ]  # fmt: skip
    for name in (
        "Repeated questions find out a librarian that makes up authors",
        "The decoder always answers with names, so refusal does not do the work",
        "Greedy lists destroy the signal",
        "and the checker says so instead of reporting it",
    ):
        assert barred[name]["met"], barred[name]
    assert barred["The decoder knows the well-known works by heart"]["measured"] >= 0.75
    monkeypatch.setattr(reproduction, "_bibliography", lambda unit: pytest.fail("done twice"))
    assert reproduce("hallucinated-references", context)["claims"] == result["claims"]


def test_published_answers_are_scored_where_their_file_is_supplied(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path))
    unit = {"part": "published", "model": "gpt-4"}
    assert "missing" in reproduction._published(unit)
    given = reproduction._listed([*famous_books(), *reproduction.INVENTED], 0)
    references = label(given, TitleIndex(famous_books()))
    chat = librarian(yes=(0.7, 0.4))
    found = ReferenceChecker(chat).explain(references)
    write_published(reproduction.published_file("gpt-4"), references, found)
    record = reproduction._published(unit)
    assert record["rows"] == 120
    assert record["invented"] == 0.5
    for name, area in record["stored"].items():
        assert record["again"][name][0] == pytest.approx(area[0], abs=0.003)
    parts = {"librarian": [], "bibliography": [], "smollm2": [], "published": [{**unit, **record}]}
    claims = {(one.claim, one.metric): one for one in judged._published({"gpt-4": parts["published"][0]})}
    own = claims[("IQ of GPT-4", "AUC of IQ of GPT-4, from the raw answers")]
    assert own.measured == record["again"]["IQ"][0]
    assert own.met is False  # the librarian is not GPT-4
    assert reproduction._supplied("gpt-4")
    assert reproduction._supplied("text-davinci-003") is None
