"""Ctrl-C during long work: it ends in good order, and what was found is kept."""

from __future__ import annotations

import importlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def on_interrupt(note: Callable[[], None]) -> Iterator[None]:
    """Have Ctrl-C noted instead of raised; a second one raises as usual.

    Only the main thread receives signals; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        note()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interrupt_held_back() -> Iterator[threading.Event]:
    """Have Ctrl-C wait for the end of the block; a second one does not wait.

    The block is given an event that is set once Ctrl-C waits, so that it may end earlier of itself.

    For foreign code that an exception out of nowhere leaves in a state of its own: a compiler, say.
    """
    asked = threading.Event()
    with on_interrupt(asked.set):
        yield asked
    if asked.is_set():
        signal.raise_signal(signal.SIGINT)


def load(*modules: str) -> None:
    """Import modules ahead of their use; Ctrl-C waits, for a compiled one would make an error of it."""
    with interrupt_held_back():
        for module in modules:
            importlib.import_module(module)
