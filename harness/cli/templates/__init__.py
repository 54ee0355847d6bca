"""What `oneshot new` begins from: one working file for each kind, and its test. Methods: ``methods/template.py``."""
