"""A Transformer Program as an explanation: its rules as text, and the whole program, from which it can be run again."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array
from explicate.core.kinds import Rules
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.glassbox.transformer_programs.program import Program, Sentences
from explicate.glassbox.transformer_programs.wording import step_text, trace_text, weights_text
from explicate.runtime.fingerprint import digest


def explained(program: Program, sentences: Sentences | None, method: str, config: Any, fingerprint: str) -> Rules:
    """The program, and for each sequence its tokens, its tags and how they came about."""
    start = time.perf_counter()
    rules = [*(step_text(program, step) for step in program.steps), weights_text(program)]
    names = [*(step.name for step in program.steps), "classifier"]
    data = xr.Dataset(
        {"clause": ("rule", np.array(names, dtype=object))},
        {"rule": np.array(rules, dtype=object), "label": np.array(program.tags, dtype=object)},
        {"program": program.to_json()},
    )
    codes = None
    if sentences is not None:
        trace = program.trace(sentences)
        codes = trace.codes
        proofs = np.array([trace_text(trace, sample) for sample in range(len(codes))], dtype=object)
        data = data.assign(
            token=(("sample", "position"), codes),
            tag=(("sample", "position"), np.where(codes >= 0, trace.predictions(), -1)),
            proof=("sample", proofs),
        )
    provenance = Provenance(
        method=method,
        parameters=dataclasses.asdict(config) if config is not None else {},
        model="TransformerProgram",
        model_fingerprint=fingerprint,
        inputs_fingerprint="" if codes is None else digest(codes),
        evaluations=0 if codes is None else len(codes),
        seconds=time.perf_counter() - start,
    )
    return Rules(data, provenance)


def program_of(explanation: Rules) -> Program:
    """The program that an explanation holds.

    Raises
    ------
    InputError : it holds none.
    """
    if "program" not in explanation.data.attrs:
        raise InputError(f"the explanation by {explanation.provenance.method!r} holds no Transformer Program")
    return Program.from_json(str(explanation.data.attrs["program"]))


def replayed(explanation: Rules, sentences: Sentences | None = None) -> Array:
    """(sample,) tags from the explanation alone, for its own sequences or for others."""
    program = program_of(explanation)
    if sentences is not None:
        return program.predict(sentences)
    if "token" not in explanation.data:
        raise InputError("the explanation is of the whole model, not of cases; give the cases to replay it on")
    rows = explanation.data["token"].values.tolist()
    return program.predict([[program.vocabulary[code] for code in row if code >= 0] for row in rows])
