"""What every test gets."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _own_draws(request, monkeypatch):
    """A module's `RNG` starts anew in each test, so that draws do not depend on which tests ran before."""
    if hasattr(request.module, "RNG"):
        monkeypatch.setattr(request.module, "RNG", np.random.Generator(np.random.PCG64(0)))
