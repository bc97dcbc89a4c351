"""The effective OV circuit of one head as a function of what it reads, which may have been changed.

`explicate.mechanisms.weights.effective_ov` gives the logits of tokens as they are, for all heads; here are those of any
input, and the linear map behind them. Biases, which add the same to every word, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.sites import Site
from explicate.errors import SiteError
from explicate.mechanisms.weights import HeadWeights, LowRank, fold_norms
from explicate.models.language import LanguageModel


@dataclass(frozen=True, eq=False)
class HeadCircuit:
    """Norm, value and output map of a head, norm, unembedding; the norms' gains are in the maps.

    Attributes
    ----------
    site : the head's output. ov : what it writes for a normed row. unembedding : (vocabulary, width).
    norm : what a norm takes out, "none", "rms" (the scale) or "layer" (also the mean).
    """

    site: Site
    ov: LowRank
    unembedding: Floats
    norm: str

    @classmethod
    def of(cls, model: LanguageModel, site: Site | str) -> HeadCircuit:
        """Read the weights of a head's output, such as L12.head_out.H0."""
        site = Site.parse(site)
        if site.kind != "head_out" or site.head is None or site.layer is None:
            raise SiteError(f"{site} is no head's output; give one such as L1.head_out.H0")
        heads = HeadWeights.of(model)
        unembedding = fold_norms(model).module.get_output_embeddings().weight.detach().float().cpu().numpy()
        return cls(site, heads.ov(site.layer, site.head), unembedding, heads.norm)

    def written(self, inputs: Floats) -> Floats:
        """What the head writes for inputs (..., width)."""
        return self.ov(self.normed(inputs))

    def logits(self, inputs: Floats, tokens: Array) -> Floats:
        """Logits (..., token) of some tokens for inputs (..., width)."""
        found: Floats = self.normed(self.written(inputs)) @ self.unembedding[tokens].T
        return found

    def readers(self, inputs: Floats, outputs: Floats) -> Floats:
        """For each input (input, width) the direction whose product with it is its state's product with an output.

        With rows of the unembedding as outputs (input, width) that is a logit. Both norms' scales are held at the
        input's own, so the map is linear: shares of an input get shares of the logit.
        """
        scales = self.scale(inputs) * self.scale(self.written(inputs))
        found = self._centred(self.ov.T(self._centred(outputs)))
        return np.asarray(found / np.maximum(scales, np.finfo(np.float32).tiny)[..., None])

    def normed(self, states: Floats) -> Floats:
        """States (..., width) behind a norm without gain; zeros stay zeros."""
        states = self._centred(np.asarray(states))
        scale = self.scale(states)[..., None]
        return np.asarray(np.divide(states, scale, out=np.zeros_like(states), where=scale > 0))

    def scale(self, states: Floats) -> Floats:
        """What a norm divides by, (...,); 1 in a model without norms."""
        if self.norm == "none":
            return np.ones(states.shape[:-1])
        return np.asarray(np.sqrt((self._centred(states) ** 2).mean(axis=-1)))

    def _centred(self, states: Floats) -> Floats:
        """Without the mean, where the norms take it out."""
        return states - states.mean(axis=-1, keepdims=True) if self.norm == "layer" else states
