import numpy as np
import pandas as pd
import pytest

from explicate.core.capabilities import Differentiable, Predictor
from explicate.errors import InputError, ModelError
from explicate.models.tabular import TabularModel
from explicate.models.torch_tabular import TorchTabularModel

torch = pytest.importorskip("torch")

FRAME = pd.DataFrame({"age": [30.0, 40.0, 50.0], "job": ["cook", "pilot", "cook"]})


class Scorer(torch.nn.Module):
    """log-odds = age / 10 - 4 + 2 (job is pilot)"""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1).double()
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor([[0.1, 2.0]]))
            self.layer.bias.copy_(torch.tensor([-4.0]))

    def forward(self, x):
        return self.layer(x)


def test_scores_and_gradients_of_rows_with_names_and_categories():
    model = TorchTabularModel(Scorer(), FRAME, class_names=["no", "yes"], immutable=["age"])
    assert isinstance(model, Predictor)
    assert isinstance(model, Differentiable)
    rows = model.encode(FRAME)
    assert np.allclose(model.predict(rows)[:, 0], [-1, 2, 1])
    assert np.allclose(model.gradients(rows, np.zeros(3, dtype=int)), [[0.1, 2.0]] * 3)
    assert model.feature_names == ("age", "job")
    assert model.features[0].immutable
    assert model.output_name(0) == "yes"
    assert model.feature_labels(rows)["input_text"][1][1].tolist() == ["40", "pilot"]


def test_probabilities_are_sigmoids_and_their_gradient_has_the_slope():
    model = TorchTabularModel(Scorer(), FRAME, score="probability")
    rows = model.encode(FRAME)
    probability = 1 / (1 + np.exp([1.0, -2.0, -1.0]))
    assert np.allclose(model.predict(rows)[:, 0], probability)
    slopes = (probability * (1 - probability))[:, None] * [[0.1, 2.0]]
    assert np.allclose(model.gradients(rows, np.zeros(3, dtype=int)), slopes)


def test_encoding_and_its_errors_are_those_of_other_tables():
    torch_model = TorchTabularModel(Scorer(), FRAME)
    plain = TabularModel(lambda frame: frame["age"], FRAME)
    assert np.array_equal(torch_model.encode(dict(FRAME.iloc[1])), plain.encode(dict(FRAME.iloc[1])))
    assert torch_model.decode(torch_model.encode(FRAME)).equals(plain.decode(plain.encode(FRAME)))
    for wrong in (FRAME.rename(columns={"job": "work"}), np.ones((2, 3)), FRAME.assign(age=np.nan)):
        messages = []
        for model in (torch_model, plain):
            with pytest.raises(InputError) as error:
                model.encode(wrong)
            messages.append(str(error.value).replace(model.name, "MODEL"))
        assert messages[0] == messages[1]


def test_the_fingerprint_follows_weights_features_and_score():
    base = TorchTabularModel(Scorer(), FRAME).fingerprint()
    assert TorchTabularModel(Scorer(), FRAME).fingerprint() == base
    changed = Scorer()
    with torch.no_grad():
        changed.layer.bias += 1e-3
    assert TorchTabularModel(changed, FRAME).fingerprint() != base
    assert TorchTabularModel(Scorer(), FRAME.rename(columns={"age": "years"})).fingerprint() != base
    assert TorchTabularModel(Scorer(), FRAME, score="probability").fingerprint() != base


def test_a_module_of_the_wrong_width_is_one_clear_error():
    model = TorchTabularModel(torch.nn.Linear(5, 1), FRAME)
    with pytest.raises(ModelError, match="failed on inputs of shape"):
        model.predict(model.encode(FRAME))


def test_a_module_without_gradients_says_so_when_they_are_asked_for():
    class Detached(Scorer):
        def forward(self, x):
            return super().forward(x).detach()

    model = TorchTabularModel(Detached(), FRAME, name="frozen")
    rows = model.encode(FRAME)
    assert np.allclose(model.predict(rows)[:, 0], [-1, 2, 1])
    with pytest.raises(ModelError, match=r"'frozen' failed when asked for gradients at inputs of shape \(3, 2\)"):
        model.gradients(rows, np.zeros(3, dtype=int))
