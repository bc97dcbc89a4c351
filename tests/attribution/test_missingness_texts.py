"""What "absent" means for texts, and words and sentences as players."""

from types import SimpleNamespace

import numpy as np
import pytest

from explicate.attribution.games import Game
from explicate.attribution.missingness.texts import Deletion, EmptyToken, MaskToken
from explicate.attribution.players import Each, Players
from explicate.attribution.words import Sentences, Words
from explicate.core import registry
from explicate.errors import CapabilityError, InputError, TargetError
from explicate.models.language.tokens import word_numbers

RNG = np.random.default_rng(0)
TEXT = ["<s>", "The", " cat", " sat", ".", " It", " was", " 3", ".", "14", '."', " So", "?", "\n", "Good"]


class Pieces:
    """A text model whose tokens are given pieces, so that players are known; its score counts and weighs them."""

    kind = "text"
    name = "pieces"
    blank_token = 99

    def __init__(self, pieces, weights=None):
        self.pieces = pieces
        self.weights = np.zeros(100) if weights is None else weights

    def token_text(self, index):
        return self.pieces[index] if 0 <= index < len(self.pieces) else ""

    def token_index(self, text):
        if text not in self.pieces:
            raise TargetError(f"{text!r} is not one token")
        return self.pieces.index(text)

    def special_tokens(self, inputs):
        return np.array([self.token_text(i).startswith("<") for i in inputs])

    def words(self, sample):
        return np.array(word_numbers([self.token_text(i) for i in sample], self.special_tokens(sample).tolist()))

    def continuous(self, inputs):
        return np.zeros((*inputs.shape, 1))

    def scores(self, inputs, targets):
        """The weights of the tokens that are there, doubled from the second on by their place among those that are."""
        found = []
        for row in inputs:
            tokens = row[row != -1]
            found.append(sum(self.weights[t] * (1 + i) for i, t in enumerate(tokens)))
        return np.array(found)


@pytest.fixture
def pieces():
    return Pieces(TEXT, np.arange(100.0))


def sample(pieces, padding=2):
    return np.array([*range(len(pieces.pieces)), *[-1] * padding])


def test_special_tokens_and_padding_always_stay(pieces):
    x = sample(pieces)
    nothing = np.zeros((1, len(x)), dtype=bool)
    for part, substitute in ((MaskToken(), 99), (Deletion(), -1), (EmptyToken(), -2)):
        filled = part.bind(pieces, x, RNG)(nothing)[0]
        assert filled[0] == 0
        assert (filled[-2:] == -1).all()
        assert (filled[1:-2] == substitute).all()
        np.testing.assert_array_equal(part.reference(pieces, x[None], RNG), filled[None])


def test_what_is_kept_is_kept(pieces):
    x = sample(pieces)
    keep = RNG.random((50, len(x))) < 0.5
    for part in (MaskToken(), Deletion(), EmptyToken()):
        filled = part.bind(pieces, x, RNG)(keep)
        assert filled.dtype == x.dtype
        np.testing.assert_array_equal(filled[keep], np.broadcast_to(x, keep.shape)[keep])
        changed = (filled != x) & (x >= 0)
        assert not (changed & keep).any()
        assert changed[:, 1:-2].any()


def test_a_deleted_token_moves_the_rest_and_a_masked_one_does_not(pieces):
    """In the game's value: token i counts i times its place."""
    x = np.array([1, 2, 3])
    target = np.array(0)
    keep_all_but_first = np.array([[False, True, True]])
    deleted = Game(pieces, x, target, Each().players(pieces, x), Deletion())(keep_all_but_first)
    masked = Game(pieces, x, target, Each().players(pieces, x), MaskToken())(keep_all_but_first)
    assert deleted.tolist() == [2 * 1 + 3 * 2]
    assert masked.tolist() == [99 * 1 + 2 * 2 + 3 * 3]


def test_a_mask_may_be_named(pieces):
    x = np.array([1, 2])
    filled = MaskToken(token=" sat").bind(pieces, x, RNG)(np.array([[True, False]]))
    assert filled.tolist() == [[1, 3]]
    with pytest.raises(TargetError, match="not one token"):
        MaskToken(token="two tokens").bind(pieces, x, RNG)


def test_models_without_tokens_are_refused():
    bare = SimpleNamespace(kind="text", name="bare")
    with pytest.raises(CapabilityError, match="'mask-token' needs 'blank_token'"):
        MaskToken().bind(bare, np.array([1]), RNG)
    with pytest.raises(CapabilityError, match="'empty-token' needs 'continuous'"):
        EmptyToken().bind(bare, np.array([1]), RNG)
    assert Deletion().bind(bare, np.array([1]), RNG)(np.array([[False]])).tolist() == [[-1]]
    table = SimpleNamespace(kind="table", name="rows")
    with pytest.raises(InputError, match="not for the table model"):
        Game(table, np.ones(2), np.array(0), Players(np.arange(2)), Deletion())
    with pytest.raises(InputError, match="is a model of table"):
        Words().players(table, np.ones(2))


def test_parts_are_known_by_name_and_survive_storage():
    for part in (MaskToken(token="x"), Deletion(), EmptyToken(), Words(), Sentences()):
        found = registry.find(part.name, "parts")
        assert found is type(part)
        assert found.from_parameters(part.parameters()) == part


def test_words_come_and_go_together(pieces):
    labels = Words().players(pieces, sample(pieces)).labels
    # The | cat | sat | . | It | was | 3 | . | 14 | ." | So | ? | \n | Good
    assert labels.tolist() == [-1, *range(14), -1, -1]
    split = Pieces(["un", "believ", "able", " dog", "gy", " don", "'t", "-"])
    assert Words().players(split, np.arange(8)).labels.tolist() == [0, 0, 0, 1, 1, 2, 2, 3]


def test_sentences_end_at_marks_before_space_and_at_line_breaks(pieces):
    labels = Sentences().players(pieces, sample(pieces)).labels
    # The cat sat. | It was 3.14." | So?\n | Good
    assert labels.tolist() == [-1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, -1, -1]
    quoted = Pieces(["He", " said", ":", ' "', "Go", '!"', " Then", " he", " left"])
    assert Sentences().players(quoted, np.arange(9)).labels.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    lower = Pieces(["it", "is", "3", ".", "14", ".", "so", "what", "?", "yes"])
    assert Sentences().players(lower, np.arange(10)).labels.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 2]


def test_word_pieces():
    pieces = ["[CLS]", "un", "##believ", "##able", "dog", "'", "s", "[SEP]"]
    special = [True, *[False] * 6, True]
    assert word_numbers(pieces, special, word_pieces=True) == [-1, 0, 0, 0, 1, 2, 3, -1]


def test_a_text_of_special_tokens_has_no_words(pieces):
    with pytest.raises(InputError, match="all its tokens are special"):
        Words().players(pieces, np.array([0]))


def test_smollm2_needs_the_names_to_say_mary(smollm2):
    """Without "Mary" in the sentence, by any meaning of absent, Mary is a less likely answer than before."""
    x = smollm2.encode("When John and Mary went to the store, John gave a drink to")[0]
    texts = [smollm2.token_text(int(i)) for i in x]
    target = np.array([smollm2.output_index("Mary"), smollm2.output_index("John")])
    masks = np.ones((2, len(x)), dtype=bool)
    masks[1, texts.index(" Mary")] = False
    for part in (MaskToken(), Deletion(), EmptyToken()):
        full, without = Game(smollm2, x, target, Each().players(smollm2, x), part)(masks)
        assert full > without + 1.0
    empty, _ = Game(smollm2, x, target, Each().players(smollm2, x), Deletion()).ends()
    start = np.array([[smollm2.tokenizer.bos_token_id]])
    np.testing.assert_allclose(empty, smollm2.scores(start, target[None])[0], atol=1e-4)


def test_smollm2_s_blank_is_its_padding_token(smollm2):
    assert smollm2.tokenizer.mask_token_id is None
    assert smollm2.blank_token == smollm2.tokenizer.pad_token_id
