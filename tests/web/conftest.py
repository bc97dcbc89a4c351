"""A small study with hand-written items, and servers of it."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from explicate.evaluation.simulatability import Item, SimulationStudy, save_study

NASTY = "<script>document.title='owned'</script>"


def item(name, label, model, perturbed="", extra=""):
    """A row of two features; the explanation of method "other" holds markup."""
    edits = "Age : old --> young" if perturbed else ""
    texts = {
        "lime": "Evidence for yes: above 0.50 speaks for yes, below for no\nAge = old | +0.30\nBaseline : +0.40\n"
        "Sum of weights : +0.30\nTotal evidence : 0.70",
        "other": f"Conditions for the model predicting {model}:\n1. Age = old\n{NASTY}",
    }
    return Item(name, f"Age : old\nTown : {extra or 'Ulm'}", label, model, edits, perturbed, texts)


@pytest.fixture(scope="session")
def small_study():
    """4 pages to learn from, 2 to predict, 2 changed ones."""
    return SimulationStudy(
        ("no", "yes"),
        ("lime", "other"),
        tuple(item(f"learn-{n}", "yes", "no" if n % 2 else "yes") for n in range(4)),
        (item("forward-0", "yes", "yes", extra=NASTY), item("forward-1", "no", "no")),
        (item("change-0", "yes", "yes", "no"), item("change-1", "no", "no", "no")),
        title="Small & short",
        thing="person",
    )


@pytest.fixture
def folder(small_study, tmp_path):
    """The study's files."""
    return save_study(small_study, tmp_path / "study")


class Server:
    """`explicate serve` in a process of its own."""

    def __init__(self, study, answers):
        program = [sys.executable, "-c", "from explicate.cli import main; main()"]
        command = [*program, "serve", "--study", str(study), "--answers", str(answers)]
        command += ["--port", "0", "--json"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        lines = []
        while not lines or lines[-1] != "}\n":
            lines.append(self.process.stdout.readline())
            assert lines[-1], "the server ended"
        self.said = json.loads("".join(lines))

    def kill(self):
        """As a power cut would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def serving(tmp_path):
    """Starts servers, and ends them after the test."""
    started = []

    def start(study, answers=None):
        started.append(Server(study, answers or tmp_path / "answers"))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def browser():
    """Chromium without a window, driven by playwright."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine; install it to take the study in a browser")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as play:
        found = play.chromium.launch(executable_path=path, args=flags)
        yield found
        found.close()
