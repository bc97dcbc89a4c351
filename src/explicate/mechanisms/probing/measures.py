"""How well held-out labels, or values, were read."""

from __future__ import annotations

import numpy as np

from explicate.core.capabilities import Array, Floats

CLASS_MEASURES = ("accuracy", "f1", "auc")
VALUE_MEASURES = ("r2", "correlation")


def class_scores(outputs: Floats, labels: Array) -> tuple[float, ...]:
    """Accuracy, F1 and ROC-AUC of outputs (sample, class); the latter two of class 1, or means over more classes."""
    guess, classes = outputs.argmax(axis=1), outputs.shape[1]
    asked = [1] if classes == 2 else range(classes)
    f1 = [f1_score(guess == c, labels == c) for c in asked]
    aucs = [auc(outputs[:, c] - (outputs[:, 0] if classes == 2 else 0), labels == c) for c in asked]
    return float(np.mean(guess == labels)), float(np.mean(f1)), float(np.mean(aucs))


def value_scores(outputs: Floats, values: Floats) -> tuple[float, ...]:
    """R² against the mean of the held-out values, and Pearson's correlation (0 for a constant)."""
    spread = float(np.var(values))
    flat = spread == 0 or float(np.var(outputs)) == 0
    r2 = 1 - float(np.mean((outputs - values) ** 2)) / spread if spread else 0.0
    return r2, 0.0 if flat else float(np.corrcoef(outputs, values)[0, 1])


def f1_score(guess: Array, truth: Array) -> float:
    """Harmonic mean of precision and recall; 0 where nothing is found."""
    both = int((guess & truth).sum())
    return 2 * both / max(1, int(guess.sum()) + int(truth.sum()))


def auc(outputs: Floats, truth: Array) -> float:
    """The chance that a positive's output is above a negative's, ties counted half; 0.5 where a side is empty."""
    from scipy.stats import rankdata

    positive = int(truth.sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return 0.5
    ranks = rankdata(outputs)
    return (float(ranks[truth].sum()) - positive * (positive + 1) / 2) / (positive * negative)
