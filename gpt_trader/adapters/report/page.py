"""The frame of every report page: template, style and scripts as one self-contained file, written whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt_trader.adapters.report import texts
from gpt_trader.errors import BadParameter

if TYPE_CHECKING:
    from jinja2 import Environment

UPLOT = "1.6.32"
SHARED_BEFORE, SHARED_AFTER = ("axis.js", "chart.js"), ("page.js",)


def render_page(
    template: str, script: str | Sequence[str], content: Mapping[str, Any], style: str = ""
) -> str:
    """The page of `template`, which extends page.html.j2, drawn by `script`, one or several; the same content gives the
    same text. `style` is a sheet of its own beside report.css.

    `content` has what the template shows and `payload`, the JSON (see `script_json`) that the scripts draw.
    """
    return (
        _environment()
        .get_template(template)
        .render(**_assets((script,) if isinstance(script, str) else tuple(script), style), **content)
    )


def write_page(text: str, path: str | os.PathLike[str]) -> Path:
    """Write a page to `path`, whole or not at all, and return the path; missing folders are made.

    Raises BadParameter when the path is a folder or cannot be written.
    """
    target = check_place(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as part:
            part.write(text.encode("utf-8"))
        Path(part.name).chmod(0o644)
        Path(part.name).replace(target)
    except OSError as error:
        raise BadParameter(
            f"report: cannot write {target}: {error.strerror}; choose another place"
        ) from error
    return target


def check_place(path: str | os.PathLike[str]) -> Path:
    """`path`. Raises BadParameter when it is a folder."""
    target = Path(path)
    if target.is_dir():
        raise BadParameter(
            f"report: {target} is a folder; give the name of a file such as {target / 'report.html'}"
        )
    return target


def script_json(value: Any) -> Any:
    """JSON that may stand inside a script element: nothing in it can end the element or begin a comment."""
    from markupsafe import Markup

    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("gpt_trader.adapters.report", package_path="")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cash"] = texts.cash
    return environment


@lru_cache(maxsize=8)
def _assets(scripts: tuple[str, ...], sheet: str) -> Mapping[str, Any]:
    """Style and scripts as trusted markup, and the hashes by which the page's policy lets only these scripts run."""
    from markupsafe import Markup

    folder = resources.files("gpt_trader.adapters.report")

    def read(name: str) -> str:
        return folder.joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")

    licence = read("vendor/LICENSE-uPlot.txt")
    library = f"/*! uPlot {UPLOT}\n{licence}\n*/\n" + read("vendor/uPlot.iife.min.js")
    parts = (*SHARED_BEFORE, *scripts, *SHARED_AFTER)
    ours = '(() => {\n"use strict";\n' + "\n".join(read(name) for name in parts) + "})();\n"
    return {
        "uplot": UPLOT,
        "style": Markup("\n".join(map(read, ("vendor/uPlot.min.css", "report.css", *filter(None, [sheet]))))),
        "library": Markup(library),
        "script": Markup(ours),
        "script_hashes": Markup(" ".join(f"'{_hash(text)}'" for text in (library, ours))),
    }


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
