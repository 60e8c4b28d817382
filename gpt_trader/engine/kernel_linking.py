"""Kernels as parts of other kernels: typed and lowered once, optimised and made machine code only where Python calls.

numba compiles every function for itself: with an entry for Python, optimised, and as machine code; and does so again within each
function that calls it, however deep. A kernel that other kernels call needs none of that for itself. Its part is the plain LLVM
code of its body, kept on disk; the kernel that Python calls links all the parts it needs, and LLVM sees them once.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba.core import codegen as numba_codegen
from numba.core import compiler, serialize
from numba.core.codegen import JITCodeLibrary
from numba.core.registry import CPUDispatcher


class PartLibrary(JITCodeLibrary):
    """LLVM code that is never run from here: nothing is optimised or translated, only linked into others."""

    def finalize(self) -> None:
        """Close the library as it is."""
        self._raise_if_finalized()
        self._finalized = True

    def with_all_it_calls(self) -> list[Any]:
        """This library and those that it calls, each once."""
        return [self, *dict.fromkeys(self._linking_libraries)]

    def as_bitcode(self) -> bytes:
        """The code of this library and of all that it calls."""
        module = self._get_module_for_linking().clone()
        for library in self.with_all_it_calls()[1:]:
            module.link_in(library._get_module_for_linking(), preserve=True)
        bitcode: bytes = module.as_bitcode()
        return bitcode

    @classmethod
    def of_bitcode(cls, codegen: Any, name: str, bitcode: bytes) -> PartLibrary:
        """A library that was kept."""
        library = cls(codegen, name)
        llvm: Any = vars(numba_codegen)["ll"]  # llvmlite.binding
        library._final_module = llvm.parse_bitcode(bitcode)
        library._finalized = True
        return library


class PartCompiler(compiler.Compiler):
    """numba's compiler as far as LLVM code."""

    def compile_extra(self, function: Callable[..., Any]) -> Any:
        """Compile without an entry point."""
        self.state.flags.no_compile = True
        self.state.flags.no_cpython_wrapper = True
        self.state.flags.no_cfunc_wrapper = True
        self.state.library = PartLibrary(self.state.targetctx.codegen(), function.__qualname__)
        return super().compile_extra(function)


class PartDispatcher(CPUDispatcher):
    """A kernel as other kernels call it: one part for each list of argument types, read from `folder` or compiled."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any], folder: Path) -> None:
        super().__init__(function, targetoptions={**options, "nopython": True}, pipeline_class=PartCompiler)
        self._cache = PartFiles(function, options, folder)

    def add_overload(self, compiled: Any) -> None:
        """Make a part known to numba: its callers link it and all that it calls."""
        key = object()
        self.targetctx.insert_user_function(key, compiled.fndesc, compiled.library.with_all_it_calls())
        self.overloads[tuple(compiled.signature.args)] = compiled._replace(entry_point=key)


class PartFiles:
    """Parts of one kernel on disk, one file for each list of argument types; what cannot be read or written is compiled again."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any], folder: Path) -> None:
        self.folder, self.options = folder, options
        self.stem = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The part for these types, None when there is none."""
        context.refresh()
        try:
            with self._path(signature, context.codegen()).open("rb") as file:
                name, descriptor, typed, bitcode = pickle.load(file)  # noqa: S301 - our own, as trusted as the sources beside it
        except Exception:  # absent, cut short, or of another state of the packages
            return None
        return compiler.compile_result(
            typing_context=None, target_context=context, entry_point=None, fndesc=descriptor, signature=typed, objectmode=False,
            library=PartLibrary.of_bitcode(context.codegen(), name, bitcode), metadata=None, lifted=(), reload_init=(),
            typing_error=None, type_annotation=None, call_helper=None, environment=None, referenced_envs=(),
        )  # fmt: skip

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep a part; two processes may do so at once."""
        descriptor = compiled.fndesc
        descriptor.typemap = descriptor.calltypes = None
        content = serialize.dumps(
            (compiled.library.name, descriptor, compiled.signature, compiled.library.as_bitcode())
        )
        with suppress(OSError):
            write_file(self._path(signature, compiled.library.codegen), content)

    def _path(self, signature: Any, codegen: Any) -> Path:
        said = repr((str(signature), sorted(self.options.items()), codegen.magic_tuple()))
        return self.folder / "parts" / f"{self.stem}-{sha256(said.encode()).hexdigest()[:24]}"


def write_file(path: Path, content: bytes) -> None:
    """Write a file that others see whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        part.chmod(path.parent.stat().st_mode & 0o666)  # mkstemp's are for one user alone
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def call_by_parts(kernel: Any, options: dict[str, Any], folder: Path, plain: Callable[[Any], Any]) -> None:
    """Let other kernels call the part of `kernel`, whose argument types are first made `plain`."""
    part = PartDispatcher(kernel.py_func, options, folder)

    def template(arguments: Iterable[Any], keywords: dict[str, Any]) -> Any:
        return part.get_call_template(
            tuple(map(plain, arguments)), {name: plain(item) for name, item in keywords.items()}
        )

    kernel.get_call_template = template
    kernel.get_overload = part.get_overload
