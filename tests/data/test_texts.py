from __future__ import annotations

import pytest

from explicate.data import PASSAGES, TEXTS, passage, text
from explicate.errors import UnknownNameError


def test_john_and_mary() -> None:
    known = text("john-and-mary")
    assert known.prompt == "When John and Mary went to the store, John gave a drink to"
    assert (known.expected, known.alternative) == (" Mary", " John")


@pytest.mark.parametrize("each", TEXTS.values(), ids=list(TEXTS))
def test_a_text_is_complete(each) -> None:
    assert each.prompt == each.prompt.strip()
    assert each.expected.startswith(" ")
    assert each.note
    assert bool(each.alternative) == bool(each.contrast)


@pytest.mark.parametrize("each", [each for each in TEXTS.values() if each.contrast and each.name != "numbers"])
def test_a_contrast_changes_one_word(each) -> None:
    words, others = each.prompt.split(), each.contrast.split()
    assert len(words) == len(others)
    assert sum(word != other for word, other in zip(words, others, strict=True)) == 1


@pytest.mark.parametrize("each", PASSAGES.values(), ids=list(PASSAGES))
def test_only_the_supporting_sentence_holds_the_answer(each) -> None:
    assert [place for place, sentence in enumerate(each.sentences) if each.expected in sentence] == [each.support]
    assert each.expected in each.prompt
    assert each.expected not in each.without(each.support)
    assert each.expected not in each.question
    assert each.prompt.endswith(f"Question: {each.question}\nAnswer:")


def test_leaving_out_another_sentence_keeps_the_answer() -> None:
    each = passage("lighthouse")
    assert "Ada Fenwick" in each.without(0)
    assert "rocky coast" not in each.without(0)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="no text named 'john-mary'; did you mean 'john-and-mary'"):
        text("john-mary")
    with pytest.raises(UnknownNameError, match="did you mean 'lighthouse'"):
        passage("lighthose")
