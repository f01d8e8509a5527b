"""What is said of a load, from what was counted."""

from pvdrivers.net.load.result import Result


def test_rates_are_those_of_what_arrived() -> None:
    latencies = {(1000, 1001): 99, (50_000, 50_500): 1}
    told = Result(1100, 1000, 1_250_000, 0.5, 2000, 3000, 4, 9, latencies, 50_100).document()
    assert told == {
        "pps": 2000,
        "gbps": 0.02,
        "latency_us": {"p50": 1.0, "p99": 1.0, "p999": 50.1},
        "latency_max_us": 50.1,
        "notifications_per_packet": 0.002,
        "syscalls_per_packet": 0.0045,
        "slots_per_packet": 1.5,
        "sent": 1100,
        "frames": 1000,
        "bytes": 1_250_000,
        "seconds": 0.5,
    }


def test_nothing_that_arrived_is_told_as_well() -> None:
    told = Result(5, 0, 0, 1.0, 0, 0, 3, 7).document()
    assert (told["pps"], told["gbps"], told["latency_us"], told["slots_per_packet"]) == (0, 0, None, 0)
    assert told["notifications_per_packet"] == 3
