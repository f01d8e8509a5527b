"""What dpkg is told of the package, and dpkg's own files in it."""

#: Written for a person who can be reached where the source is.
MAINTAINER = "xentool <xentool@packages.invalid>"
DEPENDS = (
    "python3 (>= 3.11)",
    "python3-click (>= 8.1)",
    "python3-construct (>= 2.10.68)",
    "python3-numpy (>= 1:1.24)",
    "python3-pyxs (>= 0.4.1)",
    "python3-rich (>= 12.4)",
)
#: What apt has of the extras; duckdb, pyarrow, perfetto and qemu.qmp come from PyPI alone.
RECOMMENDS = ("openssh-client",)
SUGGESTS = (
    "mmdebstrap",
    "python3-jinja2",
    "python3-libvirt",
    "python3-scapy",
    "python3-zstandard",
    "qemu-system-x86",
)
_DESCRIPTION = """\
hypercall tracer, tools and paravirtual drivers for Xen
 xentool shows what a Xen domain really does: its hypercalls with their
 sub-operations and batches, grant-table and event-channel traffic, page-table
 work, VM exits, and how it is scheduled. It traces any Xen host that is
 reached by ssh, reads any file that xentrace wrote, and what Linux records of
 KVM.
 .
 It also shows domains, devices and XenStore, serves disks and network
 interfaces to guests from userspace, judges PV drivers, and boots real Xen."""
POSTINST = """\
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    py3compile -p xentool
fi
"""
PRERM = """\
#!/bin/sh
set -e
py3clean -p xentool
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: xentool

Files: *
Copyright: 2026 The authors of xentool
License: GPL-2.0-or-later
 This program is free software; you can redistribute it and/or modify it under the
 terms of the GNU General Public License as published by the Free Software
 Foundation; either version 2 of the License, or (at your option) any later version.
 .
 On Debian systems the full text of version 2 is in
 /usr/share/common-licenses/GPL-2.
"""
SCRIPT = """\
#!/usr/bin/python3
import sys

from xentool.__main__ import main

sys.exit(main())
"""


def control(version: str, architecture: str, libraries: str, kib: int) -> str:
    """Return the package's control file.

    :param version: upstream's
    :param libraries: what compiled modules need, as dpkg-shlibdeps tells it
    :param kib: what it takes up when installed
    """
    return f"""\
Package: xentool
Version: {version}-1
Architecture: {architecture}
Maintainer: {MAINTAINER}
Installed-Size: {kib}
Depends: {", ".join((*DEPENDS, libraries))}
Recommends: {", ".join(RECOMMENDS)}
Suggests: {", ".join(SUGGESTS)}
Section: admin
Priority: optional
Description: {_DESCRIPTION}
"""


def changelog(version: str, day: str) -> str:
    """Return Debian's own changelog; ``day`` as RFC 2822 has it."""
    return f"""\
xentool ({version}-1) unstable; urgency=medium

  * Release {version}: see changelog.gz.

 -- {MAINTAINER}  {day}
"""
