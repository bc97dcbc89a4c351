"""Memory that the process keeps instead of giving it back and asking for it again."""

from __future__ import annotations

from functools import cache

KEPT = 31 << 20  # bytes; the C library of Linux learns from chunks of less than 32 MiB


@cache
def keep_freed_memory() -> None:
    """Let arrays reuse memory that was freed before, up to 62 MiB of it, from now on.

    The C library of Linux (glibc) gives memory back to the kernel when twice the largest array freed so far lies idle,
    and pays page by page when it asks for it again; where several arrays of that size come and go together, as in each
    layer of a sweep, that is a tenth of the time. It learns the size from what is freed, and so from one chunk that is
    never touched. With other libraries this does nothing.
    """
    import torch

    torch.empty(KEPT, dtype=torch.uint8)
