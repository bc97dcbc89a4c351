"""Shapley values of coalition games: exact, by regression on pairs of coalitions, and by a Gaussian process."""

from explicate.attribution.shapley.estimates import Estimate
from explicate.attribution.shapley.exact import all_coalitions, banzhaf_values, shapley_values
from explicate.attribution.shapley.solver import shapley_estimate

__all__ = ["Estimate", "all_coalitions", "banzhaf_values", "shapley_estimate", "shapley_values"]
