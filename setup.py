"""Compiles the hot paths against Python's limited API: one wheel serves every dom0's Python from 3.11 on."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

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

first = Path("build", "without_inspect.h")
first.parent.mkdir(exist_ok=True)
first.write_text(WITHOUT_INSPECT)

extensions = [
    Extension(
        name,
        [name.replace(".", "/") + ".pyx"],
        define_macros=[("Py_LIMITED_API", LIMITED_API), *CODE_FLAGS.items()],
        py_limited_api=True,
        extra_compile_args=["-O3", "-include", str(first)],
        depends=["setup.py"],
    )
    for name in (
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
]

setup(
    ext_modules=cythonize(extensions, build_dir="build/cython", annotate=False),
    options={"bdist_wheel": {"py_limited_api": "cp311"}, "build_ext": {"parallel": os.cpu_count()}},
)
