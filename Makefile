# Everything a newcomer runs: `make demo`, then `make test`. All set-up is included, and skipped when done.

PYTHON ?= python3
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
BIN := .venv/bin

# What Debian brings, and what needs it: python, the compiled core | the lab's machine and its disks | its image | its
# control | libvirt's binding, built | manual pages.
PACKAGES := \
	python3-venv python3-dev gcc \
	qemu-system-x86 qemu-utils \
	mmdebstrap uidmap debian-archive-keyring e2fsprogs \
	openssh-client iproute2 \
	libvirt-dev pkg-config \
	man-db

# What tests need besides, and nobody else waits for: oracles, browser and archivers | those of captures | whom block
# devices are held against | what `vagrant up` by libvirt takes.
TEST_PACKAGES := \
	xen-utils-4.17 libxen-dev vagrant vagrant-libvirt systemd chromium libvirt-clients mandoc cpio dpkg-dev \
	tshark tcpdump trace-cmd linux-perf \
	nbdkit fio \
	libvirt-daemon-system dnsmasq-base iptables

# Whom `make bench` compares with as well.
BENCH_PACKAGES := iperf3 passt dpdk-dev librte-net-vhost23 librte-net-virtio23 librte-mempool-ring23

define install
@missing=""; for package in $(1); do \
	dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q '^install ok installed' || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
	echo "Installing Debian packages:$$missing"; \
	$(SUDO) apt-get update -q && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
fi
endef

# All that the program can use.
EXTRAS := export,sql,html,libvirt,lab,net,zstd,fleet,s3

# Brings the libraries of one group of pyproject.toml, and nothing of xentool itself.
define libraries
@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$(1)"], sep="\n")' >$@.txt
@sh release/shown.sh $@.log $(BIN)/python -m pip install -r $@.txt
endef

COMPILED := $(shell find traces pvdrivers -name '*.pyx' -o -name '*.pxd')

.PHONY: help setup demo test test-all check bench conformance captures docs dist dist-check clean

help:
	@echo "make demo      boot real Xen and trace a domU on it (all set-up included)"
	@echo "make test      run every test, those on real Xen too"
	@echo "make test-all  the same, and long scenarios on every Xen with every type of guest"
	@echo "make check     ruff, mypy, import-linter, and the tests that need no lab"
	@echo "make setup     Debian packages, those of the tests too, .venv, compiled core; leaves $(BIN)/xentool"
	@echo "make bench     compare with peers; run nothing else meanwhile"
	@echo "make conformance  every case of the kit at its fullest, on our own drivers; then on those of the lab"
	@echo "make captures  make the tests' captures anew, in the lab"
	@echo "make docs      the documents as a site, in build/site"
	@echo "make dist      what is released, in dist: source distribution, wheel, Debian package"
	@echo "make dist-check  the same, tried in clean Debian 12 and 13"

setup: .venv/tests

# Installed by a path (compat), not by a hook that every start of Python would import.
.venv/ready: pyproject.toml setup.py Makefile $(COMPILED)
	$(call install,$(PACKAGES))
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing libraries into .venv, and compiling: about two minutes; all that is said goes to .venv/setup.log"
	@sh release/shown.sh .venv/tools.log $(BIN)/python -m pip install "setuptools>=77" "Cython>=3.1" wheel
	@sh release/shown.sh .venv/setup.log $(BIN)/python -m pip install -v --no-build-isolation --config-settings editable_mode=compat -e ".[$(EXTRAS)]"
	$(BIN)/python -m compileall -q traces pvdrivers xentool
	$(BIN)/xentool man --to .venv/share/man/man1
	touch $@

.venv/tests: .venv/ready Makefile
	$(call install,$(TEST_PACKAGES))
	$(call libraries,dev)
	touch $@

# Who only wants to look waits for a third of the packages, and for half of the libraries.
demo: .venv/ready
	@sh tests/demo.sh $(BIN)/xentool demo

# Ends with a table of where the time went.
test: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.run $(WHOLE)

test-all:
	@$(MAKE) --no-print-directory test WHOLE=--whole
	@echo "make test-all last passed here on $$(date -I), at $$(git describe --always --dirty)" | tee .venv/test-all

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto --dist worksteal -m "not lab"

bench: .venv/bench
	$(BIN)/python -m tests.bench.report
	$(BIN)/python -m tests.bench.kvm
	$(BIN)/python -m tests.bench.fleet
	$(BIN)/python -m tests.bench.store
	$(BIN)/python -m tests.bench.block
	$(BIN)/python -m tests.bench.net
	$(BIN)/python -m tests.bench.block_xen
	$(BIN)/python -m tests.bench.net_xen
	$(BIN)/python -m tests.bench.live
	$(BIN)/python -m tests.bench.hostile
	@cat .venv/test-all 2>/dev/null || echo "make test-all has not passed here"

.venv/bench: .venv/tests Makefile
	$(call install,$(BENCH_PACKAGES))
	touch $@

conformance: setup
	$(BIN)/xentool conformance block-backend block-frontend net-backend net-frontend --full --junit build/conformance.xml --html build/conformance.html
	$(BIN)/python -m tests.verdicts.make
	$(BIN)/python -m tests.docs.verdicts

captures: setup
	$(BIN)/python -m tests.captures.make

docs: .venv/docs
	$(BIN)/python -m tests.docs.site

# What the site alone needs is not brought by `make setup`, which everybody waits for.
.venv/docs: .venv/ready
	$(call libraries,docs)
	touch $@

dist: .venv/dist
	$(BIN)/python -m release

dist-check: dist
	$(call install,lintian)
	@sh release/check.sh bookworm trixie

.venv/dist: .venv/ready
	$(call install,dpkg-dev)
	$(BIN)/python -m pip install -q "abi3audit>=0.0.26"
	touch $@

clean:
	rm -rf .venv build dist demo *.egg-info
	find traces pvdrivers -name '*.so' -delete
