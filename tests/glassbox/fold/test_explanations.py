import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from explicate.core.explanation import Explanation
from explicate.core.kinds import Rules
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.glassbox import replay
from explicate.glassbox.fold import FoldSEClassifier
from explicate.glassbox.fold.columns import Cells
from explicate.glassbox.fold.explanations import cases_dataset, program_dataset, program_of, replayed


def explanation(data):
    return Rules(data, Provenance("fold-se"))


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_replaying_gives_the_predictions(programs, tables, data):
    program, frame = data.draw(programs)
    other = data.draw(tables)
    labels = np.array(program.classes)
    cells = Cells(frame, program.kinds)
    expected = program.labels(program.predict(cells)).tolist()
    whole, cases = program_dataset(program, labels), cases_dataset(program, labels, cells)
    assert replayed(explanation(cases)).tolist() == expected
    assert replayed(explanation(whole), frame).tolist() == expected
    elsewhere = program.labels(program.predict(Cells(other, program.kinds))).tolist()
    assert replayed(explanation(cases), other).tolist() == elsewhere
    assert program_of(explanation(whole)).fingerprint() == program_of(explanation(cases)).fingerprint()


def learned():
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2, 3, 4] * 10, "b": ["x", "y"] * 20})
    return frame, FoldSEClassifier(tail=1).fit(frame, np.where(frame["a"] <= 2, "low", "high"))


def test_the_arrays_say_what_holds_where():
    frame, model = learned()
    found = model.explain(frame.head(3))
    assert found["prediction"].values.tolist() == model.program_.predict(model.program_.cells(frame.head(3))).tolist()
    (operator,) = found["literal_operator"].values
    expected = [int((a <= 2) == (operator == "<=")) for a in (1, 2, 3)]
    assert found["holds"].values[:, 0].tolist() == found["fires"].values[:, 0].tolist() == expected
    assert found["input_number"].sel(column="a").values.tolist() == [1.0, 2.0, 3.0]
    assert found["input_text"].sel(column="b").values.tolist() == ["x", "y", "x"]
    assert found["precision"].values.tolist() == [1.0]
    assert found["coverage"].values.tolist() == [20]
    assert found.texts[0] in found.to_frame()["rule"].tolist()
    assert {"coverage", "precision", "clause"} <= set(found.to_frame())


def test_a_file_is_enough_to_replay(tmp_path):
    frame, model = learned()
    for place, cases in (("whole.nc", None), ("cases.nc", frame)):
        stored = Explanation.load(model.explain(cases).save(tmp_path / place))
        assert isinstance(stored, Rules)
        assert replay(stored, None if cases is not None else frame).tolist() == model.predict(frame).tolist()
        assert stored.provenance.model_fingerprint == model.program_.fingerprint()


def test_an_explanation_made_cyclic_by_hand_is_refused():
    frame, model = learned()
    data = model.explain().data
    data = data.drop_dims("exception").assign(
        exception_rule=("exception", np.array([0])), exception_clause=("exception", np.array(["rule1"], dtype=object))
    )
    with pytest.raises(InputError, match="cycle: rule1 -> rule1"):
        replay(explanation(data), frame)


def test_what_cannot_be_replayed_is_said():
    _, model = learned()
    with pytest.raises(InputError, match="of the whole model, not of cases"):
        replay(model.explain())
    with pytest.raises(InputError, match="rules as text only"):
        replay(explanation(xr.Dataset(coords={"rule": ["if a then b"]})))
