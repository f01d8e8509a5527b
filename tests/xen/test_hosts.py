"""Hosts behind ssh, on a real dom0."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.xen.labs import Lab, one_xen
from xentool.errors import XentoolError
from xentool.hosts import resolve
from xentool.tools import xl

pytestmark = pytest.mark.lab


@one_xen
def test_words_input_and_failures_cross_the_connection(lab: Lab, tmp_path: Path) -> None:
    with closing(resolve(lab.host)) as host:
        assert host.run(["printf", "%s|", "a b", "$HOME", "'\"", "*"]).stdout == b"a b|$HOME|'\"|*|"
        assert host.run(["cat"], input=bytes(range(256))).stdout == bytes(range(256))
        assert host.run(["sh", "-c", "exit 255"], check=False).returncode == 255
        with pytest.raises(XentoolError, match=r"^ls failed on lab:.*No such file"):
            host.run(["ls", "/no/such"])
        source = tmp_path / "source"
        source.write_bytes(b"x" * 1_000_000)
        host.put(source, "/tmp/a target")
        assert host.run(["cat", "/tmp/a target"]).stdout == source.read_bytes()
        host.run(["rm", "/tmp/a target"])


@one_xen
def test_a_connection_that_was_closed_is_opened_again(lab: Lab) -> None:
    with closing(resolve(lab.host)) as host:
        host.run(["true"])
        host.close()
        assert host.run(["echo", "again"]).stdout == b"again\n"


@one_xen
def test_domains_and_machine(lab: Lab) -> None:
    domid = lab.guest("quiet", "pv", vcpus=2, workload="idle")
    with closing(resolve(lab.host)) as host:
        domains = {domain.name: domain for domain in xl.list_domains(host)}
        assert domains["Domain-0"].type == "pv"
        assert domains["quiet"] == xl.Domain(domid, "quiet", "pv", 2)
        assert xl.find_domain(host, str(domid)).name == "quiet"
        info = xl.host_info(host)
        assert info.pcpus >= 1
        assert info.hz == pytest.approx(lab.hz, rel=1e-3)
