"""What the tests of the splitting share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def cut_early() -> Iterator[None]:
    """Have trees cut for several workers although they are small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polyspline.split.schedule._FIRST_REGIONS", 16)
        yield
