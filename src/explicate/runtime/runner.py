"""One runner for studies, benchmarks, reproductions and sweeps: units of work that are logged, resumed and summed up.

A unit is a small dict that says what to do; `work` does it. Whatever the number of workers, the order in which units
finish or how often the run was killed, the results are the same bytes.

A run's folder holds
- `header.json`: what is run and with what; written first, never changed;
- `units.jsonl`: one line per attempt at a unit, on the disk before that worker begins its next unit;
- `results.json`: the records in the order of the units, and their summary; made of the other two alone.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explicate.errors import InputError, RunError
from explicate.runtime import log
from explicate.runtime.files import make_folder, write_json
from explicate.runtime.parallel import LOCAL, Backend, parallel_stream
from explicate.runtime.progress import bar
from explicate.runtime.run_folder import (
    FORMAT,
    LOG,
    RESULTS,
    Line,
    Plan,
    Reduce,
    State,
    Unit,
    alone,
    as_json,
    enter,
    read_header,
    read_state,
    session_file,
    short,
    take_over,
)
from explicate.runtime.seeds import derive_seed

Work = Callable[[Unit, int], Any]

HOPELESS = 10  # a call whose first so many units all fail does not try the rest


@dataclass(frozen=True)
class Run:
    """What came of a run.

    Attributes
    ----------
    records : one per unit, in the units' order; None where a unit failed.
    errors : of each failed unit the last line of its log: `id`, `unit`, `attempt`, `error` {type, message, traceback}.
    summary : what `reduce(records)` gave; None without `reduce`.
    done, reused, failed : units finished by this call, units found finished, units that ended in error.
    reused_seconds : what the units found finished had taken.
    """

    name: str
    units: list[Unit]
    records: list[Any]
    errors: list[Line]
    summary: Any
    folder: Path | None
    done: int
    reused: int
    failed: int
    reused_seconds: float = 0.0

    def __repr__(self) -> str:
        place = f" in {self.folder}" if self.folder else ""
        return f"<Run {self.name}: {self.done} done, {self.reused} reused, {self.failed} failed{place}>"


def run(
    work: Work,
    units: Sequence[Mapping[str, Any]],
    folder: str | Path | None,
    *,
    name: str,
    spec: Any = None,
    seed: int = 0,
    workers: int = 1,
    backend: Backend = "processes",
    threads: int = 1,
    resume: bool = True,
    new_run: bool = False,
    attempts: int = 3,
    max_error_rate: float = 0.02,
    reduce: Reduce | None = None,
    label: str | None = None,
) -> Run:
    """Do every unit once, continuing where an earlier call on the same folder was stopped.

    Parameters
    ----------
    work : `work(unit, seed)` gives the unit's record, anything that JSON can hold but null; NaN and infinities are
        refused (encode them as null). Its randomness must come from `seed` alone, which depends on the run's seed and
        the unit's content. It is sent along with every unit: let it load large things by name.
    units : dicts that JSON can hold, no two alike.
    folder : where the run lives; None keeps everything in memory. A second process that runs the same folder waits
        and finds the work done.
    name, spec, seed : what identifies the run besides its units; `spec` is anything that JSON can hold.
    workers, backend, threads : see `parallel_map`; none of them changes the results.
    resume : False refuses a folder that already holds a run.
    new_run : starts anew; what the folder holds is moved into its subfolder `previous-1`, `previous-2` and so on.
    attempts : how often one call tries a unit that raises, one try right after the other. A run that ended within the
        error rate is finished and its failed units stay failed; any other call tries them again.
    max_error_rate : share of all units that may end in error, 0 to 1.
    reduce : sums up the list of records (None for failed units), again as JSON; must not depend on anything else.
    label : what the progress bar says; the name if not given.

    Raises
    ------
    InputError : units that are no dicts, not JSON or alike; a parameter out of its range.
    RunError : the folder holds another run (named by what differs); too many units failed (the first error and the
        log are named, its class is `cause`; finished units stay on the disk); a record is not JSON; a worker died.
    OutputError : the folder cannot be written to.
    """
    if attempts < 1:
        raise InputError(f"attempts is {attempts}: give 1 or more")
    if not 0 <= max_error_rate <= 1:
        raise InputError(f"max_error_rate is {max_error_rate}: give a share between 0 and 1")
    plan = Plan.of(name, spec, units, seed)
    how = {"workers": workers, "backend": backend, "threads": threads}
    if folder is None:
        state = State(plan)
        _work_through(_Task(work, plan.seed, attempts), state, max_error_rate, label, how)
        return _finish(state, None, reduce, set())

    folder = make_folder(folder)
    with alone(folder):
        task = _Task(work, plan.seed, attempts, folder, session=take_over(folder), log_here=backend in LOCAL)
        enter(folder, plan, resume, new_run, reduce)
        state = read_state(folder, plan)
        reused = set(state.records)
        finished = (folder / RESULTS).exists() and state.complete
        if not (finished and state.failed <= max_error_rate * len(plan.ids)):
            _work_through(task, state, max_error_rate, label, how)
        return _finish(state, folder, reduce, reused)


def rebuild(folder: str | Path, reduce: Reduce | None = None) -> Run:
    """Write `results.json` again from the header and the log alone; it comes out byte for byte the same.

    Parameters
    ----------
    reduce : the one that the run was given; the header tells its name.

    Raises
    ------
    FileFormatError : the folder holds no run, or a damaged one.
    RunError : units are unfinished, or `reduce` is missing.
    """
    folder = Path(folder)
    header = read_header(folder)
    if header["reduce"] and reduce is None:
        raise RunError(f"{folder}: the results have a summary; pass its function as reduce= ({header['reduce']})")
    with alone(folder):
        plan = Plan(header["name"], header["spec"], header["seed"], dict(header["units"]))
        state = read_state(folder, plan)
        if not state.complete:
            left = len(plan.ids) - len(state.records) - state.failed
            raise RunError(f"{folder}: {left} of {len(plan.ids)} units are unfinished; run it to the end first")
        return _finish(state, folder, reduce, set(state.records))


@dataclass(frozen=True)
class _Task:
    """What a worker does with a unit: try it, log it, and only then hand it back."""

    work: Work
    seed: int
    attempts: int
    folder: Path | None = None
    session: str = ""
    log_here: bool = False  # else by the process that runs the run: a cluster's machines do not share its disk

    def __call__(self, item: tuple[str, Unit, int]) -> list[Line]:
        if not (self.folder and self.log_here):
            return list(self._tries(*item))
        with log.locked(session_file(self.folder), shared=True) as file:
            # A killed run's workers live on for a while. None of them may begin a unit once another run has taken over.
            if os.pread(file, 64, 0).decode() != self.session:
                raise RunError(f"{self.folder}: another process has taken this run over")
            lines = []
            for line in self._tries(*item):
                log.append(self.folder / LOG, line)
                lines.append(line)
            return lines

    def _tries(self, key: str, unit: Unit, tried: int) -> Iterator[Line]:
        seed = derive_seed(self.seed, key)
        for attempt in range(tried + 1, tried + 1 + self.attempts):
            line: Line = {"id": key, "unit": unit, "attempt": attempt, "status": "ok", "seed": seed}
            start = time.perf_counter()
            try:
                record = self.work(json.loads(json.dumps(unit)), seed)  # a copy: work may change what it is given
                line |= {"record": _checked(record, unit), "error": None}
            except Exception as error:
                cause = {"type": type(error).__name__, "message": str(error), "traceback": traceback.format_exc()}
                line |= {"status": "error", "record": None, "error": {k: _text(v) for k, v in cause.items()}}
            line["seconds"] = round(time.perf_counter() - start, 6)
            yield line
            if line["status"] == "ok" or line["error"]["type"] == InvalidRecordError.__name__:
                return


class InvalidRecordError(RunError):
    """A record that no log can hold; trying again would not help."""


def _work_through(task: _Task, state: State, max_error_rate: float, label: str | None, how: dict[str, Any]) -> None:
    """Do what is open; raises `RunError` if too many units ended in error."""
    plan = state.plan
    items = [(key, plan.units[key], state.tries.get(key, 0)) for key in state.open]
    progress = bar(len(plan.ids), label or plan.name, done=len(state.records))
    allowed = max_error_rate * len(plan.ids)
    failed: list[Line] = []
    succeeded = False
    stream = parallel_stream(task, items, **how)
    try:
        for _, lines in stream:
            for line in lines:
                if task.folder and not task.log_here:
                    log.append(task.folder / LOG, line)
                state.add(line)
            last = lines[-1]
            if last["status"] == "error":
                failed.append(last)
                if last["error"]["type"] == InvalidRecordError.__name__:
                    raise RunError(f"run {plan.name!r}: {last['error']['message']}")
                if not succeeded and len(failed) >= HOPELESS and len(failed) > allowed:
                    break
            else:
                succeeded = True
            progress.update(1)
    finally:
        stream.close()
        progress.close()
    if len(failed) > allowed:
        error = failed[0]["error"]
        where = f"; all of them are in {task.folder / LOG}, and the finished units are kept" if task.folder else ""
        raise RunError(
            f"run {plan.name!r}: {len(failed)} of {len(plan.ids)} units ended in error ({max_error_rate:.0%} may), "
            f"first {short(failed[0]['unit'])} with {error['type']}: {short(error['message'])}{where}",
            cause=error["type"],
        )


def _finish(state: State, folder: Path | None, reduce: Reduce | None, reused: set[str]) -> Run:
    """Sum up, write the results, and give the run."""
    plan = state.plan
    failed = {key: state.errors[key] for key in state.open}
    records = [state.records.get(key) for key in plan.ids]
    summary = None if reduce is None else _summary(reduce(list(records)), plan.name)
    if folder is not None:
        rows = [
            {
                "id": key,
                "unit": plan.units[key],
                "record": record,
                "error": failed[key]["error"]["type"] if key in failed else None,
            }
            for key, record in zip(plan.ids, records, strict=True)
        ]
        results = {"format": FORMAT, "name": plan.name, "spec": plan.spec, "seed": plan.seed, **plan.hashes()}
        write_json(folder / RESULTS, {**results, "failed": len(failed), "records": rows, "summary": summary})
    units = list(plan.units.values())
    done, before = len(state.records) - len(reused), sum(state.seconds[key] for key in reused)
    return Run(
        plan.name, units, records, list(failed.values()), summary, folder, done, len(reused), len(failed), before
    )


def _checked(record: Any, unit: Unit) -> Any:
    if record is None:
        raise InvalidRecordError(f"unit {short(unit)} gave no record; let the work return one")
    try:
        return as_json(record, "")
    except InputError as error:
        raise InvalidRecordError(
            f"the record of unit {short(unit)} is not JSON ({error.__cause__}); use numbers, texts, lists and dicts, "
            "and null for NaN and infinity"
        ) from error


def _summary(summary: Any, name: str) -> Any:
    try:
        return as_json(summary, f"the summary of the run {name!r}")
    except InputError as error:
        raise RunError(str(error)) from error


def _text(value: str) -> str:
    return value.encode(errors="replace").decode()
