"""The report as one page that needs no network: everything that it shows lies in the file itself."""

from mmact_oneshot.harness.report.writers.html.page import html

__all__ = ["html"]
