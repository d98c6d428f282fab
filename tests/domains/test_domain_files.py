from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyspline.domains import Box, Polytope, load_domain
from polyspline.errors import DomainError


def test_a_box_file_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "box.npz", lo=np.array([-1, 0]), hi=np.array([1.0, 2.0]))
    assert load_domain(tmp_path / "box.npz") == Box([-1, 0], [1, 2])


def test_a_polytope_file_is_read(tmp_path: Path) -> None:
    normals, offsets = np.array([[1, 1], [-1, 0], [0, -1]]), np.array([1, 0, 0])
    np.savez(tmp_path / "polytope.npz", G=normals, h=offsets)
    assert load_domain(str(tmp_path / "polytope.npz")) == Polytope(normals, offsets)


SQUARE = {"G": np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]), "h": np.ones(4)}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "nothing"),
        ({"lo": np.zeros(2)}, "expected either"),
        ({"lo": np.zeros(2), "hi": np.ones(2), **SQUARE}, "expected either"),
        ({"x": np.zeros(2)}, "holds x"),
        ({"lo": np.array(0.0), "hi": np.array(1.0)}, "shape"),
        ({"lo": np.ones(2), "hi": np.ones(2)}, "below"),
        ({"lo": np.zeros(2), "hi": np.array([1, np.nan])}, "finite"),
        ({"lo": np.zeros(2), "hi": np.ones(3)}, "dimension"),
        ({"lo": np.array(["a"]), "hi": np.ones(1)}, "real numbers"),
        ({**SQUARE, "h": -np.ones(4)}, "empty"),
        ({**SQUARE, "h": np.array([1, -1, 1, 1.0])}, "lower-dimensional"),
        ({"G": SQUARE["G"][:3], "h": np.ones(3)}, "unbounded"),
        ({"G": SQUARE["G"], "h": np.ones(3)}, "shape"),
        ({"G": SQUARE["G"].astype(complex), "h": np.ones(4)}, "real numbers"),
        ({"G": np.array([[{}]], dtype=object), "h": np.ones(1)}, "pickled"),
    ],
)
def test_a_file_that_is_no_domain_is_refused_by_name(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "domain.npz", **arrays)
    with pytest.raises(DomainError, match=message) as caught:
        load_domain(tmp_path / "domain.npz")
    assert "domain.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.npz").touch()
    (tmp_path / "text.npz").write_text("lo hi")
    for name in ("missing.npz", "empty.npz", "text.npz"):
        with pytest.raises(DomainError, match=name):
            load_domain(tmp_path / name)
