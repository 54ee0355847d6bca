"""The layouts that come with the harness."""

LAYOUTS = {
    "mmact": "mmact_oneshot.harness.data.layouts.mmact_official:MMActOfficial",
    "mmact-flat": "mmact_oneshot.harness.data.layouts.mmact_flat:MMActFlat",
    "utd-mhad": "mmact_oneshot.harness.data.layouts.utd_mhad:UTDMHAD",
}
"""Name -> where the class is."""
