"""`validate` and `explain`: what can be said of files alone."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Final

from capstan.cli.options import UsageError, count_of_files
from capstan.errors import LoadError, Problem, in_file_order
from capstan.explained.page import print_explained
from capstan.load.files import find_files
from capstan.plan.build import plan_file
from capstan.plan.explain import explain
from capstan.terminal import print_problems

_MOST_SHOWN: Final = 10


def validate(options: argparse.Namespace) -> int:
    found, passed = find_files(options.paths)
    problems: list[Problem] = []
    plans = []
    wrong: set[str] = set()
    for path in found:
        try:
            plan, warnings = plan_file(path)
        except LoadError as error:
            problems += error.problems
            wrong.add(str(path))  # whatever file the problems are of
        else:
            plans.append(plan)
            problems += warnings
    if options.together:
        from capstan.plan.site import join_plans

        try:
            problems += join_plans(plans)[1]
        except LoadError as error:
            problems += error.problems
    problems = in_file_order(problems, found)
    failed = any(problem.severity == "error" for problem in problems)
    if options.json:
        print(json.dumps([problem.as_json() for problem in problems], ensure_ascii=False, indent=2))
        return int(failed)
    print_problems(problems)
    wrong |= {problem.at.file for problem in problems if problem.severity == "error"} & set(map(str, found))
    for path in passed:
        print(f"{path} is no capability file and is passed over", file=sys.stderr)
    print(f"{count_of_files(len(found))}: {len(found) - len(wrong)} right, {len(wrong)} wrong", file=sys.stderr)
    return int(failed)


def explain_file(options: argparse.Namespace) -> int:
    if Path(options.file).is_dir():
        inside = find_files([options.file])[0]
        shown = "".join(f"\n  capstan explain {file}" for file in inside[:_MOST_SHOWN])
        more = f"\n  and {len(inside) - _MOST_SHOWN} more" if len(inside) > _MOST_SHOWN else ""
        raise UsageError(f"{options.file} is a folder; give one file:{shown}{more}")
    plan, warnings = plan_file(options.file, settings=os.environ)
    told = explain(plan)
    if options.json:
        print(json.dumps(told, ensure_ascii=False, indent=2, default=str))
        return 0
    print_problems(warnings)
    print_explained(told)
    return 0
