"""Pictures of results. Nothing here computes a result."""

from guided_sr.report.html import write_report
from guided_sr.report.panel import draw_panel

__all__ = ["draw_panel", "write_report"]
