"""What a person sees of problems and plans in a terminal; plain in a pipe."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from capstan.errors import Problem

_RED, _YELLOW, _BOLD, _DIM, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


def print_problems(problems: Sequence[Problem], *, brief: bool = False) -> None:
    for problem in problems:
        text = str(problem).partition("\n")[0] if brief else str(problem)
        if _coloured():
            first, _, rest = text.partition("\n")
            colour = _RED if problem.severity == "error" else _YELLOW
            text = f"{colour}{first}{_PLAIN}" + (f"\n{rest}" if rest else "")
        print(text, file=sys.stderr)


def _coloured() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ


def bold(text: str) -> str:
    return f"{_BOLD}{text}{_PLAIN}" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def _dim(text: str) -> str:
    return f"{_DIM}{text}{_PLAIN}" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def print_unit(name: str, unit: Mapping[str, Any], *, places: bool) -> None:
    print(f"  {bold(name)}  {_dim(unit['effect'])}")
    for key, item in unit["inputs"].items():
        kind = item["schema"].get("type", "any")
        told = [kind if isinstance(kind, str) else "|".join(kind), "required" if item["required"] else "optional"]
        if places:
            told.append(f"from {item['in']}")
        print(f"      {key}: {', '.join(told)}")
    call = unit["call"]
    for step in unit.get("steps", ()):
        _print_step(step)
    if call is not None:
        _print_call(call)
    elif "steps" not in unit:
        print("      -> no call: the answer is all in the file")
    for answer in (unit.get("mappings", "as it comes"), unit["answer"]):
        if answer != "as it comes":
            print(f"      <- {json.dumps(answer, ensure_ascii=False, default=str)}")


def print_forward(forward: Mapping[str, Any]) -> None:
    but = f" but {', '.join(forward['not'])}" if "not" in forward else ""
    print(f"  {bold(forward['route'])}  {_dim('forward')}")
    print(f"      -> any method{but} to {forward['url']}")
    print(f"      with the caller's headers: {', '.join(forward['trusted']) or 'none'}")


def print_resource(resource: Mapping[str, Any]) -> None:
    if "files" not in resource:
        print_unit(resource["resource"], resource, places=False)
        return
    print(f"  {bold(resource['resource'] + '/...')}  {_dim('read')}")
    print(f"      -> the files in {resource['files']}")


def print_prompt(prompt: Mapping[str, Any]) -> None:
    print(f"  {bold(prompt['prompt'])}  {_dim('prompt')}")
    for name, argument in prompt["arguments"].items():
        print(f"      {name}: string, {'required' if argument['required'] else 'optional'}")
    for message in prompt["messages"]:
        if "text" in message:
            text = " ".join(message["text"].split())
            print(f"      {message['role']}: {text if len(text) <= 100 else text[:96] + ' ...'}")
        else:
            print_unit(message["role"], message, places=False)


def _print_step(step: Mapping[str, Any]) -> None:
    told = [f"when {step['when']}"] if "when" in step else []
    if (loop := step.get("foreach")) is not None:
        told.append(f"for each of {loop['items']}, {loop['concurrency']} at a time")
    print(f"      {', '.join([step['step'], *told])}:")
    if "lookup" in step:
        print(f"      -> looks up {', '.join(step['lookup'])} in {step['in']}, where {step['where']}")
    elif "assert" in step:
        print(f"      -> goes on only if {step['assert']}")
    elif "script" in step:
        print(f"      -> runs {', '.join(step['script'])} ({step['language']})")
    else:
        _print_call(step)


def _print_call(call: Mapping[str, Any]) -> None:
    print(f"      -> {call['method']} {call['url']}")
    for part in ("query", "headers", "cookies"):
        for key, value in call.get(part, {}).items():
            print(f"         {part.rstrip('s')} {key}: {value}")
    if "body" in call:
        shown = {key: value for key, value in call["body"].items() if key != "kind"}
        print(f"         body {call['body']['kind']}: {json.dumps(shown, ensure_ascii=False, default=str)}")
