"""What is said on stderr is said once, and only where it takes long."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from numba.core import event

from polyspline import notices
from polyspline.interrupts import load, on_interrupt


@contextmanager
def a_kernel() -> Iterator[None]:
    """Act as the compiler does around each kernel that it compiles."""
    with event.trigger_event("numba:compile"):
        yield


@pytest.fixture
def told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing said yet, and have it said soon."""
    monkeypatch.setattr(notices, "_AFTER_SECONDS", 0.01)
    monkeypatch.setattr(notices, "_unsaid", threading.Lock())


@pytest.mark.usefixtures("told_soon")
def test_a_long_compilation_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    with notices.compiling(), a_kernel(), notices.compiling(), a_kernel():
        threading.Event().wait(0.3)
    with notices.compiling(), a_kernel():
        threading.Event().wait(0.1)
    assert capsys.readouterr().err.count("compiling its kernels, once") == 1


@pytest.mark.usefixtures("told_soon")
def test_a_long_block_without_a_compilation_is_not_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    with notices.compiling():
        threading.Event().wait(0.1)
    assert capsys.readouterr().err == ""


def test_a_short_compilation_is_not_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notices, "_AFTER_SECONDS", 0.2)
    monkeypatch.setattr(notices, "_unsaid", threading.Lock())
    with notices.compiling(), a_kernel():
        pass
    threading.Event().wait(0.4)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("presses", "done"), [(1, True), (2, False)])
def test_ctrl_c_waits_for_the_compiler_unless_pressed_twice(presses: int, done: bool) -> None:
    compiled = threading.Event()

    def compile_interrupted() -> None:
        with notices.compiling():
            for _ in range(presses):
                signal.raise_signal(signal.SIGINT)
            compiled.set()

    with pytest.raises(KeyboardInterrupt):
        compile_interrupted()
    assert compiled.is_set() is done


def test_ctrl_c_during_the_first_compilation_is_noted_by_what_goes_on_around_it() -> None:
    noted: list[str] = []
    with on_interrupt(lambda: noted.append("asked")), notices.compiling():
        signal.raise_signal(signal.SIGINT)
        assert noted == []
    assert noted == ["asked"]


def test_ctrl_c_waits_for_modules_to_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "asked_while_it_loads.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGINT)\nloaded = True\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        load("asked_while_it_loads")
    assert sys.modules.pop("asked_while_it_loads").loaded
