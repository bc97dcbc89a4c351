import pytest

from explicate.data.odeen import read_observations
from explicate.errors import FileFormatError


def written(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def test_rows_without_a_tag_ask_for_it(tmp_path):
    found = read_observations(written(tmp_path, "structure,tag\na..B.v,true\n......,0\nbBbBbB,\nVV...., No \n"))
    assert found.structures == ("a..B.v", "......", "VV....")
    assert found.tags == (True, False, False)
    assert found.asked == ("bBbBbB",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("structure\na..B.v\n", "the column 'tag' is missing"),
        ("structure,tag\na..B.v,1\na..x.v,1\n", "line 3: structure 0, 'a..x.v': the symbol 'x' at position 3"),
        ("structure,tag\na..B.v,maybe\n", "line 2: the tag 'maybe'"),
        ("", "cannot be read as a CSV"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, text, message):
    with pytest.raises(FileFormatError, match=message):
        read_observations(written(tmp_path, text))
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_observations(tmp_path / "none.csv")
