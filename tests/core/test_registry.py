import pytest

from explicate.core import registry
from explicate.errors import UnknownNameError


@pytest.fixture
def scratch(monkeypatch):
    monkeypatch.setitem(registry._found, "methods", dict(registry._found["methods"]))


def test_a_registered_class_knows_its_name(scratch):
    @registry.register("shout")
    class Shout:
        name = ""

    assert registry.find("shout") is Shout
    assert Shout.name == "shout"


def test_a_taken_name_is_refused(scratch):
    registry.register("taken")(type("One", (), {}))
    with pytest.raises(ValueError, match="taken"):
        registry.register("taken")(type("Two", (), {}))


def test_an_unknown_name_brings_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'marginal'"):
        registry.find("marginel", "parts")


def test_another_package_adds_by_entry_point(monkeypatch, scratch):
    class Entry:
        name = "from-elsewhere"

        def load(self):
            return type("Elsewhere", (), {})

    monkeypatch.setattr(registry, "entry_points", lambda group: [Entry()] if group == "explicate.methods" else [])
    monkeypatch.setattr(registry, "_complete", set())
    assert "from-elsewhere" in registry.names("methods")
