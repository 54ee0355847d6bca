"""Figures beside the accuracy: one file each."""

METRICS = {
    "macro_f1": "mmact_oneshot.harness.report.metrics.macro_f1:macro_f1",
    "worst_decile": "mmact_oneshot.harness.report.metrics.worst_decile:worst_decile",
    "calibration_error": "mmact_oneshot.harness.report.metrics.calibration_error:calibration_error",
}
"""Name -> where the metric is, in the order of the tables."""
