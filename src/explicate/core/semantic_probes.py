"""The report of a study of program semantics."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import xarray as xr

from explicate.core.explanation import Explanation
from explicate.errors import InputError


class SemanticProbeReport(Explanation):
    """What a model that was trained on programs knows of their states, checkpoint by checkpoint.

    Variables
    ---------
    accuracy : (checkpoint, feature, offset), of a probe of the model's states, on held-out programs; NaN where it
        wrote too few programs of that length to say.
    majority : alike, of the most frequent label.
    generative_accuracy : (checkpoint,), the share of specifications that the model writes a right program for;
        `hidden_accuracy` (checkpoint,): right on examples that were not shown; `as_reference`: the very program.
    written_length, reference_length : (checkpoint,), mean actions of right programs, and of their references.
    perplexity_solved, perplexity_unsolved : (checkpoint,), of the references of tasks that it solves, and of others;
        NaN where there are none.
    intervention, intervention_majority : (semantics, probe, part_of_state, distance), optional: accuracies at the last
        checkpoint for the original semantics, which come first, and for alternatives; features and offsets as above.
    move_share : (semantics,), optional: how many of the written actions mean a move; alternatives should be comparable.
    screen, dropped : (alternative,), optional: how well its labels are read from the original state alone, and programs
        whose trace has another length.
    baseline_accuracy : (baseline, feature, offset), optional: the same probe on other vectors, or on shuffled labels.
    shortest_length : optional: mean actions of the shortest programs for the tasks that the last checkpoint solves.
    """

    kind: ClassVar[str] = "semantic-probes"
    main: ClassVar[str] = "accuracy"
    required: ClassVar[dict[str, tuple[str, ...]]] = {
        "generative_accuracy": ("checkpoint",),
    }

    def curve(self, feature: str, offset: int = 0) -> np.ndarray:
        """Probe accuracies (checkpoint,)."""
        return np.asarray(self.data["accuracy"].sel(feature=feature, offset=offset).values)

    def gaps(self, *, above_majority: bool = False) -> xr.DataArray:
        """Accuracy for the original semantics less that for each alternative.

        Parameters
        ----------
        above_majority : compare accuracies less those of the majority label, as alternatives differ in how uneven their
            labels are.
        """
        if self.data.sizes.get("semantics", 0) < 2:
            raise InputError("the report has no alternative semantics to compare with; run it with alternatives")
        found = self.data["intervention"]
        found = found - self.data["intervention_majority"] if above_majority else found
        return found.isel(semantics=0, drop=True) - found.isel(semantics=slice(1, None))
