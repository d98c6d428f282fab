"""How results show themselves: arrays by their shape, all else in full."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np


class Brief:
    """Base of results that hold arrays with a row for each region: they show the shapes of these."""

    def __repr__(self) -> str:
        """Show every field, arrays by type and shape."""
        parts = []
        for field in dataclasses.fields(cast(Any, self)):
            value = getattr(self, field.name)
            shown = f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else repr(value)
            parts.append(f"{field.name}={shown}")
        return f"{type(self).__name__}({', '.join(parts)})"
