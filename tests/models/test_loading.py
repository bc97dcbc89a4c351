"""Models from text: each kind of text, and each way in which it can be wrong."""

import textwrap

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import explicate as ex
from explicate.errors import CapabilityError, EndpointError, FileFormatError, InputError, ModelError, UnknownNameError
from explicate.models.loading import load_model, reload_model

CODE = """
import numpy as np
from sklearn.linear_model import LogisticRegression
from explicate.models.tabular import TabularModel

rows = np.random.default_rng(0).normal(size=(40, 3))
estimator = LogisticRegression().fit(rows, rows[:, 0] > 0)
handle = TabularModel(estimator, rows, name="mine")

def make(scale=1.0):
    return TabularModel(lambda x: scale * x.sum(axis=1), rows)

def make_estimator():
    return estimator

def make_with(background=rows):
    return TabularModel(lambda x: x.sum(axis=1), background)

def needs(scale):
    return make(scale)

def raises():
    raise RuntimeError("no weights here")

def score(x):
    return x[:, 0]

class Holder:
    inner = handle

number = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "my_models.py").write_text(textwrap.dedent(CODE))
    (tmp_path / "my_broken.py").write_text("import package_that_is_not_there\n")
    (tmp_path / "my_faulty.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    import sys

    for name in ("my_models", "my_broken", "my_faulty"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, frame["a"] > 0), frame


def test_object_in_the_current_folder(folder):
    model = load_model("my_models:handle")
    assert model.name == "mine"
    assert model.source == "my_models:handle"
    assert load_model("my_models:Holder.inner") is model


def test_function_is_called_with_the_options(folder):
    rows = np.ones((2, 3))
    assert load_model("my_models:make").predict(rows).tolist() == [[3.0], [3.0]]
    doubled = load_model("my_models:make", scale=2.0)
    assert doubled.predict(rows).tolist() == [[6.0], [6.0]]
    assert doubled.source == "my_models:make"


def test_estimator_and_scoring_function_need_a_background(folder):
    with pytest.raises(InputError, match=r"LogisticRegression that knows no data.*--background"):
        load_model("my_models:estimator")
    rows = np.zeros((5, 3))
    model = load_model("my_models:estimator", background=rows)
    assert model.output_count == 2
    assert model.source == "my_models:estimator"
    scored = load_model("my_models:score", background=rows)
    assert scored.predict(np.eye(3)).ravel().tolist() == [1.0, 0.0, 0.0]


def test_a_background_for_a_function_that_makes_models(folder):
    rows = np.zeros((5, 3))
    for text in ("my_models:make", "my_models:handle"):
        with pytest.raises(InputError, match="background comes too late"):
            load_model(text, background=rows)
    wrapped = load_model("my_models:make_estimator", background=rows)  # made without arguments, then wrapped
    assert wrapped.output_count == 2
    assert load_model("my_models:make_with", background=rows).background.tolist() == rows.tolist()


def test_a_background_from_a_file_is_remembered_and_found_again(folder, fitted):
    frame = fitted[1]
    frame.to_csv("rows.csv", index=False)
    model = load_model("my_models:estimator", background="rows.csv")
    made = ex.explain(model, frame.head(2), "kernel-shap").save(folder / "made.nc")
    assert ex.rerun(made).equal
    about = ex.load(made).provenance
    assert about.background["path"] == "rows.csv"
    assert reload_model(about).fingerprint() == model.fingerprint()
    frame.head(20).to_csv("rows.csv", index=False)
    with pytest.raises(InputError, match=r"rows.csv, has changed.*--background"):
        ex.rerun(made)
    frame.to_csv("moved.csv", index=False)
    (folder / "rows.csv").unlink()
    with pytest.raises(InputError, match=r"rows.csv, is not there any more.*--background"):
        ex.rerun(made)
    assert ex.rerun(made, background="moved.csv").equal


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("my_models:mak", UnknownNameError, "did you mean 'make'"),
        ("my_model:make", InputError, "no module 'my_model'"),
        ("my_models.sub:make", InputError, "no module"),
        ("my_broken:make", InputError, "needs the module 'package_that_is_not_there'"),
        ("my_faulty:make", ModelError, "ZeroDivisionError"),
        ("my_models:needs", InputError, "scale"),
        ("my_models:raises", ModelError, "no weights here"),
        ("my_models:number", CapabilityError, "is a int"),
        ("ftp://example.org/v1", InputError, "starts with http"),
        ("http://127.0.0.1:9/v1", EndpointError, "is it running"),
        ("smollm", UnknownNameError, "smollm2-135m"),
        ("", InputError, "no model given"),
        ("folder/that/is/not", InputError, "does not exist"),
        ("absent.skops", InputError, "no file"),
        ("my_models.py", InputError, "no model file"),
        (".", InputError, "config.json"),
    ],
)
def test_one_clear_line_for_each_mistake(folder, text, error, words):
    with pytest.raises(error, match=words) as caught:
        load_model(text)
    assert "\n" not in str(caught.value)


def test_what_fails_while_a_users_code_is_imported_is_one_line(folder):
    (folder / "my_faulty.py").write_text("raise RuntimeError('no licence\\nask the vendor')\n")
    with pytest.raises(ModelError, match=r"importing my_faulty failed: RuntimeError: no licence$"):
        load_model("my_faulty:model")


@pytest.mark.parametrize("ending", ["pkl", "pickle", "joblib", "pt", "PTH", "bin"])
def test_pickles_are_refused_unread(folder, ending):
    (folder / f"model.{ending}").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(InputError, match="can run any code"):
        load_model(folder / f"model.{ending}")
    assert not (folder / "ran").exists()


def test_skops_round_trip(fitted, tmp_path):
    io = pytest.importorskip("skops.io")
    estimator, frame = fitted
    path = tmp_path / "credit.skops"
    io.dump(estimator, path)
    with pytest.raises(InputError, match="--background"):
        load_model(path)
    model = load_model(path, background=frame)
    assert np.array_equal(model.predict(model.encode(frame)), estimator.predict_proba(frame))
    assert model.source == str(path)
    assert load_model(model.source, background=frame).fingerprint() == model.fingerprint()


class Odd:
    """A type that skops does not know."""

    def predict(self, rows):
        return np.asarray(rows)[:, 0]


def test_skops_names_the_types_to_trust(tmp_path):
    io = pytest.importorskip("skops.io")
    path = tmp_path / "odd.skops"
    io.dump(Odd(), path)
    with pytest.raises(InputError, match=r"not trusted: .*Odd.*trusted=\["):
        load_model(path, background=np.eye(2))


def test_damaged_files(tmp_path):
    pytest.importorskip("skops.io")
    pytest.importorskip("onnxruntime")
    for name in ("model.skops", "model.onnx"):
        (tmp_path / name).write_bytes(b"cut short")
        with pytest.raises(FileFormatError, match="cannot be read as"):
            load_model(tmp_path / name, background=np.eye(2))


def test_onnx_gives_the_scores_of_its_formula(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    weights = np.array([[1.0, -1.0], [0.5, 2.0], [0.0, 3.0]], dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["rows", "w"], ["m"]), helper.make_node("Softmax", ["m"], ["p"], axis=1)],
        "linear",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    path = tmp_path / "linear.onnx"
    saved = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(saved, str(path))
    rows = np.random.default_rng(0).normal(size=(7, 3))
    found = load_model(path, background=rows).predict(rows)
    logits = rows @ weights
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(InputError, match="knows no data"):
        load_model(path)
    with pytest.raises(ModelError, match="'linear' failed on inputs of shape") as caught:
        load_model(path, background=rows[:, :2])
    assert "\n" not in str(caught.value)


def test_onnx_over_pictures_says_what_to_do(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    shape = [None, 3, 4, 4]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "picture",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    path = tmp_path / "picture.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    with pytest.raises(InputError, match=r"package\.module:function"):
        load_model(path, background=np.eye(2))


def test_torch_modules_are_sent_to_a_function(folder):
    pytest.importorskip("torch")
    (folder / "my_torch.py").write_text("import torch\nnet = torch.nn.Linear(2, 1)\n")
    with pytest.raises(CapabilityError, match="VisionModel"):
        load_model("my_torch:net")
    with pytest.raises(CapabilityError, match="VisionModel"):
        load_model("my_torch:net", background=np.eye(2))
