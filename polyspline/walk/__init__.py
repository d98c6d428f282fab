"""The enumerator by facet flips."""

from polyspline.walk.complexity import count_in_balls
from polyspline.walk.facade import walk_regions
from polyspline.walk.walker import Limits, Progress, Reach

__all__ = ["Limits", "Progress", "Reach", "count_in_balls", "walk_regions"]
