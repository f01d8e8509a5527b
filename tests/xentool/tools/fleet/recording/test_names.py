"""What captures of a fleet are called."""

from datetime import UTC, datetime, timedelta, timezone

from xentool.tools.fleet.recording.names import stems

AT = datetime(2026, 12, 1, 1, 2, 3, tzinfo=timezone(timedelta(hours=1)))
DATE = "20261201T000203Z"


def test_a_host_and_the_date_in_utc() -> None:
    hosts = ["ssh://root@xen1:2222", "rack7.example", "lab:a", "ssh://[::1]"]
    assert stems(hosts, AT, []) == [f"{host}-{DATE}" for host in ("root@xen1_2222", "rack7.example", "lab_a", "_1_")]
    assert stems(["x"], AT.astimezone(UTC), []) == stems(["x"], AT, [])


def test_no_two_are_alike_and_none_is_overwritten() -> None:
    assert stems(["lab:a", "lab_a", "b"], AT, [f"b-{DATE}.dat", f"b-{DATE}-2.xentrace.meta.json", "b"]) == [
        f"lab_a-{DATE}",
        f"lab_a-{DATE}-2",
        f"b-{DATE}-3",
    ]


def test_no_name_leads_elsewhere_or_hides() -> None:
    hosts = ["ssh://../../etc", "ssh://.hidden", "ssh://--help", "ssh://a/b", "ssh://\x1b[2J网", "x" * 300]
    assert stems(hosts, AT, []) == [
        f"{host}-{DATE}" for host in ("_.._etc", "hidden", "help", "a_b", "_2J_", "x" * 100)
    ]
