"""Hostile names in every string of records: text in all that is written, and nothing else."""

from __future__ import annotations

import http.server
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from mmact_oneshot.harness.cli.main import app
from mmact_oneshot.harness.report import read_report, write_report
from mmact_oneshot.harness.report.writers.bibtex import bibtex
from mmact_oneshot.harness.runtime.cells import cell_text
from tests.helpers.rich_runs import rich_run
from tests.helpers.small_runs import BETTER, DATA, HALF, add_external, add_seeds, add_skipped, add_study, add_suite

NAMES = (
    "=cmd|' /C calc'!A0",
    "a;=1+1",
    "[a](javascript:alert(1)) ![b](http://127.0.0.1:9/x.png) [c]: http://127.0.0.1:9/",
    "`\n\n<img src=x onerror=alert(1)>\n\n`",
    "<script>alert(1)</script><b onload=alert(1)>",
    "\x1b]8;;http://127.0.0.1:9/\x07link\x1b]8;;\x07\x1b[2J\x9b31m",
    "\u202eevil\u2066 \u2029\r\x00",
    "[bold]x[/] [/nope] :smile:",
    "'; touch ran; '",
    "\\input{/etc/passwd} ^^5cinput",
)
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module", params=range(len(NAMES)), ids=lambda place: f"name{place}")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose names all end in one of the list, with its report."""
    name = NAMES[request.param]
    folder = tmp_path_factory.mktemp("outside") / "run"
    if request.param == len(NAMES) - 1:  # everything that a report can show takes seconds: once
        rich_run(folder, name)
    hostile_run(folder / "records", name)
    write_report(folder)
    return folder


def hostile_run(records: Path, name: str) -> None:
    """Names that begin with one of the list, or are one: of classes, methods, settings, data, reasons and claims."""
    data = DATA | {"layout": name, "split": name}
    classes = (f"{name}a", f"{name}b", f"{name}c")
    add_suite(records, 4, suite="other", classes=classes, cameras=(name, "right"))
    common: dict[str, Any] = {"suite": "other", "study": "further", "data": data}
    add_seeds(records, name, BETTER, **common, method_settings={"note": name}, external_data=(name,))
    add_seeds(records, "half", HALF, **common, settings={"overrides": [name]}, conditions={"note": name})
    add_external(records, name, HALF[0], suite="other", data=data, conditions={"source": name, "note": name})
    add_skipped(records, f"{name}x", name)
    add_study(records, "further", question=name, reference={"method": name})


def test_nothing_is_written_beside_the_run(run: Path) -> None:
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_no_file_of_a_report_steers_what_shows_it(run: Path) -> None:
    texts = [path for path in run.rglob("*") if path.suffix in {".html", ".md", ".tex", ".csv", ".bib", ".svg"}]
    assert len(texts) > 10
    for path in texts:
        assert not STEERING.search(path.read_bytes().decode("utf-8")), path.name


def test_figures_are_well_formed_and_have_no_script(run: Path) -> None:
    for path in run.glob("figures/*.svg"):
        for element in ElementTree.parse(path).iter():
            assert element.tag.rpartition("}")[2] not in {"script", "image", "a", "foreignObject", "use"}
            assert not any(name.startswith("on") or "href" in name for name in element.attrib)


def test_markdown_has_no_link_picture_or_html_of_a_name(run: Path) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse((run / "report.md").read_text("utf-8"))
    parts = [part for token in tokens for part in (token, *(token.children or ()))]
    assert [part.content for part in parts if part.type.startswith("html")] == []
    places = [part.attrs for part in parts if part.type in ("link_open", "image")]
    addresses = [each.get("href") or each.get("src") for each in places]
    assert set(addresses) <= {"figures/matrix.svg"}, "the picture of the matrix alone"


def test_no_cell_is_a_formula(run: Path) -> None:
    import csv

    for path in run.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as stream:
            for cell in (cell for line in csv.reader(stream) for cell in line):
                number = re.fullmatch(r"-?[\d.e+-]+", cell)
                assert number or not re.search(r"(^|[;\t\n])\s*[=+@-]", cell), (path.name, cell)


def test_the_command_of_a_row_is_one_command(run: Path) -> None:
    from mmact_oneshot.harness.report.model.row_sections import command

    for study in read_report(run).studies:
        for results in study.suites:
            for row in results.rows:
                words = shlex.split(command(study, [row]))
                assert words[:2] == ["oneshot", "run"]
                assert words[words.index("--method") + 1] == row.measured.training.method


@pytest.mark.parametrize("verb", [["report"], ["compare", "half", "half", "--in"]], ids=["report", "compare"])
def test_the_terminal_shows_names_as_text(run: Path, verb: list[str]) -> None:
    done = CliRunner().invoke(app, [*verb, str(run)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert not STEERING.search(done.output)


@pytest.mark.parametrize(
    "entry",
    [
        "@article{x,\n title = {\\immediate\\write18{touch ran}}\n}",
        "@article{x,\n title = {\\input{/etc/passwd}}\n}",
        "@article{x,\n title = {^^5cinput}\n}",
        '@preamble{"\\def\\x{}"}',
        "@article{x,\n title = {open\n}",
        "}} not an entry @article{y,}",
    ],
)
def test_an_entry_with_commands_is_left_out_and_said(tmp_path: Path, entry: str) -> None:
    add_seeds(tmp_path, "hostile", HALF, bibtex=entry)
    good = "@article{good,\n title = {{\\'E}tude \\& more}\n}"
    add_seeds(tmp_path, "other", BETTER, bibtex=good)
    text = bibtex(read_report(tmp_path))
    assert "% The entry of hostile is left out:" in text
    assert entry not in text
    assert good in text


@pytest.mark.parametrize(("text", "cell"), [("=1", "'=1"), ("a; -1", "a; '-1"), ("\t@x", "\t'@x"), ("a-b", "a-b")])
def test_cells(text: str, cell: str) -> None:
    assert cell_text(text) == cell


@contextmanager
def server() -> Iterator[tuple[str, list[str]]]:
    """A server of this machine, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}", asked
        found.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no browser here")
def test_the_policy_holds_in_a_browser(tmp_path: Path) -> None:
    """What a page may not do is put into it as it is, past all escaping: with its policy nothing runs or is asked for;
    without it, all is (but for the form, which would leave the page)."""
    with server() as (address, asked):
        parts = (
            f"<img src='{address}/image'><link rel=stylesheet href='{address}/style'>"
            f"<img src=x onerror=\"new Image().src = '{address}/event'\">"
            f"<script>document.title = 'ran'; new Image().src = '{address}/script'</script>"
        )
        form = f"<form id=f action='{address}/form'></form><script>document.getElementById('f').submit()</script>"
        folder = tmp_path / "run"
        hostile_run(folder / "records", f"<script src={address}></script><img src={address}>")
        write_report(folder)
        page = (folder / "report.html").read_text("utf-8")
        visited(page, tmp_path / "names")
        assert asked == [], "names are text"
        assert "<title>ran" not in visited(page.replace("<main>", f"<main>{parts}{form}"), tmp_path / "with")
        assert asked == [], "the policy"
        unguarded = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
        assert "<title>ran" in visited(unguarded.replace("<main>", f"<main>{parts}"), tmp_path / "without")
        assert {"/image", "/style", "/script"} <= set(asked), "the test itself"


def visited(page: str, folder: Path) -> str:
    """The document after a browser has shown a page."""
    folder.mkdir()
    (folder / "page.html").write_text(page, "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    place = (folder / "page.html").as_uri()
    done = subprocess.run(
        [str(CHROMIUM), *options, f"--user-data-dir={folder / 'profile'}", "--dump-dom", place],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout
