"""What is wrong with how a file is read: no sentence, no end, or too much memory."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.cases import ReaderCase
from tests.fuzz.verdict import Verdict

SECONDS = 30.0
"""A file that takes longer to be read hangs."""
START_SECONDS = 300.0

_ROOT = Path(__file__).resolve().parents[2]
_FULL = (
    "MemoryError",
    "does not fit into memory",
    "needs more memory to be read than there is",
    "memory is used up",
)
_LONGEST = 5000


class _Child:
    """The process that reads, started when it is needed and replaced when it hangs or dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, path: Path) -> dict[str, object] | None:
        """Answer about a file; None if there is none in time, an empty one if the process died."""
        process = self._process or self._started()
        assert process.stdin is not None
        print(path, file=process.stdin, flush=True)
        line = self._line(process, SECONDS)
        if not line:
            self.close()
            return None if line is None else {}
        answer: dict[str, object] = json.loads(line)
        return answer

    def _started(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.readers_child"], cwd=_ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self._line(self._process, START_SECONDS) == "ready\n", "the process that reads does not start"
        return self._process

    def _line(self, process: subprocess.Popen[str], seconds: float) -> str | None:
        """Next line that a process writes; an empty one if it died, None if it takes too long."""
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        return process.stdout.readline() if ready else None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None


_child = _Child()


def judge_reader(case: ReaderCase) -> Verdict:
    """Read a file, and say what is wrong with what comes of it."""
    verdict = Verdict(refusable=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{case.suffix}"
        path.write_bytes(case.content)
        answer = _child.ask(path)
    if answer is None:
        verdict.fail("hangs", f"no answer within {SECONDS:g} s")
        return verdict
    if not answer:
        verdict.fail("died", "the process died")
        return verdict
    said, status = str(answer["said"]), answer["status"]
    if any(words in said for words in _FULL):
        verdict.fail("memory", f"more than 4 GB: {said}")
    elif status not in (0, 2):
        verdict.fail(f"exit {status}", said)
    elif status == 2:
        verdict.refused += 1
        sentence = said.removesuffix("\n")
        if not sentence.startswith("error: ") or not sentence.isprintable() or len(sentence) > _LONGEST:
            verdict.fail("no sentence", f"{sentence[:300]!r}")
    elif said:
        verdict.fail("warning", said[:300])
    return verdict
