"""The report as LaTeX: it compiles whatever names say, and its tables say what the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.report import Report, read_report
from mmact_oneshot.harness.report.model.document import failures
from mmact_oneshot.harness.report.writers.latex import latex
from mmact_oneshot.harness.report.writers.tex import Across, escape, table
from tests.helpers.rich_runs import rich_run
from tests.helpers.small_runs import (
    BOTH,
    DATA,
    GENERATED,
    add,
    add_control,
    add_seeds,
    add_skipped,
    add_suite,
    answers,
    row_of,
    shares,
    study_suite,
    three_seeds,
)

DASH, MINUS, TIMES, ALPHA = "\N{EN DASH}", "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}", "\N{GREEK SMALL LETTER ALPHA}"
HOSTILE = rf"a_b & 50 % {{x}} ~ ^ \ #1 $y$ é ± {DASH} 中 <|> -- '' [z] end"
EPISODES = 60
PDFLATEX = shutil.which("pdflatex")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clear best, two that do not differ, one seed alone, a control, a gap."""
    records = tmp_path_factory.mktemp("run") / "records"
    add_suite(records, EPISODES)
    for place, (name, mean) in enumerate({"good": 0.96, "like": 0.93, "bad": 0.3}.items()):
        add_seeds(records, name, three_seeds(mean, 10 * place, EPISODES))
    add(records, "lone", 0, answers(shares(0.5, 30, EPISODES)))
    add_control(records, shares(0.5, 40, EPISODES), modalities=BOTH)
    add_skipped(records, "bad", "needs a map")
    return records


def environments(text: str) -> list[str]:
    """The environments in order, each of which must end where it began; braces and signs of mathematics must pair."""
    plain = re.sub(r"(?<!\\)%.*", "", text)
    plain = re.sub(r"\\[\\%{}&#_$]", "", plain)
    depth = 0
    for sign in plain:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    assert plain.count("$") % 2 == 0
    stack: list[str] = []
    found = []
    for kind, name in re.findall(r"\\(begin|end)\{([a-z*]+)\}", plain):
        if kind == "begin":
            stack.append(name)
            found.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    return found


def cells(text: str, label: str) -> list[str]:
    """Those of the first line that begins with a label."""
    for line in text.splitlines():
        found = [cell.strip() for cell in re.split(r"(?<!\\)&", line.removesuffix(r" \\"))]
        if len(found) > 1 and found[0] == label:
            return found
    raise AssertionError(f"no line {label!r}")


def widths(text: str) -> set[int]:
    """Whether all lines of a table have as many cells as its header; the numbers of columns."""
    found = set()
    for part in re.findall(r"\\toprule\n(.*?)\\bottomrule", text, re.DOTALL):
        counts = {len(re.findall(r"(?<!\\)&", line)) for line in part.splitlines() if line.endswith(r" \\")}
        assert len(counts) == 1, part
        found |= counts
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b & c", r"a\_b \& c"),
        ("50 %", r"50~\%"),
        ("{x}", r"\{x\}"),
        (r"~ ^ \ #1 $", r"\textasciitilde{} \textasciicircum{} \textbackslash{} \#1 \$"),
        (f"1{DASH}3 {MINUS}2 ±4 2{TIMES}", r"1--3 $-$2 $\pm$4 2$\times$"),
        ("Müller, Çelik, Łódź", r"M\"{u}ller, \c{C}elik, \L{}\'{o}d\'{z}"),
        (f"{ALPHA} 中 🙂", r"$\alpha$ [U+4E2D] [U+1F642]"),
        ("--flag it''s", r"-{}-flag it'{}'s"),
        ("[1] *", r"{}[1] *"),
        ("two\nlines\t", "two lines"),
        ("\x00\x1b", ""),
    ],
)
def test_text_stands_for_itself(text: str, expected: str) -> None:
    assert escape(text) == expected
    assert escape(text).isascii()


def test_long_words_can_break() -> None:
    broken = escape("x" * 100)
    assert broken.replace(r"\allowbreak{}", "") == "x" * 100
    assert max(map(len, broken.split(r"\allowbreak{}"))) < 30


def test_the_matrix_has_the_best_its_rivals_and_why_rows_are_not_ranked(folder: Path) -> None:
    text, results = latex(read_report(folder)), study_suite(folder)
    good, like, bad, lone, random = (cells(text, name) for name in ("good", "like", "bad", "lone", "random"))
    assert good[1].startswith(r"\textbf{")
    assert good[1].endswith(r"\textsuperscript{=}")
    assert "textbf" not in like[1]
    assert like[1].endswith(r"\textsuperscript{=}")
    assert "textsuperscript" not in bad[1]
    assert lone[1].endswith(r"\textsuperscript{a}")
    assert "a: seed 0 alone: a rank needs 3 seeds, and a comparison the same ones." in text
    assert random[1] == bad[2] == "--"
    row = row_of(results, "bad")
    low, high = (f"{share * 100:.{row.measured.decimals}f}" for share in (row.interval.low, row.interval.high))
    assert f"[{low}, {high}]" in bad[1]


def test_pairs_stand_in_a_table_of_their_own(folder: Path) -> None:
    text = latex(read_report(folder))
    assert environments(text) == ["document", "table", "tabular*", "table", "tabular*"]
    part = text[text.rindex(r"\begin{table}") :]
    assert "Each row minus the best (good)" in part
    assert cells(part, "bad")[1].startswith(r"\textbf{significant} $-$")
    assert cells(part, "like")[1].startswith("undecided $-$")


def test_captions_say_question_suite_and_what_intervals_speak_for(folder: Path) -> None:
    captions = [line for line in latex(read_report(folder)).splitlines() if line.startswith(r"\caption")]
    assert captions[0].startswith(
        r"\caption{Which method recognises best, trained end to end with one schedule? 60 episodes: "
    )
    assert "new performances, new subjects and training again" in captions[0]
    assert "No interval speaks for other classes." in captions[0]


def test_generated_data_is_named_in_every_table(tmp_path: Path) -> None:
    for place, name in enumerate(("one", "two")):
        add_seeds(tmp_path, name, three_seeds(0.5, 10 * place, EPISODES), data=GENERATED)
    text = latex(read_report(tmp_path))
    captions = [line for line in text.splitlines() if line.startswith(r"\caption")]
    assert len(captions) == 2
    assert all(caption.startswith(r"\caption{\textbf{Generated data") for caption in captions)
    assert "80.17" not in text


def test_a_failed_check_comes_before_every_table(tmp_path: Path) -> None:
    add_control(tmp_path, [1.0, 0.5] * 40)
    report = read_report(tmp_path)
    assert failures(report)
    text = latex(report)
    assert text.index(r"\textbf{test: CHECK FAILED") < text.index(r"\begin{table}")


def test_published_figures_stand_apart_and_beside_real_mmact_only(tmp_path: Path) -> None:
    half = answers([1.0, 0.5, 0.0, 0.5])
    add(tmp_path / "mmact", "half", 0, half, data=DATA | {"layout": "mmact-flat"})
    add(tmp_path / "utd", "half", 0, half)
    *ours, theirs = latex(read_report(tmp_path / "mmact")).split(r"\begin{table}")
    assert "80.17" in theirs
    assert "80.17" not in "".join(ours)
    assert "not measured here" in theirs
    assert "80.17" not in latex(read_report(tmp_path / "utd"))


def test_every_study_and_suite_has_tables_with_labels_of_their_own(rich_report: Report) -> None:
    text = latex(rich_report)
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert labels == [
        "tab:methods-test", "tab:methods-test-pairs", "tab:methods-test-cross-subject",
        "tab:methods-test-cross-subject-pairs", "tab:initialisation-test", "tab:initialisation-test-pairs",
        "tab:published-test",
    ]  # fmt: skip
    assert widths(text) == {1, 3}
    assert environments(text).count("table") == len(labels)


def test_long_tables_break_over_pages() -> None:
    lines: list[list[str] | Across] = [[f"row {number}", "1"] for number in range(60)]
    long, short = (table(["l", "r"], ["a", "b"], part, "c", "tab:x") for part in (lines, lines[:5]))
    assert environments(long) == ["longtable"]
    assert environments(short) == ["table", "tabular*"]


def test_names_break_nothing(tmp_path: Path) -> None:
    data = DATA | {"split": HOSTILE, "layout": HOSTILE}
    text = latex(read_report(rich_run(tmp_path, HOSTILE, data)))
    assert text.isascii()
    assert environments(text)[0] == "document"
    assert r"a\_b \& 50~\% \{x\}" in text
    assert widths(text) == {1, 3}


def compiled(text: str, folder: Path) -> str:
    """The log of the last of three runs of pdflatex."""
    folder.mkdir(exist_ok=True)
    (folder / "report.tex").write_text(text, "ascii")
    for _ in range(3):  # longtable wants more than one
        done = subprocess.run(
            [str(PDFLATEX), "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]
    return (folder / "report.log").read_text("latin-1")


needs_pdflatex = pytest.mark.skipif(PDFLATEX is None, reason="no pdflatex here (Debian: texlive-latex-recommended)")


@pytest.mark.slow
@needs_pdflatex
@pytest.mark.parametrize("hostile", ["", HOSTILE], ids=["plain", "hostile"])
def test_it_compiles_and_keeps_to_the_page(tmp_path: Path, hostile: str) -> None:
    records = rich_run(tmp_path, hostile) / "records"
    for number in range(45):
        add_control(records, shares(0.5, number, 40), f"row{number}")
    text = latex(read_report(records))
    assert "longtable" in environments(text)
    log = compiled(text, tmp_path / "tex")
    assert "Overfull" not in log or hostile
    assert "Float too large" not in log
    assert "undefined" not in log
    assert len(re.findall(r"\[\d+", log)) >= 2, "more than a page"


@pytest.mark.slow
@needs_pdflatex
def test_a_table_can_be_copied_into_a_paper(folder: Path, tmp_path: Path) -> None:
    text = latex(read_report(folder))
    only = text[text.index(r"\begin{table}") : text.index(r"\end{table}")] + r"\end{table}"
    paper = (
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{array,booktabs,longtable}"
        rf"\begin{{document}}{only} See Table~\ref{{tab:methods-test}}.\end{{document}}"
    )
    assert "undefined" not in compiled(paper, tmp_path / "tex")


def test_packages_are_those_of_the_opening(folder: Path) -> None:
    text = latex(read_report(folder))
    used: dict[str, Any] = {r"\toprule": "booktabs", r"\begin{longtable}": "longtable", r"\arraybackslash": "array"}
    for command, package in used.items():
        if command in text:
            assert re.search(rf"\\usepackage\{{[a-z,]*{package}", text), package


def test_only_signs_that_mathematics_has_are_its_commands() -> None:
    lambda_, tonos, digamma = "\N{GREEK SMALL LETTER LAMDA}", "\N{GREEK SMALL LETTER ALPHA WITH TONOS}", "\u03dd"
    assert escape(lambda_) == r"$\lambda$"
    assert "$" not in escape(tonos + digamma)
