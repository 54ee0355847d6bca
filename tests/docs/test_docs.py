"""What pages say works: every block is run or loaded, links and paths are there, tables are those of the code."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dask_jobqueue.slurm import SLURMJob
from torch.distributed.run import get_args_parser
from typer.testing import CliRunner

import mmact_oneshot
from mmact_oneshot import layouts
from mmact_oneshot.harness.benchmark.conformance import checks, encoder_checks
from mmact_oneshot.harness.benchmark.cost import estimate
from mmact_oneshot.harness.cli import main as cli
from mmact_oneshot.harness.config.presets import PRESETS, load_settings
from mmact_oneshot.harness.data.defects import RULES
from mmact_oneshot.harness.data.episodes import suites
from mmact_oneshot.harness.data.episodes.suites import SUITES, committed_digests, shipped_clips
from mmact_oneshot.harness.data.splits import load_split
from mmact_oneshot.harness.data.synthetic import SyntheticSettings, synthesize
from mmact_oneshot.harness.engines.clusters import read_options
from mmact_oneshot.harness.plugins import registry
from mmact_oneshot.harness.plugins.kinds import KINDS, METHOD
from mmact_oneshot.harness.runtime.compute import ComputeSpec
from tests.docs.pages import PAGES, ROOT, Block, anchors, blocks, names, table, tokens
from tests.helpers.small_runs import BETTER, add_seeds

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TINY = SyntheticSettings(
    subjects=3,
    cameras=1,
    sessions=((1, 1),),
    desk_sessions=((3, 1),),
    fps=8,
    width=48,
    height=36,
    seconds=(0.5, 0.6),
)  # every class, since pages name no split
DIGESTS = committed_digests()
SENSORS = ("acc_phone", "acc_watch", "gyro", "orientation")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny")
    synthesize(root, TINY)
    return root


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="module")
def cheap() -> Iterator[None]:
    """Minutes that are about no page: what a plan will cost is timed on networks of full size, all suites are drawn to
    be verified, and the check `device` loads torch's compiler in each process of its own."""
    import torch._dynamo  # noqa: F401

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimate, "estimate_cost", lambda *_: estimate.Cost(3600.0, 1000, {}, 0, 10**9, False))
        patch.setattr(estimate, "memory_demands", lambda *_: [])
        patch.setattr(registry, "entry_points", cache(entry_points))
        patch.setattr(suites, "committed_digests", lambda: {"utd-mhad": {"val": DIGESTS["utd-mhad"]["val"]}})
        yield


@pytest.fixture(scope="module")
def small_run(cheap: None, tiny: Path, stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the tiny data, for the page that joins one."""
    out = tmp_path_factory.mktemp("run")
    where = ("--data", str(tiny), "--store", str(stores), "--out", str(out))
    invoke(["run", *where, "--method", "trx", "--modalities", "sensors"])
    return out


@pytest.fixture
def workspace(cheap: None, tmp_path: Path, tiny: Path, stores: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pages speak of: data, results and a home, each in place of what a reader has."""
    place, home = tmp_path / "checkout", tmp_path / "home"
    for folder in (place / "data", place / "runs", place / "results", home / "UTD-MHAD"):
        folder.mkdir(parents=True)
    (place / "data" / "embedded").symlink_to(tiny)
    (home / "MMAct").symlink_to(tiny)
    (place / "store").symlink_to(stores)
    (place / "results" / "utd-mhad").symlink_to(ROOT / "results" / "utd-mhad")
    for ending in ("depth.mp4", "inertial.mat"):  # two names for the whole: it is planned for and never opened
        (home / "UTD-MHAD" / f"a1_s1_t1_{ending}").touch()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(place)
    return place


def furnish(place: Path, text: str, tiny: Path, request: pytest.FixtureRequest) -> None:
    """What only some pages name."""
    for name in ("results/embedded", "runs/quick-embedded"):
        joined = "run" in name and "my_method, sensors" in text
        if name in text:
            source = request.getfixturevalue("small_run") if joined else ROOT / "results" / "embedded"
            shutil.copytree(source, place / name)
    if "oneshot merge" in text:
        for name in ("video", "sensors"):
            add_seeds(place / "runs" / name / "records", f"good on {name}", BETTER)
    if "data/mine" in text:
        (place / "data" / "mine").mkdir()
        for video in tiny.rglob("*.mp4"):
            subject = video.relative_to(tiny).parts[0].removeprefix("subject")
            stem = place / "data" / "mine" / f"{video.stem}-{subject}-1"
            shutil.copy(video, stem.with_suffix(".mp4"))
            lines = [f"{0.02 * line},{0.1 * line},{int(subject)},9.8" for line in range(30)]
            stem.with_suffix(".csv").write_text("\n".join(lines) + "\n")
    for sensor in SENSORS if ".tar.gz" in text else ():
        with tarfile.open(place / f"{sensor}_clip.tar.gz", "w:gz") as archive:
            archive.add(tiny / f"{sensor}_clip", f"{sensor}_clip")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_works(page: Path, workspace: Path, tiny: Path, request: pytest.FixtureRequest) -> None:
    furnish(workspace, page.read_text("utf-8"), tiny, request)
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.text, "utf-8")
        if block.language == "bash":
            for line in block.text.replace("\\\n", " ").splitlines():
                if words := shlex.split(line, comments=True):
                    command(words, block.place)
        elif block.language == "python":
            code = compile(block.text, block.title or block.place, "exec")
            if not block.title:
                exec(code, namespace)
        elif block.language == "toml":
            load_toml(block)
        else:
            assert not re.search(r"^(oneshot|make|pip|python) ", block.text, re.MULTILINE), f"{block.place}: use bash"


def load_toml(block: Block) -> None:
    content = tomllib.loads(block.text)
    assert block.title, f"{block.place}: name the file, so that its loader reads it"
    if "novel" in content:
        load_split(block.title)
    elif "project" in content:
        (group,) = content["project"]["entry-points"]
        assert group in {kind.group for kind in KINDS.values()}
    elif "walltime" in content:
        script = SLURMJob("tcp://127.0.0.1:8786", "worker", **read_options(Path(block.title))).job_script()
        assert content["walltime"] in script
    else:
        load_settings(block.title)


def command(words: list[str], place: str) -> None:
    assert words[0] in COMMANDS, f"{place}: unknown command {words[0]!r}"
    given = [str(Path(word).expanduser()) if word.startswith("~/") else word for word in words]
    COMMANDS[words[0]](given[1:])


planned: set[tuple[str, ...]] = set()


def oneshot(words: list[str]) -> None:
    """Through the real command line. What would train for long is planned, with fewer rows, each plan once."""
    words, target = (words[:-2], words[-1]) if ">" in words else (words, "")
    option = {name: value for name, value in pairwise(words) if name.startswith("--")}
    if words[0] == "run" and "--data" in option:
        short = option["--data"].startswith("data/") and "--method" in option and "--preset" not in option
        short &= "--join" not in option or Path(option["--join"], "encoders").is_dir()  # committed runs have none
        words += ["--dry-run"] * (not short and "--dry-run" not in words)
        if "--dry-run" in words:
            narrower = {"--seeds": "1", "--modalities": "both"}
            words += [word for name in narrower.keys() - option.keys() for word in (name, narrower[name])]
            plan = tuple(Path(word).name if word.startswith("/") else word for word in words)
            if plan in planned and "./" not in " ".join(plan):
                return
            planned.add(plan)
        elif "--modalities" not in option:
            words += ["--modalities", "sensors"]
    said = invoke(words)
    if target:
        Path(target).write_text(said, "utf-8")


def invoke(words: list[str]) -> str:
    result = CliRunner().invoke(cli.app, words, env={"COLUMNS": "120"})
    assert result.exit_code == 0, f"oneshot {' '.join(words)}: {result.output}{result.exception!r}"
    return result.stdout


def make(words: list[str]) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(words) <= set(targets), words


def pip(words: list[str]) -> None:
    assert words[0] == "install"
    for word in words[1:]:
        extra = re.fullmatch(r"\.(?:\[(\w+)\])?", word)
        known = (
            word in ("--editable", "--constraint") or (ROOT / word).is_file() or Path(word, "pyproject.toml").is_file()
        )
        assert known or (extra and (not extra[1] or extra[1] in PROJECT["optional-dependencies"])), word


def python(words: list[str]) -> None:
    assert words[0] == "-m"
    if words[1] == "venv":
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [words[1], *words[2:], "--help"])
        patch.delitem(sys.modules, words[1], raising=False)  # as in a process of its own
        with pytest.raises(SystemExit, match=r"^0$"):
            runpy.run_module(words[1], run_name="__main__")


def torchrun(words: list[str]) -> None:
    given = get_args_parser().parse_args(words)
    assert given.module
    assert given.training_script == "mmact_oneshot"
    oneshot(given.training_script_args)


def dask(words: list[str]) -> None:
    """The options are known; nothing is started."""
    import_module(f"distributed.cli.dask_{words[0]}").main.make_context(words[0], words[1:])


def container(words: list[str]) -> None:
    assert words[0] in ("build", "run")
    assert all((ROOT / word).is_file() for word in words if word.startswith("containers/"))


def activate(words: list[str]) -> None:
    assert words == [".venv/bin/activate"]


def shell(name: str) -> Callable[[list[str]], None]:
    def run(words: list[str]) -> None:
        subprocess.run([name, *words], check=True, capture_output=True)

    return run


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "oneshot": oneshot,
    "make": make,
    "pip": pip,
    "python": python,
    "torchrun": torchrun,
    "dask": dask,
    "docker": container,
    "apptainer": container,
    ".": activate,
    "mkdir": shell("mkdir"),
    "tar": shell("tar"),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_pictures_and_paths_are_there(page: Path) -> None:
    inner = [child for token in tokens(page) for child in token.children or ()]
    for target in (str(child.attrs.get("href") or child.attrs.get("src") or "") for child in inner):
        path, _, anchor = target.partition("#")
        if target and not target.startswith("https://"):
            linked = (page.parent / path).resolve() if path else page
            assert linked.is_file(), target
            assert not anchor or anchor in anchors(linked), target
    for child in inner:
        named = re.fullmatch(r"((?:harness|tests|methods|baselines|mmact_oneshot)/[\w./-]*)(?:::(\w+))?", child.content)
        if child.type == "code_inline" and named:
            assert (ROOT / named[1]).exists(), child.content
            assert not named[2] or f"def {named[2]}(" in (ROOT / named[1]).read_text("utf-8"), child.content


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"(?:- |: )([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))


def test_every_public_name_is_in_the_reference() -> None:
    listed = re.findall(
        r"^::: mmact_oneshot\.([\w.]+)$", (ROOT / "docs" / "reference.md").read_text("utf-8"), re.MULTILINE
    )
    assert set(mmact_oneshot.__all__) - {"Layout"} <= set(listed)
    members = re.search(r"members: \[(.*)\]", (ROOT / "docs" / "reference.md").read_text("utf-8"))
    assert members
    assert sorted(members[1].split(", ")) == sorted(layouts.__all__)


def test_tables_of_checks_and_defects_are_those_of_the_code() -> None:
    wanted = [[f"`{name}`", each.rule, each.remedy] for name, each in checks.CHECKS.items()]
    assert table("add-a-method.md", "check") == wanted
    assert names(table("add-an-encoder-or-metric.md", "check")) == list(encoder_checks.CHECKS)
    marks = {name: " (unusable)" * rule.unusable for name, rule in RULES.items()}
    assert table("your-mmact.md", "kind") == [[f"`{name}`{marks[name]}", rule.rule] for name, rule in RULES.items()]


def test_tables_of_methods_presets_studies_suites_and_kinds_are_complete() -> None:
    assert sorted(names(table("methods.md", "method"))) == sorted(METHOD.built_in)
    assert names(table("presets.md", "preset")) == list(PRESETS) == names(table("your-mmact.md", "preset"))
    studies = {name for preset in PRESETS for name in load_settings(preset).studies}
    assert set(names(table("presets.md", "study"))) == studies
    episodes = {row[0].partition("`")[2].partition("`")[0]: row[2] for row in table("protocol.md", "suite")}
    assert episodes == {name: f"{spec.episodes:,}" for name, spec in SUITES.items()}
    groups = {row[0]: row[-1].strip("`") for row in table("add-an-encoder-or-metric.md", "kind")}
    assert groups == {name: KINDS[name].group for name in groups}


def test_every_switch_of_computing_is_in_the_table_with_its_default() -> None:
    defaults = {name: str(value).lower() for name, value in ComputeSpec().model_dump().items()}
    assert {row[0].strip("`"): row[1].strip("`") for row in table("gpus.md", "switch")} == defaults


@pytest.mark.slow
def test_whatever_a_run_leaves_is_in_the_table(small_run: Path) -> None:
    """With what only some runs leave, and what a killed one does."""
    named = {name.strip("/") for name in names(table("reproduce.md", "file or folder"))}
    assert {"features", "locks", "failures", "replaced", "*.state", "*.tmp", "*.lock"} <= named
    left = [path.name for path in small_run.iterdir()]
    assert [name for name in left if not any(fnmatch(name, pattern) for pattern in named)] == []


def test_expected_counts_are_those_of_the_published_list() -> None:
    split, clips = shipped_clips("mmact")
    parts = {role: clips[clips["class_name"].isin(split.role(role))] for role in ("base", "validation", "novel")}
    found = {row[0]: [int(cell.replace(",", "")) for cell in row[2:]] for row in table("your-mmact.md", "")}
    whole = [clips, *parts.values()]
    assert found["classes"] == [each["class_name"].nunique() for each in whole]
    assert found["clips"] == [len(each) for each in whole]
    assert found["performances"] == [each["performance"].nunique() for each in whole]
