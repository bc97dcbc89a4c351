"""Hidden states at the last token of a prompt: of the stream, the MLPs, the attention, and single heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats, Transparent, require
from explicate.core.sites import Site
from explicate.errors import InputError, SiteError
from explicate.runtime.progress import bar

COMPONENTS = ("resid_post", "mlp_out", "attn_out", "z")
"""The residual stream after each block, what MLP and attention write, and the heads before the output projection."""
BLOCK = 128  # texts captured together
INSTEAD = "labelling works without them, from what the model writes"


@dataclass(frozen=True, order=True)
class Place:
    """A component of a layer; for components with heads, one head or all of them side by side (None)."""

    component: str
    layer: int
    head: int | None = None

    @property
    def site(self) -> Site:
        """Its address at the last token."""
        return Site(self.component, self.layer, self.head, (-1,))

    def __str__(self) -> str:
        return f"L{self.layer}.{self.component}" + ("" if self.head is None else f".H{self.head}")


@dataclass(frozen=True, eq=False)
class States(Mapping[Place, Floats]):
    """Vectors of length one at each place, (text, width).

    Attributes
    ----------
    arrays : by component and layer, (text, width), or (text, head, width) for components with heads.
    """

    arrays: Mapping[tuple[str, int], Floats]

    def __getitem__(self, place: Place) -> Floats:
        key = (place.component, place.layer)
        if key not in self.arrays:
            have = ", ".join(sorted({f"L{layer}.{component}" for component, layer in self.arrays}))
            raise SiteError(f"no states were taken at {place}; there are {have}")
        found = self.arrays[key]
        if found.ndim == 2:
            return found
        if place.head is None:
            return _unit(found.reshape(len(found), -1))
        if place.head >= found.shape[1]:
            raise SiteError(f"{place}: there are {found.shape[1]} heads")
        return np.asarray(found[:, place.head])

    def __iter__(self) -> Iterator[Place]:
        for (component, layer), values in self.arrays.items():
            if values.ndim == 2:
                yield Place(component, layer)
            else:
                yield from (Place(component, layer, head) for head in range(values.shape[1]))

    def __len__(self) -> int:
        return sum(1 if values.ndim == 2 else values.shape[1] for values in self.arrays.values())

    @property
    def texts(self) -> int:
        """Number of texts."""
        return len(next(iter(self.arrays.values())))

    def rows(self, rows: Array) -> States:
        """The states of some texts."""
        return States({key: values[rows] for key, values in self.arrays.items()})

    def only(self, *components: str) -> States:
        """The states of some components."""
        return States({key: values for key, values in self.arrays.items() if key[0] in components})


def hidden_states(
    model: Any,
    texts: Sequence[str],
    components: Sequence[str] = COMPONENTS[:3],
    layers: Sequence[int] | None = None,
) -> States:
    """States at the last token of each text, every vector (of every head) scaled to length one.

    Parameters
    ----------
    model : a white-box language model.
    components : see `COMPONENTS`. layers : all by default.

    Raises
    ------
    CapabilityError : the model is a black box.
    """
    require(model, Transparent, "reading hidden states", INSTEAD)
    if not len(texts):
        raise InputError("no texts given")
    unknown = [each for each in components if each not in COMPONENTS]
    if unknown or not components:
        raise InputError(f"components are {', '.join(COMPONENTS)}; not {', '.join(unknown) or 'none'}")
    chosen = range(model.layer_count) if layers is None else layers
    keys = [(component, layer) for layer in chosen for component in components]
    sites = {key: Place(*key).site for key in keys}
    order = np.argsort([len(text) for text in texts], kind="stable")
    found: dict[tuple[str, int], Floats] = {}
    progress = bar(len(texts), "reading hidden states")
    try:
        for start in range(0, len(order), BLOCK):
            rows = order[start : start + BLOCK]
            seen = model.capture([texts[row] for row in rows], list(sites.values()))
            for key, site in sites.items():
                values = seen[site][..., 0, :]
                if key not in found:
                    found[key] = np.empty((len(texts), *values.shape[1:]), dtype=np.float32)
                found[key][rows] = _unit(values)
            progress.update(len(rows))
    finally:
        progress.close()
    return States(found)


def joined(first: States, second: States) -> States:
    """The states of the first texts and then of the second, at the places that both have."""
    shared = [key for key in first.arrays if key in second.arrays]
    if not shared:
        raise InputError("the two sets of states have no place in common; take the same components and layers")
    return States({key: np.concatenate([first.arrays[key], second.arrays[key]]) for key in shared})


def _unit(values: Floats) -> Floats:
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    return np.asarray(values / np.where(length == 0, 1.0, length), dtype=np.float32)


def word_states(texts: Sequence[str]) -> States:
    """Baseline without a model: which words a text has, at the place `words` of layer 0."""
    words = {word: place for place, word in enumerate(dict.fromkeys(word for text in texts for word in text.split()))}
    found = np.zeros((len(texts), len(words)), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.split():
            found[row, words[word]] += 1
    return States({("words", 0): _unit(found)})


def output_states(model: Any, texts: Sequence[str], likeliest: int = 10) -> States:
    """Baseline from the output alone: the likeliest next tokens' log-probabilities, at the place `output`."""
    logits = model.predict(model.encode(list(texts)))
    highest = logits.max(axis=1, keepdims=True)
    total = np.log(np.exp((logits - highest).astype(np.float64)).sum(axis=1, keepdims=True))
    top = -np.partition(-(logits - highest), likeliest, axis=1)[:, :likeliest]
    return States({("output", 0): np.asarray(np.sort(top, axis=1)[:, ::-1] - total, dtype=np.float32)})
