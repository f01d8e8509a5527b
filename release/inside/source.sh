# In a clean Debian that has Python and a compiler: the wheel from the source distribution alone, and from that a report.
cd "$(dirname "$0")"
python3 --version
python3 -m venv builder
builder/bin/pip wheel -q --no-deps -w wheel xentool-*.tar.gz
ls wheel

python3 -m venv fresh
fresh/bin/pip install -q wheel/xentool-*-cp311-abi3-*.whl
fresh/bin/xentool --version
fresh/bin/xentool report xen-4.17-pv1.xentrace.xz >report
grep multicall report
test -s fresh/share/man/man1/xentool-lab-up.1
test -s fresh/share/bash-completion/completions/xentool
