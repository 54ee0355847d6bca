"""The papers behind a report, as BibTeX: methods, data and the statistics."""

from __future__ import annotations

import re

from mmact_oneshot.harness.report.results.report import Report
from mmact_oneshot.harness.runtime.names import printable

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


# what sets letters and signs; any other command of LaTeX could read a file or write one
COMMANDS = {
    *"\"'`^~=.-&%_#$ cvHkrudbtoOlLij",
    "aa",
    "AA",
    "ae",
    "AE",
    "oe",
    "OE",
    "ss",
    "emph",
    "textit",
    "textbf",
    "url",
}
_OPENING = re.compile(r"@(?!(?:preamble|string|comment)\b)[a-z]+\s*\{\s*[\w:./+-]+\s*,", re.IGNORECASE | re.ASCII)
_COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)


def bibtex(report: Report) -> str:
    """Entries, each once: the data sets, then the methods by name, then the intervals.

    Entries of methods come from records: one that is none, or that has a command of LaTeX other than letters and signs,
    is left out, and a line says so.
    """
    data = [DATA[layout] for found in report.data if (layout := str(found.get("layout"))) in DATA]
    methods = sorted({(training.method, training.bibtex) for training in report.trainings if training.bibtex})
    entries = dict.fromkeys([*data, *(_entry(name, text.strip()) for name, text in methods), JACKKNIFE])
    return printable("\n\n".join(entries) + "\n")


def _entry(method: str, text: str) -> str:
    wrong = _wrong(text)
    if not wrong:
        return text
    name = re.sub(r"[^\w .,+-]+", "?", method, flags=re.ASCII)  # an @ would begin an entry
    return f"% The entry of {name} is left out: {wrong}."


def _wrong(text: str) -> str:
    """Why a text is no entry of BibTeX that may be set; empty where it is one, or several."""
    for found in _COMMAND.finditer(text):
        if found[1] not in COMMANDS:
            return "it has a command of LaTeX beside letters and signs"
    if "^^" in text:
        return "it has characters by their codes"
    place = 0
    while place < len(text):
        opening = _OPENING.match(text, place)
        if opening is None:
            return "it is no entry of BibTeX"
        depth, place = 1, opening.end()
        while depth and place < len(text):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            place += 1
        if depth:
            return "its braces do not pair"
        place = next((at for at in range(place, len(text)) if not text[at].isspace()), len(text))
    return ""
