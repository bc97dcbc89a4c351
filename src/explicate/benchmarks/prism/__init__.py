"""PrISM: model-specific data sets of four ways in which a language model completes a fact, to trace each by itself."""

from explicate.benchmarks.prism.builder import PrismBuilder, PrismDataset
from explicate.benchmarks.prism.flags import Flags
from explicate.benchmarks.prism.scenarios import SCENARIOS

__all__ = ["SCENARIOS", "Flags", "PrismBuilder", "PrismDataset"]
