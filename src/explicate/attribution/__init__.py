"""Attribution: how much each feature contributed to a score."""

from explicate.attribution.lfa import LocalFunctionApproximation
