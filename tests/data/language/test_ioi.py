"""IOI prompts: what stands where, which words are left out, and that a real model can do the task."""

import numpy as np
import pytest

from explicate.data.language.ioi import NAMES, WHO, ioi_prompts
from explicate.errors import InputError


class Words:
    """A tokenizer that splits at spaces and knows some words; others are one unknown token, or cut into letters."""

    name = "words"

    def __init__(self, known, letters=False):
        self.known, self.letters = list(known), letters

    def encode(self, inputs):
        rows = []
        for text in [inputs] if isinstance(inputs, str) else inputs:
            row = []
            for word in text.split():
                if word in self.known or not self.letters:
                    row.append(self.known.index(word) if word in self.known else len(self.known))
                else:
                    row += [len(self.known) + 1] * len(word)
            rows.append(row)
        found = np.full((len(rows), max(map(len, rows))), -1)
        for place, row in enumerate(rows):
            found[place, : len(row)] = row
        return found

    def token_text(self, index):
        return self.known[index] if index < len(self.known) else "?"


OTHERS = ["a", "When", "Then", "Later", "and", "went", "to", "the", "gave", ",", ".", "store", "drink"]
FIVE = ["Ann", "Bob", "Cid", "Dan", "Eve"]


def words(names=FIVE, **options):
    return Words([*OTHERS, *names], **options)


def few(model, **options):
    return ioi_prompts(model, names=["Ann", "Bob", "Cid", "Dan", "Eve", "Zebedee"], places=["store"],
                       things=["drink"], spaced=True, **options)  # fmt: skip


@pytest.mark.parametrize("form", ["short", "long"])
def test_positions_are_those_of_the_words(form):
    model = words()
    for each in few(model, count=8, form=form).prompts:
        tokens = each.prompt.split()
        assert set(each.positions) == set(WHO)
        assert tokens[each.positions["io"]] == each.io
        assert tokens[each.positions["s1"]] == tokens[each.positions["s2"]] == each.s
        assert each.positions["end"] == len(tokens) - 1


def test_templates_take_turns_and_say_which_name_comes_first():
    found = few(words(), count=4).prompts
    assert [each.template for each in found] == ["ABBA", "BABA"] * 2
    assert [each.positions["io"] < each.positions["s1"] for each in found] == [True, False] * 2
    assert {each.template for each in few(words(), count=4, templates=["BABA"]).prompts} == {"BABA"}


def test_the_counterparts_differ_in_the_names_alone():
    for each in few(words(), count=6).prompts:
        first, swapped, renamed = (text.split() for text in (each.prompt, each.swapped, each.renamed))
        differing = [place for place, pair in enumerate(zip(first, swapped, strict=True)) if pair[0] != pair[1]]
        assert differing == [each.positions["s2"]]
        assert swapped[each.positions["s2"]] == each.io
        others = {place for place, pair in enumerate(zip(first, renamed, strict=True)) if pair[0] != pair[1]}
        assert others == {each.positions[who] for who in ("io", "s1", "s2")}
        three = {renamed[place] for place in others}
        assert len(three) == 3
        assert not three & {each.io, each.s}


@pytest.mark.parametrize("letters", [False, True])
def test_words_that_are_no_single_token_are_left_out_and_counted(letters):
    found = few(words(letters=letters), count=20)
    assert found.dropped == {"names": 1, "places": 0, "things": 0}
    assert "Zebedee" not in " ".join(found.texts)


def test_too_few_names_are_refused_with_those_that_are_missing():
    with pytest.raises(InputError, match=r"'words' knows 2 of 6 names as one token, and 5 are needed.*Cid"):
        few(words(["Ann", "Bob"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"templates": ["ABAB"]}, "ABAB"), ({"form": "medium"}, "short or long"), ({"count": 0}, "count is 0")],
)
def test_bad_parameters(options, message):
    with pytest.raises(InputError, match=message):
        few(words(), **options)


def test_the_seed_decides():
    assert few(words(), seed=1) == few(words(), seed=1)
    assert few(words(), seed=1).texts != few(words(), seed=2).texts


@pytest.mark.parametrize("form", ["short", "long"])
def test_smollm2_can_do_the_task(smollm2, form):
    found = ioi_prompts(smollm2, 20, form=form)
    assert found.dropped == {"names": 0, "places": 0, "things": 0}
    ids = smollm2.encode(found.texts)
    assert (ids >= 0).all()  # all are equally long
    rows = np.arange(len(found))
    for who, name in (("io", "io"), ("s1", "s"), ("s2", "s")):
        texts = [smollm2.token_text(int(i)).strip() for i in ids[rows, found.places(who)]]
        assert texts == [getattr(each, name) for each in found.prompts]
    logits = smollm2.predict(ids)
    io, s = ([smollm2.token_index(getattr(each, name)) for each in found.prompts] for name in ("io", "s"))
    assert (logits[rows, io] > logits[rows, s]).mean() >= 0.9  # chance 0.5
    assert len(NAMES) == len(set(NAMES))
