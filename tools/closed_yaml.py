"""Read a closed settings file: a name nobody knows, a value nobody could mean, a key given twice stops here."""

from __future__ import annotations

from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tools.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


class _OnceLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, where YAML would quietly keep the last."""

    what: str

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise ConfigError(
                    f"{self.what} file: {key} is given twice (line {key_node.start_mark.line + 1}); keep one",
                    code=f"{self.what}_duplicate",
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_closed(text: str, model: type[Model], what: str) -> Model:
    """Parse YAML into a closed model; `what` names the file in messages and codes.

    Raises ConfigError: `<what>_unreadable` (not YAML, not a mapping), `<what>_duplicate`, `<what>_invalid` (unknown,
    missing or impossible field, with its value).
    """
    loader = type("Loader", (_OnceLoader,), {"what": what})
    try:
        raw = yaml.load(text, Loader=loader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{what} file is not YAML: {error}", code=f"{what}_unreadable") from error
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{what} file holds {type(raw).__name__}, not fields; start from the shipped {what}.yaml",
            code=f"{what}_unreadable",
        )
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{what} file: " + "; ".join(_problems(error)), code=f"{what}_invalid") from error


def _problems(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in item['loc'])} = {item['input']!r}: {item['msg']}"
        if item["type"] != "missing"
        else f"{'.'.join(str(part) for part in item['loc'])} is missing"
        for item in error.errors(include_url=False)
    ]
