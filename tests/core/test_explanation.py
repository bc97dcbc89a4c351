import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explicate.core import storage
from explicate.core.explanation import Explanation
from explicate.core.kinds import Attribution, Direction, Rules
from explicate.core.provenance import Provenance
from explicate.errors import FileFormatError, InputError, OutputError


def attribution(values: np.ndarray, **more: object) -> Attribution:
    samples = len(values)
    data = xr.Dataset(
        {
            "attribution": (("sample", "feature"), values),
            "inputs": (("sample", "feature"), values * 2),
            "target": ("sample", np.zeros(samples, dtype=np.int64)),
            "target_name": ("sample", np.array(["ja, ö"] * samples, dtype=object)),
            "score": ("sample", values.sum(axis=1)),
        },
        attrs={"signed": 1, "note": "text"},
    ).assign_coords(feature=[f"f{j}" for j in range(values.shape[1])])
    return Attribution(data.assign(**more), Provenance("test", {"a": 1}, seed=3))


@settings(max_examples=20, deadline=None)
@given(values=arrays(float, (3, 4), elements=st.floats(-1e6, 1e6)))
def test_a_file_gives_back_the_same_explanation(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("store") / "one.nc"
    before = attribution(values, flag=("sample", np.array([True, False, True])))
    before.save(path)
    after = Explanation.load(path)
    assert type(after) is Attribution
    assert after.data.identical(before.data)
    assert after.provenance == before.provenance
    assert after["flag"].dtype == bool


def test_what_is_missing_or_not_finite_is_refused():
    with pytest.raises(InputError, match="needs the variable 'score'"):
        Attribution(attribution(np.ones((1, 2))).data.drop_vars("score"), Provenance("test"))
    with pytest.raises(InputError, match="NaN"):
        attribution(np.array([[1.0, np.nan]]))
    data = attribution(np.ones((2, 2))).data
    with pytest.raises(InputError, match="dimensions"):
        Attribution(data.assign(score=("other", np.ones(2))), Provenance("test"))


def test_selecting_keeps_the_kind_and_the_dimension():
    part = attribution(np.arange(6.0).reshape(3, 2)).isel(sample=1)
    assert isinstance(part, Attribution)
    assert part.values.tolist() == [[2, 3]]


def test_the_frame_has_one_row_per_entry():
    frame = attribution(np.arange(6.0).reshape(3, 2)).to_frame()
    assert len(frame) == 6
    assert frame.loc[(frame["sample"] == 2) & (frame["feature"] == "f1"), "attribution"].item() == 5


def test_a_damaged_file_is_named(tmp_path):
    path = attribution(np.ones((50, 40))).save(tmp_path / "whole.nc")
    content = path.read_bytes()
    for kept in (0, 10, len(content) // 2):
        cut = tmp_path / "cut.nc"
        cut.write_bytes(content[:kept])
        with pytest.raises(FileFormatError, match=r"cut\.nc"):
            Explanation.load(cut)
    with pytest.raises(InputError, match="no file"):
        Explanation.load(tmp_path / "absent.nc")


def test_a_file_of_a_newer_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "FORMAT", 99)
    path = attribution(np.ones((1, 2))).save(tmp_path / "new.nc")
    monkeypatch.undo()
    with pytest.raises(FileFormatError, match="format 99"):
        Explanation.load(path)


def test_another_file_is_refused(tmp_path):
    xr.Dataset({"a": ("x", np.ones(3))}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(FileFormatError, match="holds no explanation"):
        Explanation.load(tmp_path / "other.nc")
    attribution(np.ones((1, 2))).save(tmp_path / "one.nc")
    with pytest.raises(FileFormatError, match="not a 'direction'"):
        Direction.load(tmp_path / "one.nc")


def test_nothing_is_left_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        attribution(np.ones((1, 2))).save(tmp_path / "file" / "one.nc")
    path = tmp_path / "kept.nc"
    attribution(np.ones((1, 2))).save(path)
    before = path.read_bytes()
    broken = attribution(np.ones((1, 2)))
    broken.data["odd"] = ("sample", np.array([object()], dtype=object))
    with pytest.raises(Exception):  # noqa: B017  any failure must leave the old file
        broken.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] in (["file", "kept.nc"], ["kept.nc", "file"])


def test_directions_have_an_algebra():
    a, b = (Direction(xr.Dataset({"direction": ("width", np.array(v))}), Provenance("d")) for v in ([1.0, 2], [3.0, 5]))
    assert (2 * (b - a) + -a)["direction"].values.tolist() == [3, 4]


@pytest.mark.parametrize(
    "change", [{"kind": None}, {"provenance": None}, {"provenance": "{}"}, {"explicate_format": "x"}]
)
def test_damaged_attributes_are_one_error_that_names_the_file(tmp_path, change):
    path = attribution(np.ones((2, 3))).save(tmp_path / "one.nc")
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        data = opened.load()
    data.attrs = {name: value for name, value in {**data.attrs, **change}.items() if value is not None}
    data.to_netcdf(tmp_path / "two.nc", engine="h5netcdf")
    with pytest.raises(FileFormatError, match=r"two\.nc: its attributes are damaged"):
        Explanation.load(tmp_path / "two.nc")


def test_a_variable_named_like_its_dimension_has_a_frame():
    rules = Rules(xr.Dataset({"rule": ("rule", ["a > 1", "b < 2"])}), Provenance("test"))
    assert rules.to_frame()["rule"].tolist() == ["a > 1", "b < 2"]
