"""The enumerator by facet flips."""

from polyspline.walk.facade import walk_regions
from polyspline.walk.walker import Limits, Progress

__all__ = ["Limits", "Progress", "walk_regions"]
