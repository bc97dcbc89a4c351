"""Counterfactuals: other inputs that change the outcome."""

from __future__ import annotations

from explicate.counterfactuals.decision_boundary import DecisionBoundary

__all__ = ["DecisionBoundary"]
