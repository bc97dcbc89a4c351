"""Equation learners: a network of readable units that ends as one formula."""

from __future__ import annotations

from explicate.glassbox.equation.estimator import EquationRegressor
from explicate.glassbox.equation.formula import Formula

__all__ = ["EquationRegressor", "Formula"]
