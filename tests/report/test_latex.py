"""The report as LaTeX: it compiles whatever names say, keeps to the page, and says what may not be concluded."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.records import EvaluationRecord, RecordFolder, SkippedRecord, TrainingRecord
from harness.report import read_report
from harness.report.latex import latex
from harness.report.tex import Part, escape, table
from tests.helpers.retold import retell
from tests.helpers.small_runs import DATA, add, add_seeds, add_suite, answers

DASH, MINUS, TIMES, ALPHA = "\N{EN DASH}", "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}", "\N{GREEK SMALL LETTER ALPHA}"
HOSTILE = rf"a_b & 50 % {{x}} ~ ^ \ #1 $y$ é ± {DASH} 中 <|> -- '' [z] end"
GENERATED = DATA | {"layout": "mmact", "generated": {"statement": "simulated"}}
EPISODES = 60
PDFLATEX = shutil.which("pdflatex")


def shares(mean: float, seed: int) -> list[float]:
    drawn = np.random.default_rng(seed).random((EPISODES, 2)) < mean
    return [float(value) for value in drawn.mean(axis=1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clear best, two that cannot be told apart, one seed alone, a control, a row that does not apply."""
    records = tmp_path / "records"
    add_suite(records, EPISODES)
    add_seeds(records, "good", [shares(0.96, seed) for seed in range(3)])
    add_seeds(records, "like", [shares(0.93, 10 + seed) for seed in range(3)])
    add_seeds(records, "bad", [shares(0.3, 20 + seed) for seed in range(3)])
    add(records, "lone", 0, answers(shares(0.5, 30)))
    add(records, "random", 0, answers(shares(0.5, 40)), regime="untrained", modalities=("video", "sensors"))
    RecordFolder(records).write(
        SkippedRecord(id="x", volatile={}, method="can", modalities=("sensors",), regime="frozen", reason="needs a map")
    )
    return records


def environments(text: str) -> list[str]:
    """The environments in order, each of which must end where it began; braces must pair."""
    plain = re.sub(r"%.*", "", text.replace(r"\\", "").replace(r"\%", "").replace(r"\{", "").replace(r"\}", ""))
    depth = 0
    for sign in plain:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    opened, found = [], []
    for kind, name in re.findall(r"\\(begin|end)\{([a-z*]+)\}", plain):
        if kind == "begin":
            opened.append(name)
            found.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    return found


def cells(text: str, label: str) -> list[str] | None:
    """Those of the row of a method, without its marks."""
    for line in text.splitlines():
        found = [cell.strip() for cell in re.split(r"(?<!\\)&", line.removesuffix(r" \\"))]
        if len(found) > 2 and re.sub(r"\\textbf\{(.*)\}", r"\1", found[1]) == label:
            return found
    return None


def compiled(text: str, folder: Path) -> str:
    """The log of the last of two runs of pdflatex."""
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


@pytest.mark.parametrize(
    ("given", "wanted"),
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
    ],
)
def test_text_stands_for_itself(given: str, wanted: str) -> None:
    assert escape(given) == wanted
    assert escape(given).isascii()


def test_long_words_can_break() -> None:
    broken = escape("x" * 100)
    assert broken.replace(r"\allowbreak{}", "") == "x" * 100
    assert max(map(len, broken.split(r"\allowbreak{}"))) < 30


def test_best_ties_ranks_and_notes(folder: Path) -> None:
    text = latex(read_report(folder))
    good, like, bad, lone = (cells(text, name) for name in ("good", "like", "bad", "lone"))
    assert good is not None
    assert like is not None
    assert bad is not None
    assert lone is not None
    assert good[0] == "1="
    assert good[1] == r"\textbf{good}"
    assert good[3].startswith(r"\textbf{")
    assert like[:2] == ["2=", "like"]
    assert "textbf" not in like[3]
    assert bad[0] == "3"
    assert good[4] == "1--2"
    assert bad[4] == "3"
    assert lone[0] == "a"
    assert "a: 1 seed: this trained model only; a rank needs 3." in text
    assert "Not run: can, sensors: needs a map" in text
    assert "Rows of different sections were trained under different conditions" in text
    assert "speaks for no other classes" in text
    row = next(row for row in read_report(folder).suites[0].rows if row.label == "bad")
    low, high = (f"{share * 100:.{row.decimals}f}" for share in (row.interval.low, row.interval.high))
    assert f"[{low}, {high}]" in bad[3]


def test_differences_stand_in_a_table_of_their_own(folder: Path) -> None:
    text = latex(read_report(folder))
    assert environments(text).count("table") == 2
    part = text[text.index("differences in pairs") :]
    assert cells(part, "bad") is None, "four columns of figures, the row first"
    assert re.search(r"^bad & \$-\$\d+ .*< 0\.001|^bad & \$-\$\d+ .*textless", part, re.MULTILINE)


def test_without_episodes_ties_are_not_known(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", [[1.0, 0.5, 0.0, 0.5]] * 3)
    add_seeds(tmp_path, "more", [[1.0, 1.0, 0.5, 1.0]] * 3)
    text = latex(read_report(tmp_path))
    assert "is not known: the episodes are not recorded" in text
    assert "differences in pairs" not in text


def test_generated_data_is_told_in_every_table(folder: Path) -> None:
    retell(folder, TrainingRecord, data=GENERATED)
    text = latex(read_report(folder))
    captions = [line for line in text.splitlines() if line.startswith(r"\caption")]
    assert len(captions) == 2
    for caption in captions:
        assert caption.startswith(r"\caption{\textbf{Generated data")
        assert "GENERATED DATA" in caption
    assert "80.17" not in text


def test_a_failed_check_opens_its_caption(tmp_path: Path) -> None:
    add(tmp_path, "random", 0, answers([1.0, 0.5] * 40), regime="untrained")
    (caption,) = [line for line in latex(read_report(tmp_path)).splitlines() if line.startswith(r"\caption")]
    assert caption.startswith(r"\caption{\textbf{CHECK FAILED")


def test_published_figures_stand_apart_and_beside_real_mmact_only(tmp_path: Path) -> None:
    half = answers([1.0, 0.5, 0.0, 0.5])
    add(tmp_path / "mmact", "half", 0, half, data=DATA | {"layout": "mmact-flat"})
    add(tmp_path / "utd", "half", 0, half)
    text = latex(read_report(tmp_path / "mmact"))
    *ours, theirs = re.split(r"\\begin\{table\}", text)
    assert "80.17" in theirs
    assert "80.17" not in "".join(ours)
    assert "Published figures, not measured here." in theirs
    assert "80.17" not in latex(read_report(tmp_path / "utd"))


def test_published_recipes_name_their_encoders(tmp_path: Path) -> None:
    for place, name in enumerate(("slow", "quick")):
        changes = {"recipe": "published", "training_digest": f"{7 + place}" * 64, "external_data": ("w.pth sha256:0",)}
        add_seeds(tmp_path, name, [[1.0, 0.5, 0.0, 0.5]] * 3, **changes)
    text = latex(read_report(tmp_path))
    found = cells(text, "slow")
    assert found is not None
    assert {"frozen", "w.pth"} <= set(found)
    assert r"\textbf{slow}" not in text
    environments(text)


def test_long_tables_break_over_pages() -> None:
    lines: list[list[str] | Part] = [[f"row {number}", "1"] for number in range(60)]
    long, short = (table(["l", "r"], ["a", "b"], part, "c", "tab:x") for part in (lines, lines[:5]))
    assert environments(long) == ["longtable"]
    assert environments(short) == ["table", "tabular*"]


def hostile(folder: Path) -> None:
    """Every name that comes from outside is as bad as it can be."""
    retell(folder, TrainingRecord, "good", method=HOSTILE)
    retell(folder, TrainingRecord, "like", method="long_" * 30)
    retell(folder, TrainingRecord, "bad", method="x" * 90)
    retell(folder, TrainingRecord, data=DATA | {"split": HOSTILE, "layout": HOSTILE})
    RecordFolder(folder).write(
        SkippedRecord(id="y", volatile={}, method=HOSTILE, modalities=("video",), regime="frozen", reason=HOSTILE * 4)
    )


def test_names_break_nothing(folder: Path) -> None:
    hostile(folder)
    text = latex(read_report(folder))
    assert text.isascii()
    assert environments(text)[0] == "document"
    assert r"a\_b \& 50~\% \{x\}" in text


@needs_pdflatex
def test_it_compiles_and_keeps_to_the_page(folder: Path, tmp_path: Path) -> None:
    hostile(folder)
    weights = {"recipe": "published", "external_data": ("vit_small_patch16_kinetics.pth sha256:0",)}
    for number in range(3):
        add_seeds(
            folder,
            f"published{number}",
            [[1.0, 0.5] * (EPISODES // 2)] * 3,
            training_digest=f"{number}" * 64,
            **weights,
        )
    for number in range(60):
        add(folder, f"row{number}", 0, answers(shares(0.5, number)), regime="untrained")
    text = latex(read_report(folder))
    assert "longtable" in environments(text)
    log = compiled(text, tmp_path / "tex")
    assert "Overfull" not in log
    assert "Float too large" not in log
    assert "undefined" not in log
    assert len(re.findall(r"\[\d+", log)) >= 2, "more than a page"


@needs_pdflatex
def test_a_table_can_be_copied_into_a_paper(folder: Path, tmp_path: Path) -> None:
    text = latex(read_report(folder))
    only = text[text.index(r"\begin{table}") : text.index(r"\end{table}")] + r"\end{table}"
    paper = (
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{array,booktabs,longtable}"
        rf"\begin{{document}}{only} See Table~\ref{{tab:1-test}}.\end{{document}}"
    )
    assert "undefined" not in compiled(paper, tmp_path / "tex")


def test_several_suites_have_labels_of_their_own(folder: Path) -> None:
    add_suite(folder, EPISODES, suite="test-cross-subject")
    for seed in range(3):
        add(folder, "good", seed, answers(shares(0.95, seed)), suite="test-cross-subject")
    retell(folder, EvaluationRecord, "cross")
    labels = re.findall(r"\\label\{(.*?)\}", latex(read_report(folder)))
    assert len(labels) == len(set(labels)) >= 3
