"""Reading and writing inside the model: capture, interventions, weights that come back bit by bit."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.interventions import Ablate, Edit, Intervention, Patch, Project, Scale, Steer, Together
from explicate.core.sites import GLOBAL, Site
from explicate.errors import InputError, SiteError
from explicate.models.language import sites, tokens
from explicate.models.language.positions import Frame, Handler, Selection
from explicate.models.language.token_model import TokenModel
from explicate.models.language.tokens import Batch
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import torch


class OpenModel(TokenModel):
    """A transformer whose named sites can be read and written; offers `Transparent`."""

    def sites(self) -> Sequence[Site]:
        """The named sites; heads, positions and module paths name further ones."""
        return sites.all_sites(self)

    @property
    def in_force(self) -> tuple[Intervention, ...]:
        """The interventions whose blocks are open now."""
        return tuple(self._active)

    @contextmanager
    def intervene(self, *interventions: Intervention | Together) -> Iterator[Self]:
        """Change activations or weights inside a `with` block; undone on exit, also after an exception.

        Within a layer, changes are made in the order in which the sites are computed; at one site in the order given,
        those of an outer block first. Positions count each text's own tokens (in generation: those of the prompt).
        """
        parts: list[Intervention] = []
        for item in interventions:
            parts.extend(item if isinstance(item, Together) else (item,))
        with ExitStack() as stack:
            if any(isinstance(part, Edit) for part in parts):
                self._own_fingerprint()  # of the weights as they are before
            for part in sorted(parts, key=_causal_place):
                if isinstance(part, Edit):
                    stack.enter_context(self._edited(part))
                else:
                    sites.attach(self, part.address, self._changer(part), stack)
            self._active.extend(parts)
            stack.callback(self._forget, parts)
            yield self

    @property
    def intervened(self) -> bool:
        """Whether any intervention is in force."""
        return bool(self._active)

    def capture(self, inputs: Any, sites: Sequence[Site | str]) -> Activations:
        """Activations at `sites`, after the interventions in force.

        Returns
        -------
        Site (or its text) -> array (sample, [head,] token, width); scores and patterns are (sample, [head,] query,
        key), logits (sample, token, vocabulary). Tokens are each text's own, from its first on; a shorter text's row
        ends in zeros. With positions, the token axis holds these positions.
        """
        return self._captured(self.encode(inputs), [Site.parse(site) for site in sites])

    def _captured(self, inputs: Array, wanted: list[Site]) -> Activations:
        longest = max(1, int(tokens.lengths_of(inputs).max()))
        found = Activations()
        seen: dict[Site, list[tuple[Any, Any]]] = {}

        def watch(rows: Array) -> dict[Site, Handler]:
            seen.update({site: [] for site in wanted})
            return {site: sites.recorder(seen[site]) for site in wanted}

        for rows in self.passes(inputs, watch):
            for site, parts in seen.items():
                if not parts:
                    raise SiteError(f"{site} is never computed when {self.name!r} runs; name another")
                values, valid = parts[-1]
                found[site] = _filled(found.get(site), site, rows, values, valid, len(inputs), longest)
        return found

    def passes(self, inputs: Array, watch: Callable[[Array], Mapping[Site, Handler]]) -> Iterator[Array]:
        """Send encoded texts through, a chunk of similar length at a time, and let handlers see it.

        Yields the row numbers of each chunk after its pass.

        Parameters
        ----------
        watch : row numbers of a chunk -> the handlers of its pass, by site.
        """
        import torch

        for rows in self._chunks(inputs):
            handlers = watch(rows)

            def evaluate(rows: Array = rows, handlers: Mapping[Site, Handler] = handlers) -> None:
                with ExitStack() as stack, torch.no_grad():
                    for site in sorted(handlers, key=_place):
                        sites.attach(self, site, handlers[site], stack)
                    batch = self.batch(inputs[rows])
                    stack.enter_context(self.framed(batch.frame))
                    self.run(batch, self.embeddings(batch), logits=any(site.kind == "logits" for site in handlers))

            self._evaluated(rows, evaluate)
            yield rows

    @abstractmethod
    def run(self, batch: Batch, embeddings: torch.Tensor, logits: bool) -> None:
        """Send a batch through for what the hooks see; without `logits` the outputs need not be computed."""

    def fingerprint(self) -> str:
        """A hash of weights, tokens and score; interventions in force are part of it."""
        own = self._own_fingerprint()
        facts: list[Any] = [self.kind, type(self).__name__, self.score, *self._facts(), own]
        return digest(*facts, *[_described(part) for part in self._active]) if self._active else digest(*facts)

    def _facts(self) -> list[Any]:
        return []

    @contextmanager
    def _edited(self, edit: Edit) -> Iterator[None]:
        import torch

        path = edit.address.kind
        known = dict(self.module.named_parameters())
        if path not in known:
            raise sites.unknown_parameter(self.name, path, list(known))
        parameter = known[path]
        original = parameter.data
        with torch.no_grad():
            changed = edit.apply(original)
        if changed.shape != original.shape:
            raise InputError(
                f"{path}: a change of shape {tuple(changed.shape)} for a weight of {tuple(original.shape)}"
            )
        parameter.data = changed
        try:
            yield
        finally:
            parameter.data = original  # the very tensor that was there, so every bit is as before

    def _changer(self, part: Intervention) -> Handler:
        def change(activation: torch.Tensor, selection: Selection) -> torch.Tensor | None:
            if part.tokens == "all" or part.address.positions is not None:  # named positions are the prompt's
                return part.apply(activation)  # type: ignore[no-any-return]
            frame = self.frame or Frame.full(activation)
            new = frame.after_prompt(selection, activation.shape[-2])
            meant = new if part.tokens == "new" else ~new
            if not bool(meant.any()):
                return None
            return Selection(valid=meant).only_valid(part.apply(activation), activation)

        return change

    def _forget(self, parts: list[Intervention]) -> None:
        for part in parts:
            self._active.remove(part)

    def _keeps_rows_together(self) -> bool:
        return any(_belongs_to_rows(part) for part in self._active)


class Activations(dict[Site, Floats]):
    """Activations by site; a site's text finds it too."""

    def __missing__(self, key: Any) -> Floats:
        if isinstance(key, str):
            site = Site.parse(key)
            if site in self:
                return self[site]
        raise SiteError(f"{key} was not captured; captured are {', '.join(map(str, self)) or 'no sites'}")


def _place(site: Site) -> tuple[int, int]:
    if site.kind == "embed":
        return (-1, 0)
    if site.kind in GLOBAL or site.layer is None:
        return (1 << 30, 0)
    return (site.layer, sites.CAUSAL_ORDER.index(site.kind))


def _causal_place(part: Intervention) -> tuple[int, int]:
    return _place(part.address)


def _belongs_to_rows(part: Intervention) -> bool:
    """Whether a value has an axis for samples or tokens, so that all rows must stay together and in order."""
    if isinstance(part, Scale | Edit | Project):
        return False
    if isinstance(part, Patch):
        return np.ndim(part.value) > 1
    if isinstance(part, Steer):
        return np.ndim(part.direction) > 1
    if isinstance(part, Ablate):
        return part.how != "zero" and np.ndim(part.reference) > 2
    return True


def _described(part: Intervention) -> list[Any]:
    found: list[Any] = [type(part).__name__]
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if hasattr(value, "detach"):
            value = value.detach().float().cpu().numpy()
        elif isinstance(value, Site):
            value = str(value)
        found.append([field.name, value])
    return found


def _filled(
    so_far: Floats | None, site: Site, rows: Array, values: Floats, valid: Array | None, count: int, longest: int
) -> Floats:
    """Put one chunk's activations into the array of all samples, zeros where a text has no token."""
    if valid is not None:
        values = np.where(valid.reshape(len(rows), *[1] * (values.ndim - 3), -1, 1), values, 0.0)
    if so_far is None:
        places = values.shape[-2] if site.positions is not None else longest
        width = longest if site.kind in ("scores", "pattern") else values.shape[-1]
        so_far = np.zeros((count, *values.shape[1:-2], places, width), dtype=np.float32)
    so_far[rows, ..., : values.shape[-2], : values.shape[-1]] = values
    return so_far
