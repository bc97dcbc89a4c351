import numpy as np

from explicate.core.cost import measure
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
