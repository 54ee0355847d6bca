"""The README.md of a folder that `make gpu` has filled: which machine, and what was found."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from mmact_oneshot.harness.records import RecordFolder, TrainingRecord
from mmact_oneshot.harness.runtime.device import cores
from mmact_oneshot.harness.runtime.provenance import code_commit, installed
from tests.gpu.timed import Outcome

PARTS_NOTED = "parts.json"
QUANTITIES = ("scores", "answers", "loss", "gradients")
Rows = Iterable[Sequence[object]]


def machine(device: str) -> dict[str, str]:
    """What a reader of the figures needs to know of the machine and the code."""
    cuda = device == "cuda"
    commit = code_commit()
    return {
        "GPU": torch.cuda.get_device_name() if cuda else "none: computed on the CPU",
        "driver": _driver() if cuda else "none",
        "CPU": f"{_processor()}, {cores()} cores",
        "torch": f"{torch.__version__}, CUDA {torch.version.cuda or 'none'}",
        "Python": platform.python_version(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": f"{commit['commit'] or 'none'}{' with changes' if commit['changed'] else ''}",
        "version": str(installed("mmact-oneshot")),
    }


def noted(out: Path, about: Mapping[str, str], outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """What became of the parts, with those of earlier calls on the same GPU with the same code; written down."""
    file, same = out / PARTS_NOTED, [about["GPU"], about["commit"]]
    before = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    kept = before["parts"] if before.get("of") == same else {}
    parts = {**kept, **{name: [each.status, each.seconds] for name, each in outcomes.items()}}
    file.write_text(json.dumps({"of": same, "parts": parts}, indent=1), "utf-8")
    return {name: Outcome(*each) for name, each in parts.items()}


def write_page(out: Path, about: Mapping[str, str], outcomes: Mapping[str, Outcome], lacking: Sequence[str]) -> Path:
    """README.md, from the files that the parts have left. A part without a file has no section."""
    sections = [
        "# `make gpu`",
        _table(("", "found"), about.items()),
        _table(("part", "ended", "seconds"), ((name, each.status, each.seconds) for name, each in outcomes.items())),
        "A part that is out of time has what it had found by then. `log.txt` has what the parts printed.",
    ]
    if lacking:
        sections.append(f"Not installed: {', '.join(lacking)}.")
    for file, section in (("agreement.json", _agreement), ("roofline.json", _roofline), ("switches.json", _switches)):
        text = (out / file).read_text("utf-8") if (out / file).is_file() else ""
        if text.strip():
            sections += section(json.loads(text))
    if (out / "table").is_dir():
        sections += ["## Table", _what_the_table_says(out / "table" / "records")]
        sections.append("[records](table/records), [report](table/report.md)")
    page = out / "README.md"
    page.write_text("\n\n".join(sections) + "\n", "utf-8")
    return page


def _what_the_table_says(records: Path) -> str:
    data = [record.data for record in RecordFolder(records).all(TrainingRecord)]
    if all(each["generated"] for each in data):
        return "Generated data: the figures say that it runs, and nothing about MMAct."
    return "Real recordings, but trained for as long as there was time: the figures say that it runs."


def _agreement(found: Mapping[str, Any]) -> list[str]:
    failed = sum(bool(case["failure"]) for case in found["cases"])
    limits = (
        "; ".join(f"{p}: {', '.join(f'{n} {v:g}' for n, v in t.items())}" for p, t in found["tolerances"].items()),
    )
    rows = [
        (
            case["case"],
            case["precision"],
            *(_number(case["differences"].get(name)) for name in QUANTITIES),
            case["failure"],
        )
        for case in found["cases"]
    ]
    return [
        "## Agreement with the CPU in float32",
        f"{failed} of {len(rows)} beyond the tolerance or failed. Differences are shares "
        f"(`tests/gpu/agreement.py`); tolerances, {limits[0]}.",
        _table(("case", "precision", *QUANTITIES, "failure"), rows),
    ]


def _roofline(found: Mapping[str, Any]) -> list[str]:
    """Stages that were measured, with the bounds of each GPU that is known."""
    stages = [stage for stage in found["stages"] if stage.get("measured_per_second")]
    names = list(stages[0]["bounds"]) if stages else []
    rows = []
    for stage in stages:
        bounds = (stage["bounds"][name]["seconds"] for name in names)
        cells = (f"{1 / seconds:,.0f}" if seconds else "" for seconds in bounds)
        rows.append((stage["stage"], f"{stage['measured_per_second']:,.1f}", *cells))
    return [
        "## Clips a second, measured and bounds",
        f"Preset {found['preset']} in {found['precision']}; bounds are those of published peaks of named GPUs.",
        _table(("stage", "measured", *names), rows),
    ]


def _switches(found: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        (
            each["switch"],
            each["stage"],
            f"{each['off']:,.1f}",
            f"{each['on']:,.1f}",
            f"{each['on'] / each['off']:.2f}",
            "",
        )
        if not each["failure"]
        else (each["switch"], each["stage"], "", "", "", each["failure"])
        for each in found
    ]
    return [
        "## Switches",
        "Clips a second, episodes a second for heads (in float32); forward and backward.",
        _table(("switch", "stage", "off", "on", "ratio", "failure"), rows),
    ]


def _table(head: Sequence[str], rows: Rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}" if value else "0"


def _driver() -> str:
    try:
        asked = ["nvidia-smi", "--query-gpu=driver_version,memory.total", "--format=csv,noheader"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown: no nvidia-smi"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
