"""No network is needed or sought: the chain without one, lists and encoders, films that name addresses."""

from __future__ import annotations

import http.server
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from typer.testing import CliRunner

from mmact_oneshot.harness.cli.main import app
from mmact_oneshot.harness.config.presets import PRESETS, load_settings
from mmact_oneshot.harness.data.video import container
from mmact_oneshot.harness.data.video.reader import check, probe, read_clip
from mmact_oneshot.harness.encoders.build import build_encoder
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.planted_defects import grey_ramp, write_video
from tests.helpers.small_runs import HALF, add_seeds, add_suite

ROOT = Path(__file__).parents[2]
ALONE = ("unshare", "--net", "--map-root-user")  # a namespace without any interface that is up
REACHES = """
import socket
try:
    socket.create_connection(({host!r}, {port}), timeout=5)
except OSError:
    raise SystemExit(0)
raise SystemExit(1)
"""
CHAIN = """
import sys
from pathlib import Path
from mmact_oneshot.harness.cli.main import app
from tests.helpers.small_recordings import make_recordings, write_split
folder = Path(sys.argv[1])
make_recordings(folder / "data")
write_split(folder / "split.toml", folder / "data")
run = ["run", "--data", folder / "data", "--split", folder / "split.toml", "--store", folder / "store"]
for command in ([*run, "--out", folder / "run", *sys.argv[2:]], ["report", folder / "run"]):
    app([str(each) for each in command], standalone_mode=False)
"""
SMALL = (
    "--preset", "quick", "--method", "protonet", "--modalities", "both", "--suite", "test", "--device", "cpu",
    "--workers", "1", "--set", "store.frames=4", "--set", "store.short_side=24", "--set", "store.sensor_grid=32",
    "--set", "input.frames=4", "--set", "input.size=16", "--set", "input.sensor_length=32",
    "--set", "sensor_encoder.width=8", "--set", "video_encoder.arguments={channels=[8,8,8,8], stem_width=8}",
    "--set", "seeds=[0]", "--set", "episodes=20", "--set", "warm_start.steps=2", "--set", "frozen.steps=2",
    "--set", "warm_start.validations=1", "--set", "frozen.validations=1", "--set", "frozen.search=[]",
    "--set", "warm_start.queries=1", "--set", "frozen.queries=1",
)  # fmt: skip


def can_be_alone() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0


@contextmanager
def asked(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """A server of the files of a folder: its port, and the paths that it was asked for."""
    paths: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            paths.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, paths
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
@pytest.mark.skipif(not can_be_alone(), reason="user namespaces without a network cannot be made here")
def test_recordings_a_run_and_its_report_need_no_network(tmp_path: Path) -> None:
    with asked(tmp_path) as (port, _):
        code = REACHES.format(host="127.0.0.1", port=port)
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1
        assert subprocess.run([*ALONE, sys.executable, "-c", code], check=False).returncode == 0
    done = subprocess.run(
        [*ALONE, sys.executable, "-c", CHAIN, str(tmp_path), *SMALL],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "protonet" in (tmp_path / "run" / "report.html").read_text("utf-8")


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is resolved, or a connection, is an error that nothing here catches."""

    class Connected(BaseException):
        pass

    def refuse(*arguments: object, **_: object) -> NoReturn:
        raise Connected(arguments)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(Connected):
        socket.create_connection(("127.0.0.1", 9))


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("preset", PRESETS)
def test_the_encoders_of_the_presets_are_built_without_a_connection(preset: str) -> None:
    settings = load_settings(preset)
    for modality in ("video", "sensors", "both"):
        build_encoder(modality, settings, ("watch",), seed=0)


@pytest.mark.usefixtures("no_sockets")
def test_lists_and_reports_open_no_connection(tmp_path: Path) -> None:
    add_suite(tmp_path / "records", 4)
    add_seeds(tmp_path / "records", "half", HALF)
    for command in (["methods"], ["encoders"], ["presets"], ["report", str(tmp_path)]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
    assert (tmp_path / "report.html").is_file()


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{entry}\n#EXT-X-ENDLIST\n"
LISTS = {
    "playlist": PLAYLIST,
    "concat": "ffconcat version 1.0\nfile {entry}\n",
    "session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("decoder", ["decord", "av"])
@pytest.mark.parametrize("kind", LISTS)
def test_a_film_that_is_a_list_of_films_is_refused(
    tmp_path: Path, kind: str, decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its content, whatever its name says: neither the address nor the file in it is opened."""
    if decoder == "av":
        monkeypatch.setattr(container, "has_decord", lambda: False)
    real = write_video(tmp_path / "real.mp4", grey_ramp(10))
    assert probe(real).frames == 10
    path = tmp_path / "walking.mp4"
    with asked(tmp_path) as (port, paths):
        for entry in (f"http://127.0.0.1:{port}/real.mp4", real.as_uri(), real.name):
            path.write_text(LISTS[kind].format(entry=entry), "utf-8")
            for read in (probe, check, lambda each: read_clip(each, frames=2, short_side=16)):
                with pytest.raises(HarnessError, match="cannot be read"):
                    read(path)
            with pytest.raises((ValueError, OSError)):  # as a film that was replaced after its header was read
                container.VideoFile(path).read(lambda total: np.arange(min(2, total)), 16, 24)
        assert paths == []
