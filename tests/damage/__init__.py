"""Damaged files of every kind that is read, and what becomes of them: `python -m tests.damage`."""
