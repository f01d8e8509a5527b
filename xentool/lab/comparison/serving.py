"""A disk that this program serves in a lab's dom0, for a guest that has one of xl's besides."""

from xentool.hosts import Host

#: As the guest calls it.
DEVICE = "/dev/xvdb"
_FILES = "/var/lib/xentool/compare-served"
_VDEV = 202 << 8 | 16
#: Each grant is used for one request, as of the other backends: kept pages would be mapped once.
_BEGIN = """
truncate -s 64M "$1.img"
setsid xentool block serve --domain "$2" --disk "$1.img,vdev=xvdb" --no-persistent </dev/null >"$1.log" 2>&1 &
echo $! >"$1.pid"
tries=600
until [ "$(xenstore-read "/local/domain/$2/device/vbd/$3/state" 2>/dev/null)" = 4 ]; do
    tries=$((tries - 1))
    if [ $tries = 0 ] || [ ! -d "/proc/$(cat "$1.pid")" ]; then tail -n 1 "$1.log" >&2; exit 1; fi
    sleep 0.2
done
"""
_END = 'kill "$(cat "$1.pid")" 2>/dev/null; rm -f "$1.img" "$1.log" "$1.pid"'


def begin(host: Host, domid: int) -> None:
    """Serve a disk, and wait until the guest is connected to it.

    :raises XentoolError: that did not come
    """
    host.run(["sh", "-c", _BEGIN, "sh", _FILES, str(domid), str(_VDEV)])


def end(host: Host) -> None:
    """Serve it no longer."""
    host.run(["sh", "-c", _END, "sh", _FILES])
