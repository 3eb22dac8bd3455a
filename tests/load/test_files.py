from __future__ import annotations

from pathlib import Path

import pytest

from capstan.errors import LoadError
from capstan.load.files import find_files, find_written


def write(path: Path, text: str = "naftiko: 1.0.0-alpha2\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_a_folder_gives_its_capability_files_by_name_and_at_any_depth(tmp_path: Path) -> None:
    expected = [write(tmp_path / name) for name in ("a.yaml", "b/c/d.yml", "z.yaml")]
    assert find_files([str(tmp_path)]) == (expected, [])


def test_other_yaml_in_a_folder_is_passed_over_and_told(tmp_path: Path) -> None:
    kept = write(tmp_path / "shop.yaml")
    other = write(tmp_path / "compose.yaml", "services:\n  naftiko: {}\n")
    write(tmp_path / "notes.txt")
    write(tmp_path / "shop.yaml.bak")
    assert find_files([str(tmp_path)]) == ([kept], [other])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ikanos: 1.0.0-beta7\n", id="the other family"),
        pytest.param("# a comment\n\ninfo: {}\nnaftiko: '0.5'\n", id="not first"),
        pytest.param('{"naftiko": "0.5"}', id="written as JSON"),
        pytest.param('{\n  "info": {},\n  "naftiko": "0.5"\n}', id="written as JSON, not first"),
        pytest.param("'naftiko' : 0.5\n", id="quoted"),
        pytest.param("naftiko: 1.0.0-alpha2\n\tinfo: {}\n", id="not quite YAML"),
        pytest.param("\ufeffnaftiko: 0.5\n", id="after a byte order mark"),
    ],
)
def test_a_root_key_makes_a_capability_file(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "shop.yaml", text)
    assert find_files([str(tmp_path)]) == ([path], [])


def test_a_file_named_by_hand_is_taken_whatever_it_holds(tmp_path: Path) -> None:
    path = write(tmp_path / "other.txt", "a: 1\n")
    assert find_files([str(path)]) == ([path], [])


def test_a_file_found_twice_is_taken_once_in_the_order_it_was_asked_for(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.yaml"), write(tmp_path / "b.yaml")
    assert find_files([str(two), str(tmp_path), str(two)])[0] == [two, one]


def test_a_missing_path_and_an_empty_folder_are_told_together(tmp_path: Path) -> None:
    gone, empty = tmp_path / "gone.yaml", tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(LoadError) as caught:
        find_files([str(gone), str(empty), str(write(tmp_path / "a.yaml"))])
    told = [(found.code, found.at.file) for found in caught.value.problems]
    assert told == [("no-such-file", str(gone)), ("no-capability", str(empty))]


def test_a_folder_of_other_yaml_holds_no_capability(tmp_path: Path) -> None:
    write(tmp_path / "other.yaml", "a: 1\n")
    with pytest.raises(LoadError, match="no-capability"):
        find_files([str(tmp_path)])


def test_a_file_of_a_folder_that_cannot_be_read_is_left_for_the_reader_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.yaml")

    def deny(_: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", deny)
    assert find_files([str(tmp_path)]) == ([path], [])


def test_a_name_that_no_file_can_have_is_told() -> None:
    with pytest.raises(LoadError) as caught:
        find_files(["a" * 5000])
    assert caught.value.problems[0].code == "no-such-file"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("x.yaml", ["caps/x.yaml"], id="a name"),
        pytest.param("./a%20b/x.yaml", ["caps/a%20b/x.yaml"], id="a path means what it says"),
        pytest.param("../x.yaml", ["x.yaml"], id="a folder up"),
        pytest.param("/etc/x.yaml", ["/etc/x.yaml"], id="an absolute path"),
        pytest.param("file:///etc/a%20b.yaml", ["/etc/a b.yaml"], id="an absolute URI is decoded"),
        pytest.param("file://localhost/etc/x.yaml", ["/etc/x.yaml"], id="a URI that names this host"),
        pytest.param("file:/etc/x.yaml", ["/etc/x.yaml"], id="a URI with one slash"),
        pytest.param("file:///./x.yaml", ["caps/x.yaml", "x.yaml"], id="a relative URI, three slashes"),
        pytest.param("file:///../x.yaml", ["x.yaml", "../x.yaml"], id="a folder up, three slashes"),
        pytest.param("file://secrets/x.env", ["caps/secrets/x.env", "secrets/x.env"], id="two slashes"),
        pytest.param("file:x.yaml", ["caps/x.yaml", "x.yaml"], id="no slash"),
    ],
)
def test_a_written_path_starts_at_the_folder_of_its_file(text: str, expected: list[str]) -> None:
    assert find_written(text, Path("caps/shop.yaml")) == [Path(path) for path in expected]


def test_a_plain_path_is_looked_for_in_the_working_directory_where_that_is_asked_for() -> None:
    assert find_written("x.env", Path("caps/shop.yaml"), or_here=True) == [Path("caps/x.env"), Path("x.env")]
    assert find_written("x.env", Path("shop.yaml"), or_here=True) == [Path("x.env")]
