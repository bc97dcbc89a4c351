"""The Critical Rationalist Network: conjectures from one network, criticism by another, and a rule that is stated.

Its predictions on new structures are what the interpreter reads in the stated rule, and nothing else.

Source: Norelli et al. (2022), "Explanatory Learning: Beyond Empiricism in Neural Networks", arXiv 2201.10222.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Masks
from explicate.core.cost import Cost, measure
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.data.odeen import is_rule, structure_texts
from explicate.errors import FileFormatError, InputError, first_line
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.explanatory.conjectures import ConjectureGenerator
from explicate.glassbox.explanatory.criticism import Verdict, checked_table, criticise
from explicate.glassbox.explanatory.explanation import CHOSEN, MALFORMED, REJECTED, Conjectures, tags_of
from explicate.glassbox.explanatory.interpreter import RuleInterpreter, as_codes
from explicate.glassbox.explanatory.shapes import NetworkShape
from explicate.glassbox.explanatory.words import Words
from explicate.runtime.files import replacing
from explicate.runtime.fingerprint import digest


@register("critical-rationalist", "glassboxes")
class CriticalRationalistNetwork(GlassBox):
    """Finds the rule behind a table of tagged structures, states it, and predicts by it.

    Parameters
    ----------
    generator : writes conjectures. interpreter : reads them.
    beam : conjectures for a table; more is more thought at test time.
    find_nearest : state the conjecture with the fewest contradictions. False states the first without any, and abstains
        where there is none.
    allow_noise : take tables in which a structure has both tags.
    well_formed : whether a text is in the grammar. Counts and bars malformed conjectures; what rules mean is the
        interpreter's alone.
    """

    def __init__(
        self,
        generator: ConjectureGenerator,
        interpreter: RuleInterpreter,
        beam: int = 300,
        find_nearest: bool = True,
        allow_noise: bool = False,
        well_formed: Callable[[str], bool] = is_rule,
    ) -> None:
        unread = sorted(set(generator.words.words) - set(interpreter.words.words))
        if unread:
            raise InputError(f"the interpreter cannot read {', '.join(unread)}, which the generator writes")
        self.generator, self.interpreter = generator, interpreter
        self.beam, self.find_nearest, self.allow_noise = beam, find_nearest, allow_noise
        self.well_formed = well_formed
        self._table: tuple[Array, Masks] | None = None
        self._verdict: Verdict | None = None
        self._cost = Cost()

    def fit(self, structures: Sequence[str] | Array, tags: Sequence[bool] | Array) -> Self:
        """Find the rule behind a table. An empty one is answered by what is likely beforehand.

        Parameters
        ----------
        structures : texts such as "a..B.v", or codes (observation, cell). tags : (observation,), true or false.

        Raises
        ------
        InputError : (a ValueError) a structure that is none, with the position; other numbers of structures and tags;
            a structure with both tags, unless `allow_noise`.
        """
        codes = as_codes(structures)
        known = checked_table(codes, tags, self.allow_noise)
        with measure() as cost:
            conjectures = self.generator.conjectures(codes, known, self.beam)
            verdict = criticise(
                self.interpreter.tags,
                conjectures,
                codes,
                known,
                find_nearest=self.find_nearest,
                well_formed=self.well_formed,
            )
        self._table, self._verdict, self._cost = (codes, known), verdict, cost
        return self

    @property
    def verdict(self) -> Verdict:
        """What became of the conjectures of the last table."""
        if self._verdict is None:
            raise InputError("there is no table yet; call fit(structures, tags) first")
        return self._verdict

    @property
    def rule(self) -> str | None:
        """The rule that is stated; None where no conjecture fits and the nearest one is not wanted."""
        return self.verdict.rule

    def predict(self, X: Sequence[str] | Array) -> Array:
        """Tags (structure,) of structures, read in the stated rule; None, in an array of objects, without a rule."""
        return tags_of(_read(self.interpreter, self.rule, as_codes(X)))

    def explain(self, X: Sequence[str] | Array | None = None) -> Conjectures:
        """The rule, the rejected conjectures and the interpreter; for structures X also their predictions."""
        verdict = self.verdict
        assert self._table is not None
        codes, known = self._table
        with measure() as cost:
            data = _dataset(verdict, codes, known, self.interpreter)
            if X is not None:
                cases = as_codes(X)
                data = data.assign(
                    structure=("sample", _texts(structure_texts(cases))),
                    prediction=("sample", _read(self.interpreter, verdict.rule, cases)),
                )
        fingerprints = self.generator.fingerprint(), self.interpreter.fingerprint()
        provenance = Provenance(
            method=self.name,
            parameters={"beam": self.beam, "find_nearest": self.find_nearest, "allow_noise": self.allow_noise},
            model=type(self).__name__,
            model_fingerprint=digest(*fingerprints),
            inputs_fingerprint=digest(codes, known),
            **(self._cost + cost).spent(),
        )
        return Conjectures(data, provenance)

    @classmethod
    def replay(cls, explanation: Any, X: Any = None) -> Array:
        """The predictions, from the stated rule and the interpreter that the explanation holds.

        Raises
        ------
        InputError : the explanation is of no structures, and none are given.
        """
        data = explanation.data
        if X is None and "structure" not in data:
            raise InputError("the explanation is of a table alone; give the structures to replay it on")
        interpreter = interpreter_of(explanation)
        cases = as_codes([str(text) for text in data["structure"].values] if X is None else X)
        return tags_of(_read(interpreter, explanation.chosen, cases))

    def save(self, path: str | Path) -> Path:
        """Write both networks to one safetensors file; the grammar's check is not kept."""
        from safetensors.torch import save_file

        values: dict[str, Any] = {}
        for part, network in (("generator", self.generator), ("interpreter", self.interpreter)):
            values |= {f"{part}.{key}": value.contiguous() for key, value in network.module.state_dict().items()}
        notes = {"interpreter": self.interpreter.settings, "generator": _settings(self.generator)}
        with replacing(path) as temporary:
            save_file(values, temporary, metadata=notes)
        return Path(path)

    @classmethod
    def load(cls, path: str | Path, **options: Any) -> Self:
        """Read what `save` wrote; `options` as when it is made.

        Raises
        ------
        FileFormatError : the file is none, or is damaged.
        """
        from safetensors import SafetensorError, safe_open
        from safetensors.torch import load_file

        try:
            with safe_open(path, framework="pt") as file:
                notes = file.metadata() or {}
            values = load_file(path)
            networks: list[Any] = []
            for part, build in (("generator", ConjectureGenerator.build), ("interpreter", RuleInterpreter.build)):
                stored = json.loads(notes[part])
                words = Words(tuple(stored["words"]["words"]), int(stored["words"]["longest"]))
                extra = {"learns": stored["learns"]} if part == "generator" else {}
                network: Any = build(words, NetworkShape(**stored["shape"]), **extra)  # type: ignore[operator]
                own = {key.removeprefix(f"{part}."): v for key, v in values.items() if key.startswith(f"{part}.")}
                network.module.load_state_dict(own)
                networks.append(network)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise FileFormatError(
                f"{path} holds no Critical Rationalist Network that can be read ({first_line(error)})"
            ) from error
        return cls(*networks, **options)


def interpreter_of(explanation: Conjectures) -> RuleInterpreter:
    """The interpreter that an explanation holds."""
    data = explanation.data
    return RuleInterpreter.from_weights(data["interpreter_weight"].values, str(data.attrs["interpreter"]))


def _read(interpreter: RuleInterpreter, rule: str | None, codes: Array) -> Array:
    """0, 1, or -1 without a rule: int64 (structure,)."""
    if rule is None:
        return np.full(len(codes), -1, dtype=np.int64)
    return interpreter.tags([rule], codes)[0].astype(np.int64)


def _dataset(verdict: Verdict, codes: Array, known: Masks, interpreter: RuleInterpreter) -> xr.Dataset:
    places = list(range(len(verdict.conjectures)))
    if verdict.chosen is not None:
        places = [verdict.chosen, *(place for place in places if place != verdict.chosen)]
    order = np.array(places, dtype=np.int64)
    usable = verdict.usable[order]
    verdicts = np.where(usable, REJECTED, MALFORMED).astype(object)
    if verdict.chosen is not None:
        verdicts[0] = CHOSEN
    texts = [verdict.conjectures[place].text for place in order]
    variables = {
        "verdict": ("rule", _texts(verdicts)),
        "log_probability": ("rule", np.array([verdict.conjectures[place].log_probability for place in order])),
        "rank": ("rule", order),
        "contradictions": ("rule", np.where(usable, verdict.contradictions[order], -1)),
        "reading": (
            ("rule", "observation"),
            np.where(usable[:, None], verdict.readings[order].astype(np.int8), np.int8(-1)),
        ),
        "table_structure": ("observation", _texts(structure_texts(codes))),
        "table_tag": ("observation", known.astype(np.int8)),
        "interpreter_weight": ("weight", interpreter.weights),
    }
    coordinates = {
        "rule": _texts(texts),
        "label": np.array([0, 1], dtype=np.int64),
    }
    return xr.Dataset(variables, coordinates, {"interpreter": interpreter.settings})


def _settings(generator: ConjectureGenerator) -> str:
    return json.dumps(
        {"learns": generator.learns, "shape": asdict(generator.shape), "words": asdict(generator.words)}, sort_keys=True
    )


def _texts(values: Any) -> Array:
    found = [str(value) for value in values]
    array = np.empty(len(found), dtype=object)
    array[:] = found
    return array
