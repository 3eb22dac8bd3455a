"""The script of a step -> a plan: its text read, its language and limits chosen, its syntax checked."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from capstan.load import model
from capstan.load.document import Place
from capstan.load.files import find_written, is_file, is_folder
from capstan.resources import install_command
from capstan.scripting import LANGUAGES, Language, command, environment, missing

Tell = Callable[[str, str, Place, str], None]  # code, message, at, hint

_LARGEST: Final = 1024**2
_CHECK_SECONDS: Final = 30
_SPELLINGS: Final = {"js": "javascript"}
_HOW: Final = "add to 'exposes': {type: control, port: 9092, management: {scripting: {}}}"


@dataclass(frozen=True, slots=True)
class ScriptSource:
    """The text of a script or of one it depends on, with a counting call before each statement."""

    name: str  # as the file calls it, for messages
    code: str
    lines: tuple[int, ...]  # the line its author knows, of each; empty: the same


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """A script, ready to run."""

    step: str
    language: Language
    sources: tuple[ScriptSource, ...]  # dependencies first, the script itself last
    files: tuple[str, ...]  # where they were read from
    timeout_seconds: float
    statement_limit: int


def plan_script(step: model.ScriptStep, scripting: model.Scripting | None, tell: Tell) -> ScriptPlan | None:
    """The plan of a script step; None where it cannot be run, which was told."""
    if scripting is None:
        tell("scripts-off", "a file runs scripts only where its control adapter says so", step.at, _HOW)
        return None
    if not scripting.enabled:
        tell("scripts-off", "scripts are switched off: 'management.scripting.enabled' is false", step.at,
             f"switched off in line {(scripting.at / 'enabled').location().line}")  # fmt: skip
        return None
    language = _language(step, scripting, tell)
    folder = _folder(step, scripting, tell)
    if language is None or folder is None:
        return None
    texts: list[tuple[str, Path, str, Place]] = []
    wanted = [(name, step.at / "dependencies" / index) for index, name in enumerate(step.dependencies)]
    for name, at in [*wanted, (step.file, step.at / "file")]:
        path = _inside(folder, name, at, tell)
        text = None if path is None else _read(path, name, at, tell)
        if path is not None and text is not None:
            texts.append((name, path, text, at))
    if len(texts) <= len(step.dependencies):
        return None
    sources = _sources(language, texts, tell)
    if sources is None:
        return None
    return ScriptPlan(step.name, language, sources, tuple(str(path) for _, path, _, _ in texts),
                      scripting.timeout_ms / 1000, scripting.statement_limit)  # fmt: skip


def _language(step: model.ScriptStep, scripting: model.Scripting, tell: Tell) -> Language | None:
    written = step.language or scripting.default_language
    at = step.at / "language" if step.language else step.at
    if written is None:
        tell("missing-keyword", "'language' is missing", step.at, "or set 'management.scripting.defaultLanguage'")
        return None
    allowed = scripting.allowed_languages
    if allowed and written not in allowed:
        tell("script-language", f"scripts in {written} are not allowed", at,
             f"'management.scripting.allowedLanguages' has {', '.join(allowed)}")  # fmt: skip
        return None
    language = next((name for name in LANGUAGES if name == _SPELLINGS.get(written, written)), None)
    if language is None:
        tell("not-supported-yet", f"scripts in {written} are not supported", at, f"{' and '.join(LANGUAGES)} are")
        return None
    lost = missing(language)
    if lost is not None:
        message = f"scripts in {language} need '{lost}', which is not installed"
        tell("missing-library", message, at, install_command("scripts"))
        return None
    return language


def _folder(step: model.ScriptStep, scripting: model.Scripting, tell: Tell) -> Path | None:
    written, at = step.location, step.at / "location"
    if written is None:
        written, at = scripting.default_location, scripting.at / "defaultLocation"
    if written is None:
        tell("missing-keyword", "'location' is missing", step.at, "or set 'management.scripting.defaultLocation'")
        return None
    if not written.lower().startswith("file:"):
        tell("wrong-form", f"scripts are read from folders: '{written}' is none", at, "for example: file:///./scripts")
        return None
    folder = next((path for path in find_written(written, at.document.path) if is_folder(path)), None)
    if folder is None:
        tell("missing-file", f"there is no folder '{written}'", at, "file:///./x is relative to the capability file")
    return folder


def _inside(folder: Path, name: str, at: Place, tell: Tell) -> Path | None:
    """The file of a name in a folder, which it must not leave by any way: neither `..` nor a link."""
    try:
        path = (folder / name).resolve()
        outside = not path.is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a circle of links, a name no file can have
        path, outside = folder / "", False
    if outside:
        tell("script-outside", f"'{name}' is not inside its location", at, "")
        return None
    if not is_file(path):
        tell("missing-file", f"there is no script '{name}' in {folder}", at, "")
        return None
    return path


def _read(path: Path, name: str, at: Place, tell: Tell) -> str | None:
    try:
        content = path.read_bytes()
    except OSError as error:
        tell("unreadable-file", f"the script '{name}' cannot be read: {error.strerror}", at, "")
        return None
    if len(content) > _LARGEST:
        tell("too-large", f"the script '{name}' is larger than {_LARGEST} bytes", at, "")
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        tell("wrong-encoding", f"the script '{name}' is not UTF-8", at, "")
        return None
    if "\0" in text:
        tell("bad-script", f"the script '{name}' holds a zero character", at, "")
        return None
    return text


def _sources(
    language: Language, texts: list[tuple[str, Path, str, Place]], tell: Tell
) -> tuple[ScriptSource, ...] | None:
    try:
        answers = _checked(language, tuple(text for _, _, text, _ in texts))
    except (OSError, ValueError, subprocess.SubprocessError):
        tell("bad-script", "the syntax of the script cannot be checked: the check broke off", texts[-1][3], "")
        return None
    sources: list[ScriptSource] = []
    for (name, _, _, at), (wrong, line, code, lines) in zip(texts, answers, strict=True):
        if wrong is not None:
            where = f"line {line} of '{name}'" if line else f"'{name}'"
            tell("bad-script", f"{where} cannot be run: {wrong}", at, "")
        sources.append(ScriptSource(name, code, lines))
    return None if any(answer[0] is not None for answer in answers) else tuple(sources)


Checked = tuple[str | None, int | None, str, tuple[int, ...]]  # what is wrong, in which line; counted, with its lines


@functools.lru_cache(maxsize=256)
def _checked(language: Language, codes: tuple[str, ...]) -> tuple[Checked, ...]:
    """What the engine of a language says of sources. A process: a text that crashes the parser must not end ours."""
    done = subprocess.run(  # noqa: S603 - our own program, without a shell
        command("script_check.py", language), input=json.dumps(codes).encode(), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=environment(), cwd="/", timeout=_CHECK_SECONDS, check=True,
        start_new_session=True,
    )  # fmt: skip
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return tuple(
        (answer.get("wrong"), answer.get("line"), answer.get("code", ""), tuple(answer.get("lines", ())))
        for answer in answers
    )
