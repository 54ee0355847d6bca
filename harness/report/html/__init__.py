"""The report as one page that needs no network: everything that it shows lies in the file itself."""

from harness.report.html.page import html
from harness.report.html.pictures import read_pictures

__all__ = ["html", "read_pictures"]
