"""An ONNX file as a function of table rows, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import FileFormatError, InputError, MissingDependencyError, first_line

NUMBERS = {"tensor(float)": np.float32, "tensor(double)": np.float64}


class OnnxFunction:
    """Scores (sample, output) of rows (sample, feature).

    Parameters
    ----------
    path : an .onnx file with one input of numbers, (sample, feature). Of several outputs the last one of numbers is
        taken: for classifiers from scikit-learn that is the probabilities.

    Attributes
    ----------
    feature_count : columns it takes, or None where the file leaves that open.
    class_names : keys of a classifier's probabilities, where the file has them as a dictionary; otherwise None.
    """

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingDependencyError(".onnx files are run by onnxruntime: pip install 'explicate[onnx]'") from error
        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no public base class of its errors
            raise FileFormatError(f"{path} cannot be read as ONNX: {first_line(error)}") from error
        given = self._session.get_inputs()
        shapes = ", ".join(f"{item.name}: {item.type} {item.shape}" for item in given)
        if len(given) != 1 or given[0].type not in NUMBERS or len(given[0].shape) != 2:
            raise InputError(
                f"{path} takes {shapes}; only models of one table of numbers (sample, feature) are run from a file: "
                "wrap others in a function of your own and give it as package.module:function"
            )
        self._input = given[0].name
        self._type = NUMBERS[given[0].type]
        width = given[0].shape[1]
        self.feature_count = width if isinstance(width, int) else None
        self._output = self._scores_among(self._session.get_outputs(), path)
        self.class_names: tuple[str, ...] | None = None
        self.__name__ = path.stem

    @staticmethod
    def _scores_among(outputs: Any, path: Path) -> str:
        for item in reversed(outputs):
            if item.type in NUMBERS or item.type.startswith("seq(map("):
                return str(item.name)
        raise InputError(f"{path} gives {', '.join(f'{i.name}: {i.type}' for i in outputs)}; none of them is a score")

    def __call__(self, rows: Array) -> Floats:
        values = np.ascontiguousarray(rows, dtype=self._type)
        (found,) = self._session.run([self._output], {self._input: values})
        if isinstance(found, list):  # one dictionary from class to probability a row
            self.class_names = tuple(str(key) for key in found[0])
            found = np.array([list(row.values()) for row in found])
        return np.asarray(found, dtype=float)
