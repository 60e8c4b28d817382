"""A process that runs modules in folders, each in a child of its own: asked and answered in lines of JSON (`tests/e2e/recipes.py`).

Others' packages are imported once, before the first child; nothing of GPT-Trader is, so each child has that of its folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import sys
import tempfile
import traceback
from importlib import import_module
from types import CodeType

OTHERS = (
    "pytest", "numpy", "pandas", "pyarrow.parquet", "numba", "typer", "rich.table", "rich.console", "jinja2",
    "sqlalchemy", "pydantic_settings", "requests",
)  # fmt: skip


def work(folder: str, module: str, *arguments: str) -> object:
    """Run a module, or with `-c` a program, as its own process would in `folder`."""
    os.chdir(folder)
    sys.path[0] = folder
    sys.argv = [module, *arguments]
    if module == "pytest":
        return import_module("pytest").main(list(arguments))
    if module == "-c":
        program: CodeType = compile(arguments[0], "program", "exec")
        exec(program, {"__name__": "__main__"})  # noqa: S102 - the text of a test
    else:
        runpy.run_module(module, run_name="__main__")
    return 0


def answer(asked: list[str]) -> tuple[int, str]:
    """Exit code and output of one question, in a child."""
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            code = 1
            try:
                code = int(work(*asked) or 0)  # type: ignore[call-overload]
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            except BaseException:
                traceback.print_exc()
            finally:
                for stream in (sys.stdout, sys.stderr):
                    with contextlib.suppress(OSError, ValueError):
                        stream.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read()


if __name__ == "__main__":
    for name in OTHERS:
        import_module(name)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
