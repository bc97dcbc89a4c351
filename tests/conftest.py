"""What every test gets."""

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _own_draws(request, monkeypatch):
    """A module's `RNG` starts anew in each test, so that draws do not depend on which tests ran before."""
    if hasattr(request.module, "RNG"):
        monkeypatch.setattr(request.module, "RNG", np.random.Generator(np.random.PCG64(0)))


@pytest.fixture(scope="session")
def smollm2():
    """SmolLM2-135M, loaded once; tests that want it are skipped where its package is not installed."""
    from explicate.errors import MissingDependencyError
    from explicate.models import zoo

    try:
        return zoo.load("smollm2-135m")
    except MissingDependencyError as error:
        pytest.skip(str(error))
