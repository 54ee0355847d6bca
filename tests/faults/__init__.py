"""What a run survives, tried: ``python -m tests.faults``."""
