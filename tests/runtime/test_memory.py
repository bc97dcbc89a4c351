"""Freed memory is used again, also where several large arrays come and go together."""

import platform
import subprocess
import sys

import pytest

pytest.importorskip("torch")

ROUNDS, ARRAYS, SIZE = 10, 3, 12
PROGRAM = f"""
import resource, torch
from explicate.runtime.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range({ROUNDS}):
        together = [torch.ones({SIZE} << 20, dtype=torch.uint8) for _ in range({ARRAYS})]
        del together
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults()
keep_freed_memory()
print(given_back, faults())
"""


def test_arrays_that_come_and_go_together_reuse_what_was_freed():
    if platform.libc_ver()[0] != "glibc":
        return  # other libraries keep what they like, and the call does nothing
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    given_back, kept = map(int, done.stdout.split())
    pages = ARRAYS * SIZE * 256
    assert given_back > 2 * pages  # paid for again and again
    assert kept < pages
