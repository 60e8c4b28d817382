"""Reading the configuration's layers with pydantic-settings: file, environment and flags, each key with its origin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError, create_model
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from gpt_trader.adapters.configuration_sections import PREFIX, SECTIONS, RiskSettings, refuse_unknown
from gpt_trader.errors import UserError
from gpt_trader.risk import RiskLimits

Layer = tuple[str, Any]
"""A value and where it was set."""


class _Settings(BaseSettings):
    """The shape that pydantic-settings reads into; its fields are made from the dataclasses of the configuration."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", enable_decoding=False, extra="forbid"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings passes it by name
        init_settings: PydanticBaseSettingsSource,
        *_others: Any,
        **_named: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: the layers are read one by one, to know each key's origin."""
        return (init_settings,)


def read_layers(
    file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any], given_by: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """The value of each key that was set, in its right type, and each such key's origin.

    Raises UserError with one line for each thing that is wrong.
    """
    settings = _settings_class()
    found: dict[str, Layer] = {}
    for key, value, origin in (
        *_from_file(settings, file),
        *_from_environment(settings, environment),
        *((key, value, given_by) for key, value in flags.items()),
    ):
        refuse_unknown(key, origin)
        found[key] = (origin, value)
    try:
        checked = settings.model_validate(_nested(found))
    except ValidationError as problem:
        raise UserError("\n".join(_explained(problem, found))) from None
    values = {}
    for key in found:
        section, dot, name = key.partition(".")
        values[key] = getattr(getattr(checked, section), name) if dot else getattr(checked, section)
    return values, {key: origin for key, (origin, _) in found.items()}


def _settings_class() -> type[_Settings]:
    """`_Settings` with one field for each section."""
    sections: dict[str, Any] = {"runs_dir": (Path, Path("runs"))}
    for name, section in SECTIONS.items():
        kind = RiskLimits if section is RiskSettings else section
        hints = get_type_hints(kind, localns={"SecretStr": SecretStr})
        shape = {item.name: (_lenient(hints[item.name]), None) for item in fields(kind)}
        if section is RiskSettings:
            shape["profile"] = (str, None)
        config = ConfigDict(extra="forbid", allow_inf_nan=False)
        model: type[BaseModel] = create_model(f"{name}_section", __config__=config, **shape)  # type: ignore[call-overload]
        sections[name] = (model, model())
    return create_model("Settings", __base__=_Settings, **sections)


def _lenient(hint: Any) -> Any:
    """A type that also takes the word none where None is meant, and a text with commas where several are."""
    if NoneType in get_args(hint):
        return Annotated[hint, BeforeValidator(lambda given: None if _is_word(given, "none") else given)]
    if get_origin(hint) is tuple:
        return Annotated[hint, BeforeValidator(_split)]
    return hint


def _is_word(given: Any, word: str) -> bool:
    return isinstance(given, str) and given.strip().casefold() == word


def _split(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    return [part.strip() for part in given.split(",") if part.strip()]


def _from_file(settings: type[_Settings], file: Path | None) -> Iterator[tuple[str, Any, str]]:
    """Every key of the file, with its value and the file's name; secrets only from a private file."""
    if file is None:
        return
    try:
        content = TomlConfigSettingsSource(settings, toml_file=file).toml_data
    except (OSError, ValueError) as problem:
        raise UserError(f"configuration file {file} cannot be read: {problem}") from None
    for key, value in _flattened(content):
        if key.startswith("secrets.") and os.name == "posix" and file.stat().st_mode & 0o077:
            raise UserError(f"{file} holds {key} and others may read it; run: chmod 600 {file}")
        yield key, value, str(file)


def _from_environment(
    settings: type[_Settings], environment: Mapping[str, str]
) -> Iterator[tuple[str, Any, str]]:
    """Every variable with its key and value; an empty one counts as absent."""
    names = {name.lower(): name for name, value in environment.items() if value}
    keys = {name.removeprefix(PREFIX.lower()).replace("__", "."): name for name in names}
    source = EnvSettingsSource(settings)
    source.env_vars = {name: environment[original] for name, original in names.items()}
    values = dict(_flattened(source()))
    for key, name in keys.items():
        yield key, values.get(key), names[name]


def _flattened(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _nested(found: Mapping[str, Layer]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, (_, value) in found.items():
        section, dot, name = key.partition(".")
        if dot:
            nested.setdefault(section, {})[name] = value
        else:
            nested[section] = value
    return nested


def _explained(problem: ValidationError, found: Mapping[str, Layer]) -> Iterator[str]:
    """One line for each value of the wrong type; never with the content of a secret."""
    for error in problem.errors(include_url=False, include_context=False):
        key = next((key for key in found if tuple(key.split(".")) == error["loc"][: key.count(".") + 1]), "")
        given = "" if key.startswith("secrets.") else f" is {error['input']!r}"
        origin = found[key][0] if key else "the configuration"
        yield f"{key}{given} (set in {origin}): {error['msg'].lower()}"
