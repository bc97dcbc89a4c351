"""The parallel map: the same results on every backend, native threads held, errors that say what to do."""

from __future__ import annotations

import builtins
import itertools
import os
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from explicate.errors import InputError, MissingDependencyError, RunError
from explicate.runtime.parallel import native_threads, parallel_map, parallel_stream

LOCAL = [("processes", 1), ("processes", 2), ("threads", 2), ("sequential", 2)]


def square_later() -> Callable[[int], int]:
    """Later items finish first. Made anew inside a function so that workers get it by value, not by import."""

    def square(number: int) -> int:
        import time

        time.sleep(0.02 * (4 - number % 4))
        return number**2

    return square


def thread_counts() -> Callable[[object], list[int]]:
    def counts(_: object) -> list[int]:
        import numpy as np
        from threadpoolctl import threadpool_info

        np.ones((2, 2)) @ np.ones((2, 2))
        return [pool["num_threads"] for pool in threadpool_info()]

    return counts


@pytest.mark.parametrize(("backend", "workers"), LOCAL)
def test_order_is_kept_on_every_backend(backend: Any, workers: int) -> None:
    assert parallel_map(square_later(), range(8), workers=workers, backend=backend) == [n**2 for n in range(8)]


def test_no_items_no_results() -> None:
    assert parallel_map(abs, [], workers=2) == []


def test_stream_hands_out_results_as_they_finish() -> None:
    waits = [0.6, 0.0, 0.0, 0.0]
    finished = list(parallel_stream(time.sleep, waits, workers=2, backend="threads"))
    assert [index for index, _ in finished][-1] == 0
    assert sorted(finished) == [(index, None) for index in range(4)]


@pytest.mark.parametrize(("backend", "workers"), [("sequential", 1), ("threads", 2)])
def test_stream_takes_few_items_ahead_and_can_be_closed(backend: Any, workers: int) -> None:
    taken = itertools.count()

    def endless() -> Any:
        for number in itertools.count():
            next(taken)
            yield number

    stream = parallel_stream(abs, endless(), workers=workers, backend=backend)
    assert len([next(stream) for _ in range(5)]) == 5
    stream.close()
    assert next(taken) < 40


@pytest.mark.parametrize(("backend", "workers"), LOCAL)
def test_what_the_function_raises_comes_through(backend: Any, workers: int) -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise ValueError("three is too many")
        return number

    with pytest.raises(ValueError, match="three is too many"):
        parallel_map(fail, range(6), workers=workers, backend=backend)
    assert parallel_map(abs, range(3), workers=workers, backend=backend) == [0, 1, 2]  # and the next call works


@pytest.mark.parametrize(("backend", "workers"), LOCAL)
@pytest.mark.parametrize("threads", [1, 2])
def test_items_run_under_the_thread_limit_whatever_the_workers(backend: Any, workers: int, threads: int) -> None:
    counts = parallel_map(thread_counts(), range(2), workers=workers, backend=backend, threads=threads)
    assert all(count == [threads] * len(count) and count for count in counts), counts


@pytest.mark.parametrize(("backend", "workers"), [("sequential", 1), ("threads", 2)])
def test_threads_of_this_process_are_put_back(backend: Any, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    np.ones((2, 2)) @ np.ones((2, 2))
    with native_threads(3):
        before = [pool["num_threads"] for pool in threadpool_info()]
        parallel_map(thread_counts(), range(3), workers=workers, backend=backend, threads=1)
        with pytest.raises(ZeroDivisionError):
            parallel_map(lambda number: 1 // number, range(3), workers=workers, backend=backend)
        assert [pool["num_threads"] for pool in threadpool_info()] == before
        assert set(before) == {3}
        assert os.environ["OMP_NUM_THREADS"] == "3"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_torch_is_limited_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class Torch:
        """Stands for torch, which takes seconds to import."""

        threads = 5

        def get_num_threads(self) -> int:
            return self.threads

        def set_num_threads(self, threads: int) -> None:
            self.threads = threads

    torch = Torch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert parallel_map(lambda _: torch.threads, range(2), threads=2) == [2, 2]
    assert torch.threads == 5
    assert parallel_map(lambda _: torch.threads, range(2), workers=2, backend="threads") == [1, 1]
    assert torch.threads == 5


def test_torch_imported_by_the_first_item_gets_its_own_number_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class Torch:
        threads = int(os.environ.get("OMP_NUM_THREADS", "4"))

        def get_num_threads(self) -> int:
            return self.threads

        def set_num_threads(self, threads: int) -> None:
            self.threads = threads

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "6")

    def imports_torch(_: object) -> int:
        loaded = Torch()
        loaded.threads = int(os.environ["OMP_NUM_THREADS"])  # what OpenMP takes when it is loaded
        monkeypatch.setitem(sys.modules, "torch", loaded)
        return loaded.threads

    assert parallel_map(imports_torch, [0]) == [1]
    assert sys.modules["torch"].get_num_threads() == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "mpi"}, "choose one of processes, threads, sequential, ray, dask"),
        ({"workers": 0}, "workers is 0"),
        ({"workers": -2}, "workers is -2"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_parameters_out_of_range_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parallel_stream(abs, [1], **options)


@pytest.mark.parametrize(
    ("backend", "package", "command"),
    [("ray", "ray", r"pip install 'explicate\[ray\]'"), ("dask", "distributed", "pip install distributed")],
)
def test_missing_backend_says_how_to_install_it(
    backend: Any, package: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependencyError, match=command):
        parallel_map(abs, [1, 2], workers=2, backend=backend)


def test_function_that_cannot_be_sent_is_named() -> None:
    lock = threading.Lock()
    with pytest.raises(InputError, match=r"cannot be sent to other processes \(TypeError: cannot pickle"):
        parallel_map(lambda number: (lock, number), range(3), workers=2)


def test_function_that_the_workers_cannot_import_is_no_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("only_here")
    exec("def double(number): return 2 * number", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    with pytest.raises(InputError, match=r"workers cannot load the function .*No module named 'only_here'"):
        parallel_map(module.double, range(3), workers=2)


def test_dead_worker_is_named() -> None:
    def die(_: int) -> None:
        import os

        os._exit(3)

    with pytest.raises(RunError, match="a worker process died"):
        parallel_map(die, range(3), workers=2)


@pytest.mark.slow
def test_ray_gives_the_same(ray_cluster: None) -> None:
    assert parallel_map(square_later(), range(8), workers=2, backend="ray") == [n**2 for n in range(8)]

    def fail(number: int) -> int:
        raise ValueError("on the cluster")

    with pytest.raises(ValueError, match="on the cluster"):
        parallel_map(fail, range(4), workers=2, backend="ray")
    counts = parallel_map(thread_counts(), range(2), workers=2, backend="ray", threads=1)
    assert all(set(count) == {1} for count in counts), counts
