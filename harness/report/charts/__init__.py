"""Figures of a report as SVG and PNG, each with its figures as a table."""
