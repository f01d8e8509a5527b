"""What has to become of packets on either ring, said a second time: from netif.h, in plain numbers, for tests alone.

Law: nothing of `pvdrivers.net.packet` or of what is compiled is used here: a mistake there would be one here as well.
Pages are what a call gives for a reference; None if it is not granted.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import NamedTuple

from pvdrivers.net.frame import Checksum

#: A frame: its bytes, the checksum and how it is to be cut, its hash; as tuples of the same names compare.
Facts = tuple[bytes, tuple[Checksum, int, int], tuple[int, int] | None]
Page = Callable[[int], memoryview | None]

_SLOT, _ANSWER = Struct("<IHHHH"), Struct("<Hh")
_RESPONSE = Struct("<HHHh")
_GSO, _HASH, _XDP = Struct("<BBHBBH"), Struct("<BBBBI"), Struct("<BBHI")
_NULL = _ANSWER.pack(0, 1)
_PAGE, _HEADER = 4096, 14


class Sent(NamedTuple):
    """What becomes of what a frontend sends.

    :param slots: that are answered
    :param fatal: whether its queue has to end
    """

    answers: bytes
    frames: list[Facts]
    slots: int
    fatal: bool


class _Stop(Exception):
    # Of a packet that is not there to its end, or never will be one.
    def __init__(self, fatal: bool) -> None:
        super().__init__()
        self.fatal = fatal


def sent(stream: bytes, page: Page, listed: Callable[[bool, bytes], bool]) -> Sent:
    """Judge slots of the TX ring.

    :param listed: changes the multicast list; tells whether it could
    """
    slots = list(_SLOT.iter_unpack(stream))
    end = len(slots)
    answers: list[bytes] = []
    frames: list[Facts] = []
    at = 0
    while at < end:
        try:
            following, extras, after = _gathered(slots, stream, at)
        except _Stop as stop:
            return Sent(b"".join(answers), frames, at, stop.fatal)
        gref, offset, flags, ident, size = slots[at]
        change = extras.get(2) or extras.get(3)
        if change:
            done = listed(2 in extras, change[2:8])
            answers += [_ANSWER.pack(ident, 0 if done else -1), _NULL * (after - at - 1)]
            at = after
            continue
        parts = [slots[each] for each in following]
        own = size - sum(part[4] for part in parts)
        nulls = _NULL * (after - at - 1 - len(parts))
        if len(parts) > 18 or own < 0 or size < _HEADER:
            answers += [_ANSWER.pack(ident, -1), nulls, *(_ANSWER.pack(part[3], -1) for part in parts)]
            at = after
            continue
        cut = extras.get(1)
        if offset + own > _PAGE or (cut and (not any(cut[2:4]) or cut[4] not in (1, 2))):
            return Sent(b"".join(answers), frames, at, True)
        data, whole = [], True
        for number, (source, begin, _, name, length) in enumerate([(gref, offset, 0, ident, own), *parts]):
            status = 0
            if length:
                there = page(source)
                if there is None:
                    status, whole = -1, False
                else:
                    data.append(there[begin : begin + length])
            answers.append(_ANSWER.pack(name, status))
            if not number:
                answers.append(nulls)
        if whole:
            frames.append((b"".join(data), _offload(extras, flags & 1, flags & 2), _flow(extras)))
        at = after
    return Sent(b"".join(answers), frames, at, False)


def _gathered(slots: Sequence[tuple[int, ...]], stream: bytes, at: int) -> tuple[list[int], dict[int, bytes], int]:
    # Which slots follow, the extras, and where the packet ends.
    flags, end = slots[at][2], len(slots)
    extras: dict[int, bytes] = {}
    following: list[int] = []
    after, more, count = at + 1, flags & 8, 0
    while more:
        if count == 5 or after == end:
            raise _Stop(count == 5)
        extra = stream[after * 12 : after * 12 + 8]
        if not 1 <= extra[0] <= 5:
            raise _Stop(True)
        extras[extra[0]] = extra
        more = extra[1] & 1
        after, count = after + 1, count + 1
    more = flags & 4 if 2 not in extras and 3 not in extras else 0
    while more:
        if len(following) == 20 or after == end:
            raise _Stop(len(following) == 20)
        _, offset, more, _, size = slots[after]
        if offset + size > _PAGE:
            raise _Stop(True)
        more &= 4
        following.append(after)
        after += 1
    return following, extras, after


def _offload(extras: dict[int, bytes], blank: int, validated: int) -> tuple[Checksum, int, int]:
    if cut := extras.get(1):
        return Checksum.BLANK, cut[4], cut[2] | cut[3] << 8
    if blank:
        return Checksum.BLANK, 0, 0
    return (Checksum.VALIDATED if validated else Checksum.UNSAID), 0, 0


def _flow(extras: dict[int, bytes]) -> tuple[int, int] | None:
    flow = extras.get(4)
    if flow is None or flow[2] > 3 or flow[3] != 1:
        return None
    return 1 << flow[2], int.from_bytes(flow[4:8], "little")


def passed(
    frames: list[Facts],
    posted: list[tuple[int, int]],
    headroom: int,
    page: Page,
    write: Callable[[int, int, bytes], None],
) -> bytes:
    """Lay frames over posted pages, which are taken away, as far as there are enough of both; give the responses.

    :param write: is told each piece that is written: which page, where, and what
    """
    responses: list[bytes] = []
    room = _PAGE - headroom
    while frames:
        data, (checksum, kind, size), flow = frames[0]
        if not 0 < len(data) <= 18 * room:
            frames.pop(0)
            continue
        extras = [_GSO.pack(1, 0, size, kind, 0, 0)] if kind else []
        extras += [_HASH.pack(4, 0, flow[0].bit_length() - 1, 1, flow[1])] if flow else []
        extras += [_XDP.pack(5, 0, headroom, 0)] if headroom else []
        extras = [each[:1] + b"\1" + each[2:] for each in extras[:-1]] + extras[-1:]
        count = -(-len(data) // room)
        if count + len(extras) > len(posted):
            break
        frames.pop(0)
        places = [posted.pop(0) for _ in range(count + len(extras))]
        flags = 8 if extras else 0
        if kind or checksum is Checksum.BLANK:
            flags |= 3
        elif checksum is Checksum.VALIDATED:
            flags |= 1
        for number, (ident, gref) in enumerate([places[0], *places[1 + len(extras) :]]):
            piece = data[number * room : (number + 1) * room]
            status = len(piece)
            if page(gref) is None:
                status = -3
            else:
                write(gref, headroom, piece)
            more = 4 if number < count - 1 else 0
            responses.append(_RESPONSE.pack(ident, headroom, (0 if number else flags) | more, status))
            if not number:
                responses += extras
    return b"".join(responses)


class Received(NamedTuple):
    """What a frontend makes of responses."""

    frames: list[Facts]
    errors: int


def received(stream: bytes, pages: Sequence[memoryview]) -> Received:
    """Judge responses, each with the page that was posted in its slot."""
    responses = list(_RESPONSE.iter_unpack(stream))
    end = len(responses)
    frames: list[Facts] = []
    errors = at = 0
    while at < end:
        _, _, flags, head = responses[at]
        extras: dict[int, bytes] = {}
        sound, data, after, more = True, [at], at + 1, flags & 8
        while more:
            if after == end:
                sound = False
                break
            extra = stream[after * 8 : after * 8 + 8]
            if 1 <= extra[0] <= 5:
                extras[extra[0]] = extra
            else:
                sound = False
            more = extra[1] & 1
            after += 1
        while responses[data[-1]][2] & 4:
            if after == end:
                sound = False
                break
            data.append(after)
            after += 1
        cut, xdp = extras.get(1), extras.get(5)
        if cut and (not any(cut[2:4]) or cut[4] not in (1, 2)):
            sound = False
        headroom = xdp[2] | xdp[3] << 8 if xdp else 0
        pieces = []
        for each in data:
            _, offset, _, status = responses[each]
            begin, last = max(offset, headroom), offset + status
            if status < 0 or last > _PAGE or last < begin:
                sound = False
            else:
                pieces.append(pages[each][begin:last])
        at = after
        whole = b"".join(pieces)
        if not sound or len(data) > 18 + (head <= 256) or len(whole) < _HEADER:
            errors += 1
            continue
        frames.append((whole, _offload(extras, flags & 2, flags & 1), _flow(extras)))
    return Received(frames, errors)
