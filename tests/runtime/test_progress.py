"""Progress bars that appear where somebody looks and nowhere else."""

from __future__ import annotations

import pytest

from explicate.runtime.progress import bar, track


@pytest.mark.parametrize(("setting", "shown"), [("1", True), ("0", False), (None, False)])
def test_bar_is_shown_on_demand(setting: str | None, shown: bool, monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv("EXPLICATE_PROGRESS", raising=False)
    if setting:
        monkeypatch.setenv("EXPLICATE_PROGRESS", setting)
    progress = bar(10, "explain", done=4)
    progress.update(1)
    progress.close()
    captured = capsys.readouterr()
    assert ("explain" in captured.err and "4/10" in captured.err) == shown
    assert captured.out == ""


def test_tracking_changes_nothing() -> None:
    assert list(track(iter(range(5)), "explain", total=5)) == list(range(5))
