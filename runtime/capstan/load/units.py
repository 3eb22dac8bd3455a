"""The units of an adapter: all that calls something, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from capstan.load import model

Change = Callable[[model.Unit], model.Unit]


def units_of(adapter: model.Adapter) -> list[model.Unit]:
    """Every unit, in the order of its file, but for those that only complete an argument, which refer to nothing."""
    if isinstance(adapter, model.RestAdapter):
        return [operation.unit for operation in adapter.operations]
    found = [tool.unit for tool in adapter.tools]
    found += [resource.source for resource in adapter.resources if isinstance(resource.source, model.Unit)]
    for prompt in adapter.prompts:
        if not isinstance(prompt.messages, model.Written):
            found += [message.content for message in prompt.messages if isinstance(message.content, model.Unit)]
    return found


def with_units(adapter: model.Adapter, change: Change) -> model.Adapter:
    """The adapter with another unit in the place of each."""
    if isinstance(adapter, model.RestAdapter):
        return replace(adapter, operations=tuple(replace(o, unit=change(o.unit)) for o in adapter.operations))
    return replace(
        adapter,
        tools=tuple(replace(tool, unit=change(tool.unit)) for tool in adapter.tools),
        resources=tuple(_resource(resource, change) for resource in adapter.resources),
        prompts=tuple(_prompt(prompt, change) for prompt in adapter.prompts),
    )


def _resource(resource: model.McpResource, change: Change) -> model.McpResource:
    completions = tuple((name, _completion(said, change)) for name, said in resource.completions)
    source = change(resource.source) if isinstance(resource.source, model.Unit) else resource.source
    return replace(resource, source=source, completions=completions)


def _completion(said: model.Completion, change: Change) -> model.Completion:
    return replace(said, source=change(said.source)) if isinstance(said.source, model.Unit) else said


def _argument(argument: model.PromptArgument, change: Change) -> model.PromptArgument:
    if argument.completion is None:
        return argument
    return replace(argument, completion=_completion(argument.completion, change))


def _prompt(prompt: model.McpPrompt, change: Change) -> model.McpPrompt:
    prompt = replace(prompt, arguments=tuple(_argument(argument, change) for argument in prompt.arguments))
    if isinstance(prompt.messages, model.Written):
        return prompt
    messages = tuple(
        replace(message, content=change(message.content)) if isinstance(message.content, model.Unit) else message
        for message in prompt.messages
    )
    return replace(prompt, messages=messages)
