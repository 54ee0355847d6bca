"""Everything that can be added without an edit: methods, encoders, layouts, splits, metrics and figures.

Each kind has three ways in: a file named on the command line, an entry point of an installed package, and our own
folders. One registry serves them all.
"""
