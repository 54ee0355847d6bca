"""Methods proposed here: Mu-MAE, and the template of a method of your own."""

METHODS = {"mu_mae": "mmact_oneshot.methods.mu_mae.method:MuMAE"}
"""Name -> where the class is."""
