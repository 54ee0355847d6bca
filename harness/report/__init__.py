"""Reports made from records alone: terminal, page, Markdown, LaTeX, CSV, BibTeX and figures. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmact_oneshot.harness.report.results.load import load, records_folder
from mmact_oneshot.harness.report.results.metric import known_metrics
from mmact_oneshot.harness.report.results.report import Report, build
from mmact_oneshot.harness.runtime.atomic import written
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.lease import lease

__all__ = ["Report", "alone", "read_report", "records_folder", "write_files", "write_overview", "write_report"]

FIGURES = "figures"
HELD = ("rows.csv", "pairs.csv", "classes.csv", "report.tex", "references.bib")  # files that the page holds


def read_report(folder: Path, metrics: Sequence[str] = ()) -> Report:
    """The results of a run's folder or its folder of records.

    Args:
        metrics: Python files with a metric each, beside ours and those of installed packages.

    Raises:
        HarnessError: no records, or a broken one; the file and the field are named.
    """
    return build(load(folder), known_metrics(metrics))


def write_report(folder: Path) -> tuple[Report, list[Path]]:
    """Read the records of a run once, and write all reports beside them.

    Returns:
        The report, and the files written, without the single figures.

    Raises:
        HarnessError: no records, or a broken one; the file and the field are named.
    """
    records = records_folder(folder)
    with alone(records.parent):
        report = read_report(records)
        return report, write_files(report, records, records.parent)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """No other process writes a report into a folder meanwhile, so that none writes an older one over a newer."""
    with lease(out / "report.lock", "the report"):
        yield


def write_files(
    report: Report, records: Path, out: Path, every_png: bool = False, figures: Sequence[str] = ()
) -> list[Path]:
    """Write a report that was read before: byte for byte the same for the same records.

    Args:
        records: the folder of records, beside which pictures of pre-trainings lie.
        every_png: all figures as PNG, and not the matrix alone.
        figures: Python files with a figure each, beside ours and those of installed packages.

    Raises:
        HarnessError: the folder of figures is a link.
    """
    from mmact_oneshot.harness.report.charts.files import figure_files
    from mmact_oneshot.harness.report.model.blocks import Chart
    from mmact_oneshot.harness.report.model.document import document, matrix_figure, subtitle, title, warnings
    from mmact_oneshot.harness.report.writers.bibtex import bibtex
    from mmact_oneshot.harness.report.writers.csv_files import csv_files
    from mmact_oneshot.harness.report.writers.html import html
    from mmact_oneshot.harness.report.writers.latex import latex
    from mmact_oneshot.harness.report.writers.markdown import markdown

    content = document(report, records, figures)
    matrix = matrix_figure(report)
    files = {**csv_files(report), "report.tex": latex(report), "references.bib": bibtex(report)}
    files["report.md"] = markdown(content, f"{FIGURES}/matrix.svg" if matrix else "")
    files["report.html"] = html(content, {name: files[name] for name in HELD})
    written = _write(out, {name: text.encode() for name, text in files.items()})
    charts = {block.file: block.figure for block in content.blocks() if isinstance(block, Chart) and block.file}
    all_figures = charts if matrix is None else {"matrix": matrix, **charts}
    drawn = figure_files(all_figures, f"{title(report)} · {subtitle(report)}", tuple(warnings(report)), every_png)
    figures_folder = _own_folder(out / FIGURES)
    _write(figures_folder, drawn)
    for old in figures_folder.iterdir():  # of a study or suite that is no more
        if old.name not in drawn and old.suffix in {".svg", ".png"}:
            old.unlink()
    return written


def _own_folder(folder: Path) -> Path:
    """A folder, made where there is none, from which files of before are removed: somebody else's, reached by a link in
    records from elsewhere, is not to lose any."""
    if folder.is_symlink():
        raise HarnessError(
            "a link, and figures of before are removed here.",
            where=folder,
            remedy="Remove the link, or name another folder with --out.",
        )
    folder.mkdir(exist_ok=True)
    return folder


def write_overview(reports: Mapping[str, Report], folder: Path, out: Path) -> Path:
    """Write ``README.md`` for a folder of several runs.

    Args:
        reports: by the folder of each run, below ``folder``.
        folder: where the record of the simulation of intervals may lie.
    """
    from mmact_oneshot.harness.report.model.overview import COVERAGE, overview, read_coverage
    from mmact_oneshot.harness.report.writers.markdown import overview_markdown

    notes = [name for name in reports if (folder / name / "README.md").is_file()]
    text = overview_markdown(overview(reports, read_coverage(folder / COVERAGE), notes))
    (written,) = _write(out, {"README.md": text.encode()})
    return written


def _write(out: Path, content: Mapping[str, bytes]) -> list[Path]:
    for name, data in content.items():
        with written(out / name, f"{Path(name).suffix}.tmp") as temporary:
            temporary.write_bytes(data)
    return [out / name for name in content]
