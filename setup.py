"""Compiles the hot paths against Python's limited API: one wheel serves every dom0's Python from 3.11 on."""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

LIMITED_API = "0x030B0000"

extensions = [
    Extension(
        name,
        [name.replace(".", "/") + ".pyx"],
        define_macros=[("Py_LIMITED_API", LIMITED_API)],
        py_limited_api=True,
        extra_compile_args=["-O3"],
    )
    for name in (
        "traces.xen.decode.tokenize",
        "traces.counting.fold",
        "traces.xen.lane",
        "traces.exporters.parquet.alike",
        "traces.exporters.parquet.encode",
        "pvdrivers.ring.engine",
        "pvdrivers.ring.logged",
        "pvdrivers.block.back.plain.core",
        "pvdrivers.block.back.plain.kept",
        "pvdrivers.block.back.plain.transient",
        "pvdrivers.block.load.makers",
        "pvdrivers.transport.xen.grants",
    )
]

setup(
    ext_modules=cythonize(extensions, build_dir="build/cython", annotate=False),
    options={"bdist_wheel": {"py_limited_api": "cp311"}, "build_ext": {"parallel": os.cpu_count()}},
)
