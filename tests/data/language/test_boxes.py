"""Boxes: the sentences word by word, the places that matter, pairs that differ in one thing, files that are checked."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explicate.data.language.boxes import (
    DESIDERATA,
    FORMS,
    LABELS,
    OBJECTS,
    WORDS,
    BoxesPrompt,
    boxes_prompts,
    check_boxes,
    corrupted,
    desideratum_pairs,
    each_box,
    encoded,
    position_pairs,
    read_boxes,
    swapped_pairs,
    write_boxes,
)
from explicate.errors import FileFormatError, InputError

THREE = BoxesPrompt(("document", "pot", "map"), ("X", "T", "D"), "T")


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_sentence_of_the_paper():
    assert THREE.text() == "The document is in Box X, the pot is in Box T, the map is in Box D. Box T contains the"
    assert THREE.text(spaced=True).startswith("The document is in Box X , the pot is in Box T , the map")
    assert (THREE.answer, THREE.query_index) == ("pot", 1)


def test_segments_have_seven_words_each():
    for boxes in (2, 3, 5, 7):
        prompt = boxes_prompts(1, rng(), boxes)[0]
        assert len(prompt.layout().words) == 7 * boxes + 4


@given(st.integers(0, 10**6), st.integers(2, 7), st.sampled_from(FORMS))
def test_places_hold_what_they_name_in_every_form(seed, boxes, form):
    plain = boxes_prompts(1, rng(seed), boxes)[0]
    extra = ("zebra", "Q") if form in ("segment at start", "segment at end") else None
    prompt = BoxesPrompt(plain.objects, plain.labels, plain.query, form, extra)
    layout = prompt.layout()
    assert tuple(layout.words[p] for p in layout.objects) == prompt.objects
    assert tuple(layout.words[p] for p in layout.labels) == prompt.labels
    assert layout.words[-4:] == ["Box", prompt.query, "contains", "the"]
    assert layout.words[0][0].isupper()
    assert set(layout.words) <= {*WORDS, *OBJECTS, *LABELS, "zebra"}


def test_the_forms_read_as_they_are_called():
    def told(form, extra=None):
        return BoxesPrompt(THREE.objects, THREE.labels, "T", form, extra).text()

    assert told("extra words").startswith("The document is still in this small old Box X, the pot")
    assert told("segment at start", ("pen", "Q")).startswith("The pen is in Box Q, the document is in Box X,")
    assert "the map is in Box D, the pen is in Box Q. Box T" in told("segment at end", ("pen", "Q"))
    assert "Box X, the Box is empty, the Box is empty, the pot is" in told("boxes before")
    assert told("box first") == (
        "Box X contains the document, Box T contains the pot, Box D contains the map. Box T contains the"
    )
    assert "the pot is not in Box T," in told("not in")
    assert told("no commas").startswith("The document is in Box X the pot is in Box T the map is in Box D. Box")
    assert "the pot, is in Box T," in told("comma after object")
    assert told("text before") == f"There are many boxes and many things in this room. {THREE.text()}"
    assert "in this room. Box T contains the" in told("text after")


def test_counterfactuals_share_nothing():
    prompts = boxes_prompts(50, rng())
    for prompt, other in zip(prompts, corrupted(prompts, rng(1)), strict=True):
        assert not set(prompt.objects) & set(other.objects)
        assert not {*prompt.labels} & {*other.labels}
        assert other.query not in {*other.labels, prompt.query}
        assert other.query_index is None
        with pytest.raises(InputError, match="only counterfactuals"):
            other.answer  # noqa: B018


@pytest.mark.parametrize("desideratum", DESIDERATA)
def test_pairs_of_a_desideratum_differ_in_one_thing(desideratum):
    pairs = desideratum_pairs(desideratum, 200, rng())
    for base, source, target in zip(pairs.base, pairs.source, pairs.targets, strict=True):
        asked = source.query_index
        assert asked != base.query_index
        assert not set(base.objects) & set(source.objects)
        assert target != base.answer
        if desideratum == "label":
            there = base.labels.index(source.query)
            assert target == base.objects[there]
            assert there not in (base.query_index, asked)  # neither the position nor the own answer gives the target
            assert set(base.labels) & set(source.labels) == {source.query}
        else:
            assert not set(base.labels) & set(source.labels)
            assert target == (base.objects[asked] if desideratum == "position" else source.answer)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_asks_for_the_place_of_its_target(form):
    pairs = position_pairs(form, 60, rng())
    for base, source, target in zip(pairs.base, pairs.source, pairs.targets, strict=True):
        place = base.objects.index(target)
        assert (place == source.query_index) == (form != "wrong index")
        assert place != base.query_index
        assert source.form == ("plain" if form == "wrong index" else form)


def test_exchanged_boxes_ask_the_same_question():
    pairs = swapped_pairs(100, rng())
    for base, source, target in zip(pairs.base, pairs.source, pairs.targets, strict=True):
        assert source.query == base.query
        assert source.answer == base.answer != target
        assert base.objects.index(target) == source.query_index
        assert sum(one != other for one, other in zip(base.objects, source.objects, strict=True)) == 2
        assert dict(zip(base.labels, base.objects, strict=True)) == dict(
            zip(source.labels, source.objects, strict=True)
        )


def test_what_does_not_go_is_refused():
    with pytest.raises(InputError, match="label 'X' twice"):
        BoxesPrompt(("pot", "map"), ("X", "X"), "X")
    with pytest.raises(InputError, match="object 'pot' twice"):
        BoxesPrompt(("pot", "pot"), ("X", "T"), "X")
    with pytest.raises(InputError, match="2 objects and 1 labels"):
        BoxesPrompt(("pot", "map"), ("X",), "X")
    with pytest.raises(InputError, match="27 boxes need"):
        boxes_prompts(1, rng(), 27)
    with pytest.raises(InputError, match="at least 3 boxes"):
        desideratum_pairs("label", 1, rng(), boxes=2)
    with pytest.raises(InputError, match="use one of position, object, label"):
        desideratum_pairs("colour", 1, rng())
    with pytest.raises(InputError, match="'upside down' is unknown"):
        position_pairs("upside down", 1, rng())
    with pytest.raises(InputError, match="needs the object and the label"):
        BoxesPrompt(("pot",), ("X",), "X", "segment at end")


# -- tokens --------------------------------------------------------------------------------------------------------


def test_tokens_of_smollm2_are_the_words(smollm2):
    """The answer's token is the one that stands in the text, with its space, as the model would say it."""
    prompts = boxes_prompts(40, rng())
    found = encoded(prompts, smollm2)
    assert found.ids.shape == (40, 53)
    assert (found.query_label == 50).all()
    for row, prompt in enumerate(prompts):
        texts = [smollm2.token_text(int(i)) for i in found.ids[row]]
        assert texts[found.query_label[row]] == texts[found.first_mention[row]] == f" {prompt.query}"
        assert smollm2.token_text(int(found.answers[row])) == f" {prompt.answer}"
        assert found.answers[row] == smollm2.token_index(prompt.answer) == found.ids[row, found.right_object[row]]
    check_boxes(prompts, smollm2)
    others = encoded(corrupted(prompts, rng(1)), smollm2)
    assert (others.first_mention == -1).all()
    assert (others.right_object == -1).all()
    assert (others.answers == -1).all()


def test_all_objects_are_single_tokens_of_smollm2(smollm2):
    check_boxes(
        [BoxesPrompt((thing,), (label,), label) for thing, label in zip(OBJECTS, LABELS * 4, strict=False)], smollm2
    )
    assert len(set(OBJECTS)) == 100


def test_words_of_several_tokens_are_named_with_their_row(smollm2):
    prompts = [THREE, BoxesPrompt(("document", "xylophonist", "map"), ("X", "T", "D"), "T")]
    with pytest.raises(InputError, match="row 1: 'xylophonist' is more than one token"):
        encoded(prompts, smollm2)
    with pytest.raises(InputError, match="row 1: the object 'xylophonist' is not one token"):
        check_boxes(prompts, smollm2)
    with pytest.raises(InputError, match="equally many boxes"):
        encoded([THREE, boxes_prompts(1, rng(), 4)[0]], smollm2)


def test_targets_of_pairs_are_tokens_in_the_texts(smollm2):
    for desideratum in DESIDERATA:
        pairs = desideratum_pairs(desideratum, 10, rng())
        tokens = pairs.tokens(encoded(pairs.base, smollm2), encoded(pairs.source, smollm2))
        assert [smollm2.token_text(int(i)) for i in tokens] == [f" {target}" for target in pairs.targets]


# -- files ---------------------------------------------------------------------------------------------------------


def test_files_come_back_as_they_were(tmp_path):
    prompts = [row for prompt in boxes_prompts(5, rng()) for row in each_box(prompt)]
    assert read_boxes(write_boxes(tmp_path / "boxes.jsonl", prompts)) == prompts
    first = json.loads((tmp_path / "boxes.jsonl").read_text().splitlines()[1])
    assert first["query_index"] == 1
    assert first["sentence"].endswith(f"Box {first['labels'][1]} contains the {first['objects'][1]}.")


ROW = {
    "sentence": "The document is in Box X, the pot is in Box T. Box T contains the pot.",
    "objects": ["document", "pot"],
    "labels": ["X", "T"],
    "query_index": 1,
}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"labels": ["T", "T"]}, InputError, "row 1: .*label 'T' twice"),
        ({"labels": ["X"]}, FileFormatError, "row 1: query_index is 1"),
        ({"objects": "pot"}, FileFormatError, "row 1: objects is no list"),
        ({"query_index": 0}, FileFormatError, "row 1: the sentence does not tell"),
        ({"sentence": None}, FileFormatError, "row 1: the sentence does not tell"),
    ],
)
def test_damaged_rows_are_named(tmp_path, change, error, words):
    path = tmp_path / "boxes.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, **change}) + "\n")
    with pytest.raises(error, match=words):
        read_boxes(path)


def test_files_that_are_none_are_refused(tmp_path, smollm2):
    with pytest.raises(InputError, match="there is no file"):
        read_boxes(tmp_path / "none.jsonl")
    path = tmp_path / "boxes.jsonl"
    for text, words in (("", "no rows"), ("{", "no JSON object"), ('{"sentence": ""}', "labels, objects, query_index")):
        path.write_text(text)
        with pytest.raises(FileFormatError, match=words):
            read_boxes(path)
    path.write_text(json.dumps(ROW).replace("pot", "xylophonist"))
    assert read_boxes(path)[0].answer == "xylophonist"
    with pytest.raises(InputError, match="row 0: the object 'xylophonist'"):
        read_boxes(path, smollm2)
