"""Every check of the project, one after the other: ``python -m tests.check``.

Runs lint, types, import contracts and tests, prints what each of them says,
and fails if any of them fails. Names of checks may be given to run only
those: ``python -m tests.check ruff mypy``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

CHECKS: dict[str, tuple[str, ...]] = {
    "ruff": ("-m", "ruff", "check", "."),
    "mypy": ("-m", "mypy"),
    "imports": ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"),
    # A process for each core; a file's tests stay together, as they share what they prepare.
    "pytest": ("-m", "pytest", "-n", "auto", "--dist", "loadfile"),
}


def run_check(name: str) -> bool:
    """Run one check in a process of its own and tell whether it passed."""
    print(f"== {name} ==", flush=True)
    began = time.perf_counter()
    passed = subprocess.run([sys.executable, *CHECKS[name]], cwd=ROOT, check=False).returncode == 0
    verdict = "passed" if passed else "FAILED"
    print(f"== {name} {verdict} in {time.perf_counter() - began:.1f} s ==\n", flush=True)
    return passed


def main(names: list[str]) -> int:
    """Run the named checks, or all of them; 0 if every one passed, 1 if not, 2 if a name is unknown."""
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        print(f"unknown check {unknown[0]!r}: the checks are {', '.join(CHECKS)}.", file=sys.stderr)
        return 2
    failed = [name for name in names or CHECKS if not run_check(name)]
    if failed:
        print(f"FAILED: {', '.join(failed)}", flush=True)
        return 1
    print("every check passed", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
