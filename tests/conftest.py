"""Settings of every test."""

from __future__ import annotations

from hypothesis import settings

# A machine that does other things meanwhile makes no test wrong, only late.
settings.register_profile("polyspline", deadline=None)
settings.load_profile("polyspline")
