"""What "absent" means, for tables, images and texts."""

from explicate.attribution.missingness.base import Baseline, Fill, Marginal, Mean, Missingness, Zero

__all__ = ["Baseline", "Fill", "Marginal", "Mean", "Missingness", "Zero"]
