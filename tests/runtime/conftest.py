"""What the runtime's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A Ray cluster on this machine; the test is skipped where Ray is not installed or does not start."""
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'explicate[ray]'")
    try:
        ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    except Exception as error:  # a sandbox may forbid what Ray needs
        pytest.skip(f"Ray does not start here: {error}")
    yield
    ray.shutdown()
