"""The files of a folder: which are listed, which are read, and that nothing else ever is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from capstan.call.folder import MOST_LISTED, list_folder, read_file
from capstan.errors import ShapeError
from capstan.load.media_type import type_of_name

LIMIT = 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    return folder


def paths(root: Path) -> list[str]:
    return [file.path for file in list_folder(root).files]


def test_files_are_listed_by_name_and_encoded_for_a_uri(root: Path) -> None:
    for name in ("b.md", "a b.txt", "c\\d.txt", "ü?#%.md", "x/y/z.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    listing = list_folder(root)
    assert listing.is_whole
    assert [file.path for file in listing.files] == [
        "a%20b.txt", "b.md", "c%5Cd.txt", "x/y/z.json", "%C3%BC%3F%23%25.md",
    ]  # fmt: skip
    for file in listing.files:
        content = read_file(root, file.path, LIMIT)
        assert content is not None
        assert (len(content.data), content.media_type) == (file.size, file.media_type)


def test_a_folder_of_ten_thousand_files_is_cut_short_and_says_so(root: Path) -> None:
    for number in range(10_000):
        (root / f"{number:05}.txt").touch()
    started = time.perf_counter()
    listing = list_folder(root)
    assert time.perf_counter() - started < 5
    assert len(listing.files) == MOST_LISTED
    assert not listing.is_whole
    assert [file.path for file in listing.files[:2]] == ["00000.txt", "00001.txt"]
    assert read_file(root, "09999.txt", LIMIT) is not None


def test_a_folder_of_just_as_many_files_as_are_listed_is_whole(root: Path) -> None:
    for number in range(MOST_LISTED):
        (root / f"{number}.txt").touch()
    listing = list_folder(root)
    assert (len(listing.files), listing.is_whole) == (MOST_LISTED, True)


def test_hidden_files_links_that_lead_out_and_what_is_no_file_are_not_there(root: Path, tmp_path: Path) -> None:
    (root / ".hidden").write_text("x")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("x")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to(".")
    (root / "broken").symlink_to("nothing")
    os.mkfifo(root / "pipe.txt")
    (root / "kept.txt").write_text("x")
    assert paths(root) == ["kept.txt"]
    for path in (
        "out.txt",
        ".hidden",
        ".git/config",
        "up/secret.txt",
        "up/root/kept.txt",
        "broken",
        "pipe.txt",
        "loop",
    ):
        assert read_file(root, path, LIMIT) is None, path


def test_a_link_that_stays_inside_is_followed_as_mounted_volumes_need(root: Path) -> None:
    (root / "..2026_01").mkdir()
    (root / "..2026_01" / "a.txt").write_text("mounted")
    (root / "..data").symlink_to("..2026_01")
    (root / "a.txt").symlink_to("..data/a.txt")
    assert paths(root) == ["a.txt"]
    content = read_file(root, "a.txt", LIMIT)
    assert content is not None
    assert content.data == b"mounted"
    assert read_file(root, "..data/a.txt", LIMIT) is None


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (root / "a.txt").write_text("x")
    link = tmp_path / "link"
    link.symlink_to(root)
    assert paths(link) == ["a.txt"]
    assert read_file(link, "a.txt", LIMIT) is not None


def test_links_that_lead_round_about_come_to_an_end(root: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (root / one).mkdir()
        (root / one / "file.txt").write_text("x")
        (root / one / "on").symlink_to(f"../{other}")
    listing = list_folder(root)
    assert 2 <= len(listing.files) < 100


def test_a_file_that_is_swapped_for_a_link_is_not_followed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = root / "a.txt"
    file.write_text("mine")
    real_open = os.open

    def swap(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "a.txt":  # after it was looked at, before it is opened
            file.unlink()
            file.symlink_to("../secret.txt")
        return real_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swap)
    assert read_file(root, "a.txt", LIMIT) is None


def test_a_link_that_is_none_any_more_when_it_is_read_leads_nowhere(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = root / "a.txt"
    link.symlink_to("b.txt")
    real_readlink = os.readlink

    def swap(path: str) -> str:
        link.unlink()
        link.write_text("mine")
        return real_readlink(path)

    monkeypatch.setattr(os, "readlink", swap)
    assert read_file(root, "a.txt", LIMIT) is None


def test_a_file_that_may_not_be_read_is_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a.txt").write_text("x")
    (root / "a.txt").chmod(0)
    real_open = os.open

    def refuse(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "a.txt":
            raise PermissionError(13, "Permission denied")
        return real_open(path, flags, dir_fd=dir_fd)

    if os.geteuid() == 0:  # who may read everything; others meet the real refusal
        monkeypatch.setattr(os, "open", refuse)
    assert read_file(root, "a.txt", LIMIT) is None


def test_a_file_that_is_larger_than_the_limit_is_refused(root: Path) -> None:
    (root / "a.txt").write_bytes(b"x" * LIMIT)
    assert read_file(root, "a.txt", LIMIT) is not None
    (root / "a.txt").write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(ShapeError) as caught:
        read_file(root, "a.txt", LIMIT)
    assert caught.value.code == "answer-too-large"


def test_descriptors_are_given_back(root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "a.txt").write_text("x")
    before = len(list(Path("/dev/fd").iterdir()))
    for path in ("sub/a.txt", "sub", "sub/nothing", "nothing/a.txt", "sub/a.txt/b"):
        read_file(root, path, LIMIT)
    list_folder(root)
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_folder_that_is_gone_has_no_files(tmp_path: Path) -> None:
    assert paths(tmp_path / "gone") == []
    assert read_file(tmp_path / "gone", "a.txt", LIMIT) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.MD", "text/markdown"), ("a.yml", "application/yaml"), ("a.png", "image/png"), ("a.pdf", "application/pdf"),
     ("Makefile", None), ("a.unknown", None)],
)  # fmt: skip
def test_the_name_tells_the_media_type(name: str, kind: str | None) -> None:
    assert type_of_name(name) == kind
