"""mmact-oneshot: a benchmark harness for one-shot action recognition from video and wearable sensors."""

__version__ = "0.1.0"
