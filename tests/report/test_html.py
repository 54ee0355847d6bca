"""The page: whole, alone, safe with any name, the same every time, and saying what the records say."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.records import RecordFolder, SkippedRecord
from harness.report import read_report
from harness.report.html import html, read_pictures
from harness.report.html.prose import code, parts
from harness.report.html.ranking import key, ranking
from tests.helpers.small_runs import (
    BETTER,
    DATA,
    HALF,
    add,
    add_every_start,
    add_pretraining,
    add_seeds,
    add_suite,
    answers,
    table,
)
from tests.report.test_charts import EVIL, GENERATED, renamed

ROOT = Path(__file__).parents[2]
VOID = {"meta", "img", "br", "hr", "input", "link"}
PIXEL = bytes.fromhex("89504e470d0a1a0a") + b"rest of a picture"
CHROMIUM = shutil.which("chromium")
BROWSER = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


class Page(HTMLParser):
    """A page that has been read: every element with its attributes and text; what was not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.broken: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.broken += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.broken.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.texts.append(" ".join(data.split()))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(filter(None, self.texts))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two suites, rows of every start, one row with other notes, a control, a published recipe, a picture."""
    records = tmp_path / "run" / "records"
    for suite in ("test", "test-cross-subject"):
        add_suite(records, 4, suite=suite)
    add_every_start(records)
    for suite in ("test", "test-cross-subject"):
        add_seeds(records, "half", HALF, suite=suite)
        add_seeds(records, "protonet", BETTER, suite=suite)
    add_seeds(records, "single", HALF[:1])
    add(records, "paper", 0, answers(BETTER[0]), recipe="published", training_digest="7" * 64)
    add_pretraining(records, "mu_mae", 0, picture="restored.png")
    RecordFolder(records).write(
        SkippedRecord(id="x", volatile={}, method="can", modalities=("sensors",), regime="frozen", reason="needs a map")
    )
    (records / "pretraining" / "restored.png").write_bytes(PIXEL)
    return records


@pytest.fixture
def page(folder: Path) -> str:
    report = read_report(folder)
    return html(report, read_pictures(report, folder))


def test_the_page_is_well_formed(page: str) -> None:
    found = Page(page)
    assert found.broken == []
    names = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(names) == len(set(names)) > 20
    wanted = [
        attributes[name]
        for _, attributes in found.elements
        for name in ("aria-labelledby", "aria-describedby")
        if name in attributes
    ]
    assert set(wanted) <= set(names)
    assert {link["href"][1:] for link in found.all("a") if link["href"].startswith("#")} <= set(names)


def test_nothing_is_fetched(page: str) -> None:
    found = Page(page)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in found.elements}
    for tag, attributes in found.elements:
        assert not {name for name in attributes if name.startswith("on") or name in ("style", "srcset", "ping")}, tag
        assert attributes.get("src", "data:").startswith("data:")
        if "href" in attributes:
            assert tag == "a"
    assert "@import" not in page
    assert "url(" not in page
    assert "fetch(" not in page


def test_the_policy_of_the_page_lets_its_own_script_and_style_run_and_nothing_else(page: str) -> None:
    policy = next(meta["content"] for meta in Page(page).all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_names_are_text_wherever_they_stand(folder: Path) -> None:
    plain, evil = read_report(folder), renamed(read_report(folder), EVIL)
    text = html(evil)
    assert text.count("<script") == html(plain).count("<script") == 1
    assert "alert(1)" in Page(text).text
    assert Page(text).broken == []


@pytest.mark.parametrize(
    "name",
    ["[a](javascript:alert(1))", "![a](http://example.org/x.png)", "`</code><b>`", '" onload="x', "</svg><i>", "a|b\\"],
)
def test_names_end_no_text_of_any_kind(tmp_path: Path, name: str) -> None:
    add_suite(tmp_path, 4)
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "protonet", BETTER)
    report = renamed(read_report(tmp_path), name)
    found, plain = Page(html(report)), Page(html(read_report(tmp_path)))
    assert found.broken == []
    for tag in ("a", "img", "script", "b", "i"):
        assert len(found.all(tag)) == len(plain.all(tag)), tag


def test_every_drawing_has_a_text_alternative(page: str) -> None:
    drawings = Page(page).all("svg")
    told = [drawing for drawing in drawings if drawing.get("role") == "img"]
    assert len(told) > 10
    for drawing in drawings:
        if drawing not in told:  # repeats what is written beside it
            assert drawing["aria-hidden"] == "true"
            continue
        for part, name in (("title", "aria-labelledby"), ("desc", "aria-describedby")):
            (content,) = re.findall(rf'<{part} id="{drawing[name]}">(.*?)</{part}>', page)
            assert len(content) > 5
    figures = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    assert len(figures) > 8
    for figure in figures:
        assert "<details><summary>The same as a table" in figure
        assert "<tbody>" in figure


def test_same_records_same_page(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    code = """
import hashlib, pathlib, sys
from harness.report import read_report
from harness.report.html import html, read_pictures
folder = pathlib.Path(sys.argv[1])
report = read_report(folder)
print(hashlib.sha256(html(report, read_pictures(report, folder)).encode()).hexdigest())
assert not {"torch", "timm", "pandas", "matplotlib"} & set(sys.modules)
"""
    digests = [
        subprocess.run(
            [sys.executable, "-c", code, str(place)],
            cwd=ROOT,
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for place, seed in ((folder, "1"), (copy, "2"))
    ]
    assert digests[0] == digests[1] != b""


def test_no_date_is_told(page: str) -> None:
    assert "2026-01-01" not in page


def test_two_suites_are_two_panels_that_links_lead_to(page: str) -> None:
    found = Page(page)
    links = [link["href"] for link in found.all("a") if link["href"].startswith("#suite")]
    assert links == [
        *("#suite-test", "#suite-test-cross-subject"),
        *("#suite-test-matched", "#suite-test-published"),  # one row of the first suite is a published recipe
    ]
    panels = [section for section in found.all("section") if "panel" in section.get("class", "")]
    assert [panel["id"] for panel in panels] == [
        *("suite-test", "suite-test-matched", "suite-test-published", "suite-test-cross-subject")
    ]
    assert not any("hidden" in panel for panel in panels)  # without a script all of them are shown


def test_one_suite_needs_no_tabs(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    assert Page(html(read_report(tmp_path))).all("nav") == []


def test_the_table_has_ranks_ties_intervals_and_sections(tmp_path: Path) -> None:
    add_suite(tmp_path, 4)
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "protonet", BETTER)
    add_seeds(tmp_path, "single", HALF[:1])
    found = ranking(table(tmp_path))
    assert [header.text for header in found.headers][:6] == [
        *("#", "method", "sees", "encoders", "accuracy, % [95 %]", "0 to 100 %")
    ]
    (group,) = found.groups
    assert group.heading == "Video, shared encoders frozen"
    assert [(line.mark.text, line.name, line.tied) for line in group.lines] == [
        ("1=", "protonet", True),
        ("2=", "half", True),
        ("a", "single", False),
    ]
    assert found.notes == (("a", "1 seed: this trained model only; a rank needs 3"),)
    ranks = [header.text for header in found.headers].index("ranks") - 2
    assert [line.cells[ranks].text for line in group.lines] == ["1–2", "1–2", "–"]  # noqa: RUF001
    assert [float(line.cells[2].key) for line in group.lines] == pytest.approx([0.875, 0.5, 0.5])
    text = Page(html(read_report(tmp_path))).text
    assert "cannot be told from the best of its section" in text
    assert "a: 1 seed: this trained model only; a rank needs 3." in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.9k / 701k", "1900"),
        ("54 [48, 61]", "54"),
        ("12,345", "12345"),
        ("3.1M / 4.3M", "3100000"),
        ("2=", "2"),
        ("−0.3", "-0.3"),  # noqa: RUF001
        ("not scored", ""),
        ("–", ""),  # noqa: RUF001
    ],
)
def test_cells_are_sorted_by_their_first_number(text: str, expected: str) -> None:
    assert key(text) == expected


def test_warnings_come_first_and_failed_checks_are_loud(tmp_path: Path) -> None:
    incomplete = GENERATED | {"complete": False, "clips_usable": 25}
    add_seeds(tmp_path, "half", [[0.5, 1.0] * 40] * 3, data=incomplete)
    add(tmp_path, "random", 0, answers([1.0, 1.0, 1.0, 0.5] * 20), regime="untrained", data=incomplete)
    text = html(read_report(tmp_path))
    head = text[: text.index("<main>")]
    assert 'class="alarm"' in head
    assert "CHECK FAILED: the random control" in head
    assert "Generated data" in head
    assert "5 of 30 clips are absent" in head
    assert "GENERATED DATA" in text
    assert text.index("CHECK FAILED") < text.index("<table")


def test_the_front_says_where_the_figures_come_from(page: str) -> None:
    front = page[: page.index("<main>")]
    for wanted in ("May not be concluded", "preset", "quick", "matched, published", "c" * 12, "layout utd-mhad"):
        assert wanted in front
    assert "Anything about other classes" in front


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (DATA, False),
        (DATA | {"layout": "mmact"}, True),
        (GENERATED, False),
    ],
    ids=["other recordings", "MMAct", "generated"],
)
def test_published_figures_stand_apart_beside_mmacts_recordings_only(tmp_path: Path, data: object, shown: bool) -> None:
    add_seeds(tmp_path, "half", HALF, data=data)
    text = html(read_report(tmp_path))
    assert ("80.17" in text) is shown
    if shown:
        (part,) = re.findall(r'<section class="outside"><h2>(.*?)</h2>(.*?)</section>', text, re.DOTALL)
        assert part[0] == "Published figures (not measured here)"
        assert '<a href="https://arxiv.org/abs/2408.04243">' in part[1]
        assert "80.17" not in text.replace(part[1], "")


def test_pictures_are_in_the_page_or_missed_by_name(folder: Path, page: str) -> None:
    (picture,) = Page(page).all("img")
    assert picture["src"] == f"data:image/png;base64,{b64encode(PIXEL).decode()}"
    assert "what was hidden from mu_mae" in picture["alt"]
    without = html(read_report(folder))
    assert Page(without).all("img") == []
    assert "The picture is not in the folder of records." in without


def test_what_is_no_picture_is_not_shown(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_pretraining(tmp_path, "mu_mae", 0, picture="absent.png")
    add_pretraining(tmp_path, "mu_mae", 1, picture="text.png")
    (tmp_path / "pretraining" / "text.png").write_bytes(b"<svg onload=alert(1)>")
    report = read_report(tmp_path)
    found = read_pictures(report, tmp_path)
    assert set(found) == {"text.png"}
    assert Page(html(report, found)).all("img") == []


def test_details_of_the_written_report_are_there(page: str) -> None:
    titles = re.findall(r'<details class="part"><summary><h\d>(.*?)</h\d></summary>', page)
    for wanted in (
        *("What the rows are", "Conditions of training", "Learning rates", "Selection on validation classes"),
        *("Not run", "Provenance", "How to read the columns", "Further figures"),
    ):
        assert wanted in titles
    text = Page(page).text
    assert "needs a map" in text
    assert "By head, encoders and start" in text
    assert "What the start changes" in text


def test_parts_are_divided_at_headings() -> None:
    found = parts(["## First *part*", "| a | b |\n| --- | ---: |\n| 1 | <2> |", "## Second", "- x"])
    assert [part.title for part in found] == ["First part", "Second"]
    assert '<td class="r">&lt;2&gt;</td>' in found[0].body
    assert found[0].body.count('class="scroll"') == 1
    assert "style=" not in found[0].body
    assert "<li>x</li>" in found[1].body
    assert parts([]) == []


def test_code_is_what_stands_between_backticks() -> None:
    assert code("say `a <b>` & go") == "say <code>a &lt;b&gt;</code> &amp; go"
    assert code("an odd ` one") == "an odd ` one"


def test_a_report_without_any_figure_is_a_page(tmp_path: Path) -> None:
    RecordFolder(tmp_path).write(
        SkippedRecord(id="x", volatile={}, method="can", modalities=("sensors",), regime="frozen", reason="needs a map")
    )
    found = Page(html(read_report(tmp_path)))
    assert found.broken == []
    assert "needs a map" in found.text


def test_rows_that_were_not_scored_are_shown_as_such(tmp_path: Path) -> None:
    nothing = float("nan")
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "absent", [[0.5, 0.5, nothing, nothing], [nothing, nothing, 0.5, 0.5]])  # no common episode
    found = Page(html(read_report(tmp_path)))
    assert "not scored" in found.text
    assert not re.search(r"\bnan\b", found.text)
    assert not [
        value for _, attributes in found.elements for value in attributes.values() if re.search(r"\bnan\b", value)
    ]


@pytest.mark.skipif(CHROMIUM is None, reason="no browser here")
def test_tabs_and_sorting_in_a_browser(page: str, tmp_path: Path) -> None:
    acts = """
const tabs = [...document.querySelector("[role=tablist]").querySelectorAll("[role=tab]")];
tabs[0].focus();
tabs[0].dispatchEvent(new KeyboardEvent("keydown", {key: "End", bubbles: true}));
const shown = [...document.querySelectorAll("main > .panel")].map((panel) => panel.hidden);
const table = document.querySelector("table.ranking");
const names = () => [...table.tBodies].map((body) => [...body.rows].slice(1).map((row) => row.cells[1].textContent));
const before = names();
const header = table.querySelectorAll("thead th")[1];
header.querySelector("button").click();
const ascending = header.getAttribute("aria-sort");
header.querySelector("button").click();
const after = names();
document.body.textContent = JSON.stringify([tabs.map((tab) => [tab.getAttribute("aria-selected"), tab.tabIndex]), shown,
  before, ascending, header.getAttribute("aria-sort"), after]);
"""
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    place = tmp_path / "page.html"
    place.write_text(free.replace("</body>", f"<script>{acts}</script></body>"), "utf-8")
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, *BROWSER, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", place.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    body = re.sub(r"<[^>]*>", "", done.stdout[done.stdout.index("<body>") :]).strip()
    selected, hidden, before, ascending, direction, after = json.loads(body)
    assert selected == [["false", -1], ["true", 0]]
    assert hidden == [True, False]
    assert (ascending, direction) == ("ascending", "descending")
    assert [sorted(rows, reverse=True) for rows in before] == after  # sections stay where they are
    assert before != after
