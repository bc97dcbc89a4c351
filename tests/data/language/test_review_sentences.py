"""Published formats read as they are, made-up sentences against their own lexicon, damaged files by name."""

import io
import tarfile

import numpy as np
import pytest

from explicate.data.language.review_sentences import (
    in_parts,
    made_reviews,
    rated_reviews,
    rt_polarity,
    sentiments,
    words_of,
)
from explicate.data.language.word_vectors import read_vectors, vector_table
from explicate.errors import FileFormatError, InputError

LINES = "1\t2.25\tThe Rock isn't ''bad''.\n2\t-0.6\tEffective but too tepid biopic\n3\t0.0\tneither\n4\t1.0\t10 !\n"


def packed(name, data):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def test_rt_polarity_is_read_as_it_is_published(tmp_path):
    (tmp_path / "rt-polarity.pos").write_bytes("a caf\xe9 , warm .\nfunny \n\n".encode("latin-1"))
    (tmp_path / "rt-polarity.neg").write_bytes(b"it's dull .\n")
    found = rt_polarity(tmp_path)
    assert found.labels.tolist() == [1, 1, 0]
    assert found.texts[1:] == ("funny", "it's dull .")
    (tmp_path / "rt-polarity.neg").write_bytes(b"\n")
    with pytest.raises(FileFormatError, match=r"rt-polarity\.neg holds no sentence"):
        rt_polarity(tmp_path)
    with pytest.raises(FileFormatError, match="cannot read"):
        rt_polarity(tmp_path / "absent")


def test_rated_sentences_are_found_in_an_archive_of_an_archive(tmp_path):
    inner = packed("folder/movieReviewSnippets_GroundTruth.txt", LINES.encode())
    path = tmp_path / "vaderSentiment-3.3.2.tar.gz"
    path.write_bytes(packed("x/additional_resources/hutto.tar.gz", inner))
    found = rated_reviews(path)
    assert found.labels.tolist() == [1, 0]
    assert found.texts == ("the rock isn't ' ' bad ' ' .", "effective but too tepid biopic")
    text = tmp_path / "own.txt"
    text.write_text(LINES + "5\tgood\tx\n")
    with pytest.raises(FileFormatError, match="line 5"):
        rated_reviews(text)
    path.write_bytes(packed("other.txt", b"x"))
    with pytest.raises(FileFormatError, match="holds no file movieReview"):
        rated_reviews(path)
    path.write_bytes(b"no archive")
    with pytest.raises(FileFormatError, match="cannot read the archive"):
        rated_reviews(path)


def test_made_sentences_have_the_sentiment_that_their_lexicon_gives():
    found, weights = made_reviews(6000, clauses=2), sentiments()
    totals = np.array([sum(weights.get(word, 0.0) for word in text.split()) for text in found.texts])
    for low, high in ((-3, -1), (-1, 0), (0, 1), (1, 3)):
        own = (totals > low) & (totals < high)
        expected = (1 / (1 + np.exp(-totals[own]))).mean()
        assert found.labels[own].mean() == pytest.approx(expected, abs=0.05)
    assert made_reviews(50).texts == made_reviews(50).texts != made_reviews(50, seed=1).texts
    with pytest.raises(InputError, match="0 clauses"):
        made_reviews(10, 0)


def test_parts_are_balanced_and_share_no_sentence():
    whole = made_reviews(500)
    parts = in_parts(whole, (0.5, 0.2))
    assert all(part.labels.mean() == 0.5 for part in parts)
    names = [name for part in parts for name in part.subjects]
    assert len(names) == len(set(names)) == 2 * min(np.bincount(whole.labels))
    assert words_of("Isn't it ''good''?") == ("isn't", "it", "'", "'", "good", "'", "'", "?")


def test_word_vectors_of_both_formats(tmp_path):
    vectors = {"good": np.array([1.0, 2, 3], dtype=np.float32), "bad": np.array([-1.0, 0, 1], dtype=np.float32)}
    text, binary = tmp_path / "glove.txt", tmp_path / "news.bin"
    text.write_text("".join(f"{word} {' '.join(map(str, row))}\n" for word, row in vectors.items()) + "other 1 2\n")
    binary.write_bytes(b"2 3\n" + b"".join(w.encode() + b" " + v.tobytes() + b"\n" for w, v in vectors.items()))
    for path in (text, binary):
        found = read_vectors(path, ["bad", "good", "missing"])
        assert set(found) == {"good", "bad"}
        assert all(np.array_equal(found[word], vectors[word]) for word in vectors)
    with pytest.raises(FileFormatError, match="has 2 numbers, not 3"):
        read_vectors(text, ["good", "other"])
    binary.write_bytes(b"2 3\ngood 123")
    with pytest.raises(FileFormatError, match="ends in the middle of word 1"):
        read_vectors(binary, ["good"])


def test_longer_vectors_are_laid_on_their_principal_axes():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 10)) + 5  # all that varies lies in a plane
    known = {f"w{place}": row for place, row in enumerate(plane)}
    found = vector_table([*known, "new"], known, 2, np.random.default_rng(1))
    distances = [np.linalg.norm(rows[:, None] - rows, axis=2) for rows in (plane, found[:-1].astype(float))]
    scale = distances[0].max() / distances[1].max()
    assert distances[0] == pytest.approx(scale * distances[1], abs=1e-4 * distances[0].max())
    assert np.square(found[:-1]).mean() == pytest.approx(1 / 2, rel=1e-3)
