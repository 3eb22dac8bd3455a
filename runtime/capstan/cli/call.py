"""`call`: one call, and its answer on standard output."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from capstan.cli.options import UsageError, base_uris, environ_of, stand_ins
from capstan.errors import CallError
from capstan.plan.build import plan_file
from capstan.plan.types import CapabilityPlan, UnitPlan


def call(options: argparse.Namespace) -> int:
    from capstan.call.engine import open_engine
    from capstan.settings import read_settings

    plan, _ = plan_file(options.file, environ_of(options), base_uris(options))
    unit = _called(plan, options)
    arguments = _arguments(options.arguments, {item.name: item.schema for item in unit.inputs})
    settings = replace(read_settings(os.environ), stand_ins=stand_ins(options.sandbox_port) if options.sandbox else {})

    async def run() -> tuple[int, Any]:
        async with open_engine(settings) as engine:
            answer = await engine.units(plan)[id(unit)].call(arguments)
            if answer.response is None:
                return answer.status, answer.value if not answer.empty else dict(answer.headers)
            body = await answer.response.read(settings.max_parsed_bytes)
            answer.response.close()
            return answer.status, body or {"status": answer.status, **dict(answer.headers)}

    try:
        status, value = asyncio.run(run())
    except CallError as error:
        from capstan.call.problem import problem_of

        print(json.dumps(problem_of(error), ensure_ascii=False, indent=None if options.json else 2),
              file=sys.stdout if options.json else sys.stderr)  # fmt: skip
        return 1
    if isinstance(value, bytes):
        try:
            value = json.loads(value)
        except ValueError:
            sys.stdout.buffer.write(value)
            return 0
    print(json.dumps(value, ensure_ascii=False, indent=None if options.json else 2))
    if not options.json:
        print(f"status {status}", file=sys.stderr)
    return 0


def _called(plan: CapabilityPlan, options: argparse.Namespace) -> UnitPlan:
    """The operation, else the tool, else the resource of a name. What a prompt calls has no name of its own."""
    kinds: dict[str, list[UnitPlan]] = {
        "an operation": [operation.unit for adapter in plan.rest for operation in adapter.operations],
        "a tool": [tool.unit for adapter in plan.mcp for tool in adapter.tools],
        "a resource": [r.source for adapter in plan.mcp for r in adapter.resources if isinstance(r.source, UnitPlan)],
    }
    found = [(kind, unit) for kind, units in kinds.items() for unit in units if unit.name == options.unit]
    if not found:
        from capstan.load.schema import suggest

        names = dict.fromkeys(unit.name for units in kinds.values() for unit in units)
        raise UsageError(f"{options.file} has no '{options.unit}'; {suggest(options.unit, names)}")
    kind, unit = found[0]
    others = [other for other, one in found[1:] if _does(one) != _does(unit)]
    if others:
        also = " and ".join(dict.fromkeys("another" if other == kind else other for other in others))
        print(f"capstan: '{unit.name}' is called as {kind}; {also} of that name does something else", file=sys.stderr)
    return unit


def _does(unit: UnitPlan) -> tuple[object, ...]:
    """What a unit calls and answers, by whichever names its inputs go."""
    return tuple(call.operation for call in unit.calls), unit.shape


def _arguments(texts: Sequence[str], schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`KEY=text`, read as the input's type; `KEY:=json`; `KEY=@file`."""
    from capstan.errors import BindError
    from capstan.expose.arguments import read_json, reader_of
    from capstan.load.expression import match_name

    found: dict[str, Any] = {}
    for text in texts:
        written, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"'{text}' is not KEY=VALUE")
        is_json = written.endswith(":")
        key = written.removesuffix(":")
        key = match_name(key, schemas) or key  # `order_id` for a route's `order-id`
        try:
            if is_json:
                taken = read_json(value.encode())
            elif value.startswith("@"):
                taken = read_json(Path(value[1:]).read_bytes())
            else:
                taken = reader_of(schemas.get(key, {}))(value)
        except OSError as error:
            raise UsageError(f"{value[1:]} cannot be read: {error.strerror}") from error
        except BindError as error:
            raise UsageError(f"'{key}': {str(error).replace('the body', 'the value')}") from error
        except ValueError as error:
            raise UsageError(f"'{key}': '{value}' is not {error}") from error
        if key in found and isinstance(found[key], list) and isinstance(taken, list):
            found[key] += taken  # an array is given by repeating it
        elif key in found:
            raise UsageError(f"'{key}' is given twice")
        else:
            found[key] = taken
    return found
