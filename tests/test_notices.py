"""What is said on stderr is said once, and only where it takes long."""

from __future__ import annotations

import threading

import pytest

from polyspline import notices


def test_a_long_block_is_told_of_once_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notices, "_AFTER_SECONDS", 0.01)
    monkeypatch.setattr(notices, "_unsaid", threading.Lock())
    with notices.told_if_slow(), notices.told_if_slow():
        threading.Event().wait(0.3)
    with notices.told_if_slow():
        threading.Event().wait(0.1)
    assert capsys.readouterr().err.count("compiling its kernels, once") == 1


def test_a_short_block_is_not_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notices, "_AFTER_SECONDS", 0.2)
    monkeypatch.setattr(notices, "_unsaid", threading.Lock())
    with notices.told_if_slow():
        pass
    threading.Event().wait(0.4)
    assert capsys.readouterr().err == ""
