"""`make gpu`: what a machine with one GPU is asked, in ten minutes: ``python -m tests.gpu --help``."""
