"""Which heads move the name, and which tell them where not to look, by path patching on prompts of a task.

Source: Wang et al. (2023), "Interpretability in the Wild: a Circuit for Indirect Object Identification in GPT-2 small",
sections 3.1 and 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.core.kinds import Effects
from explicate.core.sites import Site
from explicate.core.targets import Contrast
from explicate.data.language.ioi import IOI
from explicate.errors import InputError
from explicate.mechanisms.channels.channel import Place
from explicate.mechanisms.path_patching import patch_paths
from explicate.models.language import LanguageModel


@dataclass(frozen=True, eq=False)
class NamedHeads:
    """Heads by what they do.

    Attributes
    ----------
    movers, inhibitors : (layer, head), strongest first.
    direct : effect of each head's direct path to the logits. through : of its direct path to the movers' queries.
    attention : what heads attend to from the last token: (layer, head, who) with who of indirect object, subject,
        and subject again.
    """

    movers: tuple[Place, ...]
    inhibitors: tuple[Place, ...]
    direct: Effects
    through: Effects
    attention: np.ndarray


def name_heads(
    model: LanguageModel, prompts: IOI, *, movers: int = 3, inhibitors: int = 2, margin: float = 0.1
) -> NamedHeads:
    """Path patching from prompts with other names: to the logits, then to the queries of the movers found.

    Movers are the heads whose direct path raises the answer most, of those that attend to the indirect object by
    `margin` more than to the subject; inhibitors those that raise it most through the movers' queries.

    Raises
    ------
    InputError : no head attends to the indirect object that much and raises the answer.
    """
    targets = [Contrast(each.io, each.s) for each in prompts.prompts]
    others = [each.renamed for each in prompts.prompts]
    sites = [Site("pattern", layer, None, (-1,)) for layer in range(model.layer_count)]
    seen = model.capture(prompts.texts, sites)
    patterns = np.stack([seen[site][:, :, 0] for site in sites])  # (layer, sample, head, key)
    samples = np.arange(len(prompts))
    attention = np.stack(
        [patterns[:, samples, :, prompts.places(who)].mean(axis=0) for who in ("io", "s1", "s2")], axis=-1
    )
    direct = patch_paths(model, prompts.texts, others, receivers="logits", target=targets)
    looking = attention[..., 0] - attention[..., 1] >= margin
    found = _strongest(np.where(looking, direct.values.mean(axis=0), 0.0), movers)
    if not found:
        raise InputError(f"no head of {model.name!r} moves the name; is the task beyond it?")
    receivers = [Site("q", *place) for place in found]
    through = patch_paths(model, prompts.texts, others, receivers=receivers, target=targets)
    return NamedHeads(found, _strongest(through.values.mean(axis=0), inhibitors), direct, through, attention)


def _strongest(effects: np.ndarray, most: int) -> tuple[Place, ...]:
    """Heads whose patching lowers the score most."""
    order = np.argsort(effects, axis=None, kind="stable")[:most]
    places = [tuple(int(i) for i in np.unravel_index(place, effects.shape)) for place in order]
    return tuple((layer, head) for layer, head in places if effects[layer, head] < 0)
