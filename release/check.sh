#!/bin/sh
# Tries what `make dist` made in clean Debian 12 and 13, from nothing else: the source distribution and the Debian package.
# Words: SUITE... ; needs mmdebstrap and, for lintian, lintian. Any user with subordinate ids can run it.
set -eu
cd "$(dirname "$0")/.."

lintian --fail-on error dist/*.deb

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp dist/*.tar.gz dist/*.deb tests/captures/xen-4.17-pv1.xentrace.xz release/inside/*.sh "$work"

# Runs the script $2 in a new root of suite $1 that has the packages $3, and of this machine its certificates alone.
try() {
    echo "== $1: $2"
    mmdebstrap --quiet --variant=minbase --include="ca-certificates,$3" \
        --customize-hook='upload /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt' \
        --customize-hook="copy-in $work /" \
        --customize-hook="chroot \"\$1\" sh -eux /$(basename "$work")/$2" \
        "$1" /dev/null
}

for suite; do
    try "$suite" source.sh python3,python3-venv,python3-dev,gcc,libc6-dev
    try "$suite" debian.sh man-db,bash-completion
done
