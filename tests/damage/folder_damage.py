"""What can stand in a folder beside files: links in circles, pipes, devices, and names of every kind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from tests.damage.bytes_damage import Random


class FolderMutation(Protocol):
    """Damage of the root, or of the file below it."""

    @property
    def __name__(self) -> str: ...

    def __call__(self, root: Path, file: Path, random: Random, /) -> None: ...


def gone(root: Path, file: Path, random: Random) -> None:
    _remove(file)


def a_link_to_nothing(root: Path, file: Path, random: Random) -> None:
    _remove(file)
    file.symlink_to("nowhere")


def a_link_to_itself(root: Path, file: Path, random: Random) -> None:
    _remove(file)
    file.symlink_to(file.name)


def links_in_a_circle(root: Path, file: Path, random: Random) -> None:
    (file.parent / "one").symlink_to("two")
    (file.parent / "two").symlink_to("one")


def a_link_to_the_root(root: Path, file: Path, random: Random) -> None:
    (file.parent / "again").symlink_to(root, target_is_directory=True)


def a_folder_in_its_place(root: Path, file: Path, random: Random) -> None:
    _remove(file)
    file.mkdir()


def a_file_for_its_folder(root: Path, file: Path, random: Random) -> None:
    content = file.read_bytes() if file.is_file() else b""
    parent = file.parent
    for each in sorted(parent.rglob("*"), reverse=True):
        _remove(each)
    parent.rmdir()
    parent.write_bytes(content)


def a_pipe(root: Path, file: Path, random: Random) -> None:
    _remove(file)
    os.mkfifo(file)


def an_endless_device(root: Path, file: Path, random: Random) -> None:
    _remove(file)
    file.symlink_to("/dev/zero")


def folders_far_down(root: Path, file: Path, random: Random) -> None:
    here = os.open(file.parent, os.O_RDONLY)
    try:
        for _ in range(300):
            os.mkdir("deeper", dir_fd=here)
            below = os.open("deeper", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)


def name_with_spaces(root: Path, file: Path, random: Random) -> None:
    file.rename(file.with_name(f"a name {file.name}"))


def name_with_line_end(root: Path, file: Path, random: Random) -> None:
    file.rename(file.with_name(f"{file.stem}\n{file.suffix}"))


def name_of_255_bytes(root: Path, file: Path, random: Random) -> None:
    file.rename(file.with_name("x" * (255 - len(file.suffix)) + file.suffix))


def name_in_unicode(root: Path, file: Path, random: Random) -> None:
    file.rename(file.with_name(f"行走_é_\u202e_{file.name}"))


def name_that_is_no_text(root: Path, file: Path, random: Random) -> None:
    file.rename(file.with_name(os.fsdecode(b"\xff\xfe") + file.suffix))


def name_with_huge_numbers(root: Path, file: Path, random: Random) -> None:
    digits = "9" * 150
    file.rename(file.with_name("".join(digits if c == "1" else c for c in file.name)[:255]))


def name_with_other_digits(root: Path, file: Path, random: Random) -> None:
    """Digits that are digits to Unicode."""
    file.rename(file.with_name(file.name.replace("1", "\u0661")))


def name_in_capitals(root: Path, file: Path, random: Random) -> None:
    file.rename(file.with_name(file.name.upper()))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for each in path.iterdir():
            _remove(each)
        path.rmdir()
    else:
        path.unlink()


FOLDER: tuple[FolderMutation, ...] = (
    gone, a_link_to_nothing, a_link_to_itself, links_in_a_circle, a_link_to_the_root, a_folder_in_its_place,
    a_file_for_its_folder, a_pipe, an_endless_device, folders_far_down, name_with_spaces, name_with_line_end,
    name_of_255_bytes, name_in_unicode, name_that_is_no_text, name_with_huge_numbers, name_with_other_digits,
    name_in_capitals,
)  # fmt: skip
