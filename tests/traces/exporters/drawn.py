"""What a Perfetto trace draws, read by its own protos and by the rules of its trace_processor.

Ref: perfetto src/trace_processor/importers/proto/track_event_event_importer.h (MaybeParseTrackEventFlows),
importers/common/flow_tracker.cc: packets are sorted by time, those of one time stay in the file's order; the first with
a flow's number begins it, one that terminates it ends it, and is no end where nothing began.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

Args = dict[str, int | bool]


class Slice(NamedTuple):
    begin: int
    end: int
    name: str
    args: Args

    @property
    def clipped(self) -> bool:
        return "clipped" in self.args


class Instant(NamedTuple):
    track: str
    at: int
    name: str
    args: Args


@dataclass
class Drawing:
    """By a track's uuid its descriptor and slices; counters by the names of their parent's track and their own."""

    tracks: dict[int, Any]
    slices: dict[int, list[Slice]] = field(default_factory=dict)
    instants: list[Instant] = field(default_factory=list)
    counters: dict[tuple[str, str], list[tuple[int, float]]] = field(default_factory=dict)
    arrows: list[tuple[Instant, Instant]] = field(default_factory=list)

    def named(self, name: str) -> list[Slice]:
        """Give the slices of the track that has a name."""
        (uuid,) = (uuid for uuid, one in self.tracks.items() if one.name == name)
        return self.slices.get(uuid, [])


def drawn(data: bytes) -> Drawing:
    """Read a trace, whose slices nest, and whose packets come in order of time on each track but for ``notified``."""
    trace = Trace.FromString(data)
    names = {one.iid: one.name for packet in trace.packet for one in packet.interned_data.event_names}
    noted = {one.iid: one.name for packet in trace.packet for one in packet.interned_data.debug_annotation_names}
    found = Drawing(
        {one.track_descriptor.uuid: one.track_descriptor for one in trace.packet if one.HasField("track_descriptor")}
    )
    events = [packet for packet in trace.packet if packet.HasField("track_event")]
    newest: dict[int, int] = {}
    for packet in events:
        track = packet.track_event.track_uuid
        assert track in found.tracks
        if names.get(packet.track_event.name_iid) != "notified":
            assert packet.timestamp >= newest.get(track, 0)
            newest[track] = packet.timestamp
    open_: dict[int, list[Slice]] = {}
    flows: dict[int, Instant] = {}
    for packet in sorted(events, key=lambda one: int(one.timestamp)):
        event, at = packet.track_event, packet.timestamp
        descriptor = found.tracks[event.track_uuid]
        args: Args = {noted[one.name_iid]: _value(one) for one in event.debug_annotations}
        stack = open_.setdefault(event.track_uuid, [])
        if event.type == TrackEvent.TYPE_COUNTER:
            assert descriptor.HasField("counter")
            parent = found.tracks[descriptor.parent_uuid].name if descriptor.parent_uuid else ""
            found.counters.setdefault((parent, descriptor.name), []).append((at, event.double_counter_value))
        elif event.type == TrackEvent.TYPE_SLICE_BEGIN:
            stack.append(Slice(at, at, names[event.name_iid], args))
        elif event.type == TrackEvent.TYPE_SLICE_END:
            begun = stack.pop()
            of_track = found.slices.setdefault(event.track_uuid, [])
            of_track.append(begun._replace(end=at, args=begun.args | args))
        else:
            instant = Instant(descriptor.name, at, names[event.name_iid], args)
            found.instants.append(instant)
            for flow in event.flow_ids:
                assert flow not in flows
                flows[flow] = instant
            for flow in event.terminating_flow_ids:
                if flow in flows:
                    found.arrows.append((flows.pop(flow), instant))
    assert not any(open_.values())
    return found


def _value(annotation: Any) -> int | bool:  # noqa: ANN401 - perfetto ships no types
    kind = annotation.WhichOneof("value")
    assert kind in ("bool_value", "uint_value", "pointer_value")
    value = getattr(annotation, kind)
    assert isinstance(value, int)
    return value
