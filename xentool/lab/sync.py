"""Brings a running lab's dom0 up to date with this checkout, without a restart."""

from pathlib import Path

from xentool.errors import XentoolError
from xentool.lab import releases, seed, status
from xentool.lab.image import Image, find
from xentool.lab.progress import SILENT, Progress
from xentool.lab.record import Lab


def sync(name: str | None = None, progress: Progress = SILENT) -> str:
    """Install this checkout's wheel, scripts and guest archive in a running lab; return the version that dom0 has now.

    Guests that run keep running what they were started with.
    """
    lab = status.running(name)
    files = seed.pack(seed.software(_image(lab), progress))
    progress.step(f"installing it in lab {lab.name}")
    host = lab.host()
    try:
        install = f"{releases.data('host-install.sh').decode()}xentool --version\n"
        return host.run(["sh", "-c", install, "sh", "-"], input=files).stdout.decode().strip()
    finally:
        host.close()


def _image(lab: Lab) -> Image:
    image = find(releases.RELEASES[lab.xen])
    if image is None or image.folder != Path(lab.image):
        raise XentoolError(f"what goes into the image changed since lab {lab.name} was started; start it anew")
    return image
