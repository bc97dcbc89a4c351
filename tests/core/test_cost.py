import json

import numpy as np

from explicate.core.cost import measure, spend
from explicate.core.provenance import Provenance
from explicate.models.tabular import TabularModel


def test_nested_counts_add_up():
    rows = np.arange(20.0).reshape(10, 2)
    model = TabularModel(lambda x: x[:, 0], rows, chunk=3)
    with measure() as outer:
        model.predict(rows)
        with measure() as inner:
            model.predict(rows[:4])
    assert (outer.evaluations, inner.evaluations) == (14, 4)
    model.predict(rows)
    assert outer.evaluations == 14
    assert outer.seconds >= inner.seconds > 0


def test_calls_of_chat_models_reach_the_provenance():
    with measure() as cost:
        spend(calls=2, prompt_tokens=30, completion_tokens=12)
        spend(cached_calls=1)
    made = Provenance("a-method", model="chat", **cost.spent())
    assert (made.calls, made.cached_calls, made.prompt_tokens, made.completion_tokens) == (2, 1, 30, 12)
    assert "2 calls (42 tokens) and 1 cached calls" in made.summary()
    assert Provenance.from_json(made.to_json()) == made
    before = json.loads(made.to_json())
    for name in ("calls", "cached_calls", "prompt_tokens", "completion_tokens"):
        del before[name]
    assert Provenance.from_json(json.dumps(before)).calls == 0  # files of earlier versions are read
