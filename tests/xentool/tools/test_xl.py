"""Parsing what xl prints, on outputs recorded in labs."""

from pathlib import Path

import pytest

from xentool.errors import PeerError, XentoolError
from xentool.tools.xl import Domain, HostInfo, called, choose, parse_domains, parse_info

DATA = Path(__file__).parent / "data"
DOMAINS = [Domain(0, "Domain-0", "pv", 2), Domain(4, "domU", "pv", 2)]
HEADER = "Name                                        ID   Mem VCPUs\tState\tTime(s)\n"


def recorded(what: str, version: str) -> str:
    return (DATA / f"xl-{what}-{version}.txt").read_text()


@pytest.mark.parametrize(
    ("version", "domains", "info"),
    [
        (
            "4.17",
            [Domain(0, "Domain-0", "pv", 2), Domain(6, "quiet", "pv", 2)],
            HostInfo("4.17.7", 2, 2596.136 * 1e6, "amd"),
        ),
        ("4.20", DOMAINS, HostInfo("4.20.5-pre", 2, 2596.138 * 1e6, "amd")),
    ],
)
def test_real_hosts(version: str, domains: list[Domain], info: HostInfo) -> None:
    assert parse_domains(recorded("list", version), recorded("list-long", version)) == domains
    assert parse_info(recorded("info", version)) == info


def test_names_with_blanks_and_domains_that_libxl_did_not_make() -> None:
    rows = "a name of two 2 3                            5   192     1     -b----       3.2\n"
    rows += "(null)                                       6     0     1     --psed       0.0\n"
    assert parse_domains(HEADER + rows, "[]") == [Domain(5, "a name of two 2 3", None, 1), Domain(6, None, None, 1)]


@pytest.mark.parametrize(("text", "domid"), [("domU", 4), ("4", 4), ("0", 0), ("Domain-0", 0)])
def test_a_domain_by_name_or_number(text: str, domid: int) -> None:
    assert choose(DOMAINS, text).domid == domid


def test_a_number_is_an_id_before_it_is_a_name() -> None:
    domains = [Domain(1, "2", "pv", 1), Domain(2, "one", "pv", 1), Domain(3, "7", "pv", 1)]
    assert choose(domains, "2").domid == 2
    assert choose(domains, "7").domid == 3


def test_no_such_domain_lists_those_there_are() -> None:
    with pytest.raises(XentoolError, match=r"^there is no domain 'x'; there are Domain-0 \(0\), domU \(4\)$") as caught:
        choose(DOMAINS, "x")
    assert caught.value.exit_code == 1
    with pytest.raises(XentoolError, match=r"there are none at all$"):
        choose([], "x")
    with pytest.raises(XentoolError, match=r"there are unnamed \(18\)$"):
        choose([Domain(18, None, None, 2)], "x")
    assert [called(one) for one in (DOMAINS[1], Domain(18, None, None, 2))] == ["domU", "domain 18"]


@pytest.mark.parametrize(("table", "long"), [(HEADER + "???\n", "[]"), (HEADER, "{"), (HEADER, '[{"domid": 1}]')])
def test_what_xl_does_not_print_is_said(table: str, long: str) -> None:
    with pytest.raises(PeerError):
        parse_domains(table, long)


def test_missing_values_are_said() -> None:
    with pytest.raises(PeerError, match="cpu_mhz"):
        parse_info("xen_version : 4.17.5\nnr_cpus : 2\n")


def test_releases_before_4_5() -> None:
    info = "nr_cpus : 8\ncpu_mhz : 2400\nxen_major : 4\nxen_minor : 2\nxen_extra : .5\n"
    assert parse_info(info) == HostInfo("4.2.5", 8, 2400 * 1e6)
    # output_format="sxp" in xl.conf; and PVHv1, a kind of PV
    row = "a                                            5   192     1     -b----       3.2\n"
    assert parse_domains(HEADER + row, "(domain\n\t(domid 5)\n)\n") == [Domain(5, "a", None, 1)]
    old = '[{"domid": 5, "config": {"c_info": {"type": "pv", "pvh": "True"}, "b_info": {}}}]'
    assert parse_domains(HEADER + row, old) == [Domain(5, "a", "pvh", 1)]


def test_something_that_is_no_list_is_not_an_empty_one() -> None:
    for text in ("", "Usage: xl [-vfN] <subcommand> [args]\n"):
        with pytest.raises(PeerError, match="a heading that"):
            parse_domains(text, "[]")


@pytest.mark.parametrize(
    ("version", "hw_caps", "vendor"),
    [
        ("4.17.6-pre", "bfebfbff:77fef3ff:2c100800:00000121:0000000f:239c6fbb:00000000:00000100", "intel"),
        ("4.19.0", "178bf3ff:f6d8320b:2e500800:444031ff:0000000f:219c97a9:0040068c:00000780", "amd"),
        ("4.17.6", "bfebfbff:77fef3df:2c100800:00000121", None),  # virtualization is switched off
        ("4.6.6", "bfebfbff:77fef3ff:2c100800:00000121", None),  # the words had another order
        ("4.17.6", "bfebfbff", None),
        ("4.17.6", "a:b:c:x", None),
    ],
)
def test_the_processors_features_tell_their_vendor(version: str, hw_caps: str, vendor: str | None) -> None:
    text = f"nr_cpus : 8\ncpu_mhz : 2400.000\nhw_caps : {hw_caps}\nxen_version : {version}\n"
    assert parse_info(text).vendor == vendor
