"""Map a function over items on one core or many, here or on a cluster, with the same results everywhere."""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_args

from explicate.errors import InputError, MissingDependencyError, RunError
from explicate.runtime.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")
Backend = Literal["processes", "threads", "sequential", "ray", "dask"]

JOBLIB_NAMES = {"processes": "loky", "threads": "threading", "ray": "ray-streaming", "dask": "dask"}
LOCAL: tuple[Backend, ...] = ("processes", "threads", "sequential")  # workers that share this machine's files
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def parallel_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 1,
    backend: Backend = "processes",
    threads: int = 1,
    label: str | None = None,
) -> list[Result]:
    """`[function(item) for item in items]`, computed by `workers` at a time; the order of the items is kept.

    Parameters
    ----------
    function : must not write into its argument (large arrays reach other processes read-only) and is sent along with
        every item: let it load large things by name instead of holding them.
    workers : 1 computes in this process whatever the backend; -1 takes every core, or the whole cluster.
    backend : "processes", "threads" (for functions that wait or leave the interpreter), "sequential", or an existing
        cluster: "ray", "dask".
    threads : native threads (BLAS, OpenMP, torch) per item. It does not depend on `workers`, because sums over
        another number of threads differ in their last digits.
    label : what a progress bar says; none without.

    Raises
    ------
    InputError : an unknown backend, a number below 1, or a function that cannot be sent to other processes.
    MissingDependencyError : the backend's library is not installed.
    RunError : a worker died, or there is no cluster. What `function` raises comes through as it is.
    """
    known = list(items)
    stream = parallel_stream(function, known, workers=workers, backend=backend, threads=threads)
    finished = dict(track(stream, label, total=len(known)) if label else stream)
    return [finished[index] for index in range(len(known))]


def parallel_stream(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 1,
    backend: Backend = "processes",
    threads: int = 1,
) -> Generator[tuple[int, Result], None, None]:
    """Yield (index, result) as the items finish, in any order; see `parallel_map` for the parameters and errors.

    `items` may be endless: only a few are taken ahead. Closing the iterator stops the workers.
    """
    if backend not in get_args(Backend):
        raise InputError(f"there is no backend {backend!r}: choose one of {', '.join(get_args(Backend))}")
    if workers < 1 and workers != -1:
        raise InputError(f"workers is {workers}: give 1 or more, or -1 for all there are")
    if threads < 1:
        raise InputError(f"threads is {threads}: give 1 or more")
    _require(backend)
    if workers == 1 or backend == "sequential":
        return _in_turn(function, items, threads)
    return _spread(function, items, workers, backend, threads)


@contextmanager
def native_threads(threads: int) -> Iterator[None]:
    """Limit BLAS, OpenMP and torch to `threads` threads in this process, and put everything back afterwards."""
    from threadpoolctl import threadpool_limits

    variables = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    torch_threads = _torch_threads()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))  # for libraries that are loaded in the block
    try:
        with threadpool_limits(limits=threads):
            try:
                _set_torch_threads(threads)
                yield
            finally:
                _restore(variables)
                _set_torch_threads(torch_threads or _default_threads())
    finally:
        _restore(variables)


def _in_turn(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Generator[tuple[int, Result], None, None]:
    for index, item in enumerate(items):
        with native_threads(threads):  # around the call only: the caller's own work between items keeps its threads
            result = function(item)
        yield index, result


def _spread(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, backend: Backend, threads: int
) -> Generator[tuple[int, Result], None, None]:
    import joblib

    options = {"inner_max_num_threads": threads} if backend == "processes" else {}
    with joblib.parallel_config(JOBLIB_NAMES[backend], n_jobs=workers, **options):
        # One item a task: a finished item must not wait for a second one before it is handed back.
        pool = joblib.Parallel(return_as="generator_unordered", batch_size=1)
    call = _Call(function, threads, restore=backend != "threads")
    # Threads of one process would undo each other's limits, so there the limit holds around all of them.
    with native_threads(threads) if backend == "threads" else nullcontext():
        try:
            results = pool(joblib.delayed(call)(index, item) for index, item in enumerate(items))
            try:
                for result in results:  # noqa: UP028 - `yield from` would close `results` with the warning on
                    yield result
            finally:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message=".*have been (cancelled|successfully executed)")
                    results.close()
        except BrokenExecutor as error:
            if "un-serialize" in str(error):
                raise InputError(
                    f"the workers cannot load the function or an item ({_last_line(error.__cause__ or error)}); "
                    "put its module where Python finds it, or use backend='threads'"
                ) from error
            raise RunError("a worker process died, probably for lack of memory; try fewer workers") from error
        except pickle.PicklingError as error:
            raise InputError(
                f"the function or an item cannot be sent to other processes ({_last_line(error.__cause__ or error)}); "
                "load what it needs inside the function, or use backend='threads'"
            ) from error


@dataclass(frozen=True)
class _Call(Generic[Item, Result]):
    """What a worker runs: the function under its thread limit."""

    function: Callable[[Item], Result]
    threads: int
    restore: bool

    def __call__(self, index: int, item: Item) -> tuple[int, Result]:
        if self.restore:
            with native_threads(self.threads):
                return index, self.function(item)
        from threadpoolctl import threadpool_limits

        threadpool_limits(limits=self.threads)  # OpenMP keeps the number per thread
        _set_torch_threads(self.threads)
        return index, self.function(item)


def _require(backend: Backend) -> None:
    """Check that the backend's library is there, and make it known to joblib."""
    if backend == "ray":
        try:
            from ray.util.joblib import register_ray
            from ray.util.joblib.ray_backend import RayBackend
        except ImportError as error:
            raise MissingDependencyError("the backend 'ray' needs Ray: pip install 'explicate[ray]'") from error
        import joblib

        register_ray()  # type: ignore[no-untyped-call]
        # Ray's backend calls back for every result but inherits joblib's "no" to handing them out one by one.
        streaming = type("StreamingRayBackend", (RayBackend,), {"supports_return_generator": True})
        joblib.register_parallel_backend(JOBLIB_NAMES["ray"], streaming)
    elif backend == "dask":
        try:
            import distributed
        except ImportError as error:
            raise MissingDependencyError("the backend 'dask' needs Dask: pip install distributed") from error
        try:
            distributed.get_client()
        except ValueError as error:
            raise RunError("the backend 'dask' needs a cluster: make a distributed.Client first") from error


def _last_line(error: BaseException) -> str:
    """The message at the end of a traceback that came from another process as text."""
    return str(error).strip().strip('"').strip().rpartition("\n")[2]


def _torch_threads() -> int | None:
    """torch's number of threads; None unless this process has imported it, which is not ours to do."""
    count = getattr(sys.modules.get("torch"), "get_num_threads", None)
    return int(count()) if count else None


def _set_torch_threads(threads: int) -> None:
    change: Any = getattr(sys.modules.get("torch"), "set_num_threads", None)
    if change:
        change(threads)


def _default_threads() -> int:
    """What a library loaded now would take by itself."""
    setting = os.environ.get("OMP_NUM_THREADS", "")
    return int(setting) if setting.isdecimal() and int(setting) else len(os.sched_getaffinity(0))


def _restore(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
