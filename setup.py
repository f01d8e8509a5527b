"""Compiles the hot paths against Python's limited API: one wheel serves every dom0's Python from 3.11 on.

A checkout has Cython write their C. A source distribution brings it, with manual pages and what completes for shells,
in ``made``: it is built without Cython, which in Debian 12 is too old.
"""

import os
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

LIMITED_API = "0x030B0000"

#: Flags of code objects, the same in every Python since 3.6 (CPython's Include/cpython/code.h).
CODE_FLAGS = {
    "CO_OPTIMIZED": "0x0001",
    "CO_NEWLOCALS": "0x0002",
    "CO_VARARGS": "0x0004",
    "CO_VARKEYWORDS": "0x0008",
    "CO_GENERATOR": "0x0020",
    "CO_COROUTINE": "0x0080",
    "CO_ASYNC_GENERATOR": "0x0200",
}
#: Under the limited API, what Cython writes imports `inspect` whenever a module is loaded, to read these flags there
#: (Cython/Utility/ModuleSetupCode.c, __Pyx_init_co_variables). That took a tenth of a small trace's report. Where they
#: are defined nothing is read, and the import can give nothing.
WITHOUT_INSPECT = """\
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>
static inline PyObject *imported(const char *name) {
    return strcmp(name, "inspect") == 0 ? Py_NewRef(Py_None) : PyImport_ImportModule(name);
}
#define PyImport_ImportModule imported
"""

#: What a source distribution has that a checkout does not keep.
MADE = Path("made")
#: Where `make dist` leaves manual pages and completions, laid out as below a prefix.
SHARE = Path("build", "share")

MODULES = (
    "traces.xen.decode.tokenize",
    "traces.counting.fold",
    "traces.counting.line",
    "traces.xen.lane",
    "traces.kvm.counted",
    "traces.kvm.decode.samples",
    "traces.kvm.decode.streams",
    "traces.exporters.parquet.alike",
    "traces.exporters.parquet.encode",
    "pvdrivers.ring.engine",
    "pvdrivers.ring.logged",
    "pvdrivers.block.back.plain.core",
    "pvdrivers.block.back.plain.kept",
    "pvdrivers.block.back.plain.transient",
    "pvdrivers.block.load.makers",
    "pvdrivers.conformance.flips",
    "pvdrivers.net.plain",
    "pvdrivers.net.back.plain.sent",
    "pvdrivers.net.back.plain.passed",
    "pvdrivers.net.front.pool",
    "pvdrivers.net.front.plain.sending",
    "pvdrivers.net.front.plain.receiving",
    "pvdrivers.net.load.lanes",
    "pvdrivers.net.ports.plain.line",
    "pvdrivers.net.ports.plain.single",
    "pvdrivers.net.ports.plain.batched",
    "pvdrivers.net.ports.plain.kept",
    "pvdrivers.transport.loopback.copies",
    "pvdrivers.transport.xen.grants",
)


class Told(build_ext):
    """Compiles, and tells how far it is."""

    def build_extensions(self) -> None:
        """Compile all of them."""
        self.compiled: list[str] = []
        # Nothing of the Python that compiles is needed: whoever loads a module has all of its own.
        self.compiler.linker_so = [word for word in self.compiler.linker_so if not word.startswith("-Wl,-rpath")]
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        """Compile one."""
        super().build_extension(ext)
        self.compiled.append(ext.name)
        print(f"compiled {len(self.compiled)} of {len(self.extensions)}: {ext.name}", flush=True)  # noqa: T201 - to pip


class WithMade(sdist):
    """Adds what is made to a source distribution."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Lay out the distribution; FileNotFoundError if `make dist` has not made the manual pages."""
        super().make_release_tree(base_dir, files)
        made = Path(base_dir, MADE)
        shutil.copytree(SHARE, made / "share")
        for extension in self.distribution.ext_modules:
            (written,) = map(Path, extension.sources)
            target = made / "cython" / module_path(extension.name, ".c")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(written, target)


def module_path(name: str, suffix: str) -> Path:
    """Return a module's file below its top."""
    return Path(*name.split(".")).with_suffix(suffix)


def extensions() -> list[Extension]:
    """Return the compiled modules, as C."""
    first = Path("build", "without_inspect.h")
    first.parent.mkdir(exist_ok=True)
    first.write_text(WITHOUT_INSPECT)
    written = MADE.is_dir()
    modules = [
        Extension(
            name,
            [str(MADE / "cython" / module_path(name, ".c") if written else module_path(name, ".pyx"))],
            define_macros=[("Py_LIMITED_API", LIMITED_API), *CODE_FLAGS.items()],
            py_limited_api=True,
            extra_compile_args=["-O3", "-include", str(first)],
            depends=["setup.py"],
        )
        for name in MODULES
    ]
    if written:
        return modules
    from Cython.Build import cythonize  # noqa: PLC0415 - a source distribution is built without it

    return cythonize(modules, build_dir="build/cython", annotate=False)


def shared() -> list[tuple[str, list[str]]]:
    """Return manual pages and completions by the folder below the prefix that they belong into."""
    files = sorted(path for path in (MADE / "share").rglob("*") if path.is_file())
    return [(str(path.parent.relative_to(MADE)), [str(path)]) for path in files]


setup(
    ext_modules=extensions(),
    data_files=shared(),
    cmdclass={"build_ext": Told, "sdist": WithMade},
    options={"bdist_wheel": {"py_limited_api": "cp311"}, "build_ext": {"parallel": os.cpu_count()}},
)
