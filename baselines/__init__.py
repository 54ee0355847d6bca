"""Methods published elsewhere, and controls: one file each."""

METHODS = {
    "can": "mmact_oneshot.baselines.can:CAN",
    "cnaps": "mmact_oneshot.baselines.cnaps:CNAPs",
    "hyrsm": "mmact_oneshot.baselines.hyrsm:HyRSM",
    "linear_probe": "mmact_oneshot.baselines.linear_probe:LinearProbe",
    "mastaf": "mmact_oneshot.baselines.mastaf:MASTAF",
    "matching_net": "mmact_oneshot.baselines.matching_net:MatchingNet",
    "meta_baseline": "mmact_oneshot.baselines.meta_baseline:MetaBaseline",
    "otam": "mmact_oneshot.baselines.otam:OTAM",
    "protonet": "mmact_oneshot.baselines.protonet:ProtoNet",
    "random": "mmact_oneshot.baselines.random:Random",
    "sensor_nn": "mmact_oneshot.baselines.sensor_nn:SensorNearestNeighbour",
    "strm": "mmact_oneshot.baselines.strm:STRM",
    "trx": "mmact_oneshot.baselines.trx:TRX",
    "video_nn": "mmact_oneshot.baselines.video_nn:VideoNearestNeighbour",
    "videomae": "mmact_oneshot.baselines.videomae:VideoMAE",
}
"""Name -> where the class is."""
