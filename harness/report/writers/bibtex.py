"""The papers behind a report, as BibTeX: methods, data and the statistics."""

from __future__ import annotations

from mmact_oneshot.harness.report.results.report import Report

MMACT = """@inproceedings{kong2019mmact,
  title = {{MMAct}: A Large-Scale Dataset for Cross Modal Human Action Understanding},
  author = {Kong, Quan and Wu, Ziming and Deng, Ziwei and Klinkigt, Martin and Tong, Bin and Murakami, Tomokazu},
  booktitle = {Proceedings of the IEEE/CVF International Conference on Computer Vision},
  year = {2019}
}"""
UTD_MHAD = """@inproceedings{chen2015utdmhad,
  title = {{UTD-MHAD}: A Multimodal Dataset for Human Action Recognition Utilizing a Depth Camera and a Wearable
           Inertial Sensor},
  author = {Chen, Chen and Jafari, Roozbeh and Kehtarnavaz, Nasser},
  booktitle = {IEEE International Conference on Image Processing},
  year = {2015}
}"""
JACKKNIFE = """@article{wager2014confidence,
  title = {Confidence Intervals for Random Forests: The Jackknife and the Infinitesimal Jackknife},
  author = {Wager, Stefan and Hastie, Trevor and Efron, Bradley},
  journal = {Journal of Machine Learning Research},
  volume = {15},
  year = {2014}
}"""
DATA = {"mmact": MMACT, "mmact-flat": MMACT, "utd-mhad": UTD_MHAD}


def bibtex(report: Report) -> str:
    """Entries, each once: the data sets, then the methods by name, then the intervals."""
    data = [DATA[layout] for found in report.data if (layout := str(found.get("layout"))) in DATA]
    methods = sorted({(training.method, training.bibtex) for training in report.trainings if training.bibtex})
    entries = dict.fromkeys([*data, *(entry.strip() for _, entry in methods), JACKKNIFE])
    return "\n\n".join(entries) + "\n"
