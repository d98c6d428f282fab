"""Partitions in the formats that other programs read."""

from polyspline.export.registry import FORMATS, ExportFormat, export_partition, format_for

__all__ = ["FORMATS", "ExportFormat", "export_partition", "format_for"]
