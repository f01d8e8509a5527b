"""The Debian package, made of the wheel by dpkg-deb: one for Debian 12 and 13.

debhelper would build the modules anew for each, by a setuptools (77) that Debian 12 does not have. These are of the
limited API, and serve Python 3.11 and 3.13 as they are; of what dh_python3 does, two lines of scripts are left.
"""

from release.debian.package import build

__all__ = ["build"]
