"""What every test gets."""

import threading
import time

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


@pytest.fixture(scope="module")
def loopback():
    """Serves chat handles on this machine, and gives their addresses for the real openai client."""
    pytest.importorskip("openai")
    uvicorn = pytest.importorskip("uvicorn")
    from explicate.models.chat.server import make_app

    running = []

    def served(chat):
        server = uvicorn.Server(uvicorn.Config(make_app(chat), host="127.0.0.1", port=0, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread))
        while not server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"

    yield served
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join()


@pytest.fixture
def batched():
    """Makes scripted chats from a responder; `batched.sizes` says how many calls came at once, each time."""
    from explicate.models.chat import ScriptedChat

    class Batched(ScriptedChat):
        def _answers(self, calls):
            made.sizes.append(len(calls))
            return super()._answers(calls)

    def made(respond, **options):
        return Batched(respond, **options)

    made.sizes = []
    return made
