"""What several cases of vifs do: send what is no frame, and look at all that comes out until the next one."""

from pvdrivers.abi.netif import NetifRsp
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.frames import FAR, GUEST, Carried, plain
from pvdrivers.conformance.net.front import Slots, VifFront
from pvdrivers.conformance.observation import Noticed, Seen, Sights

#: A reference that nobody has granted.
NOBODYS = 0x00FF_FFFF


def outcome(front: VifFront, what: str) -> list[Carried]:
    """Send a frame behind others; give all that come out at the far side before it.

    :raises Noticed: that frame is not served
    """
    last = plain(front.chance.randbytes(64))
    statuses = {answer.status for answer in front.send(front.slots(last))}
    if statuses != {NetifRsp.OKAY}:
        raise Noticed(O.REFUSED, f"the next frame is answered with {sorted(statuses)}", f"after {what}")
    before: list[Carried] = []
    while frame := front.served.far.receive(front.level.deadline):
        if frame.data == last:
            return before
        before.append(frame)
    raise Noticed(O.LOST, "the next frame does not come out", f"after {what}")


def tried(front: VifFront, what: str, slots: Slots, whole: bytes | None = None) -> Sights:
    """Send slots that a backend may refuse, or give the queue up for; see what becomes of them, and of the next frame.

    :param whole: what may come out of them; None if nothing may
    """
    answers = front.decided(slots)
    if answers is None:
        yield Seen(what, O.DISABLED, front.complaint())
        if front.served.far.receive(0.0):
            yield Seen(what, O.STRAYED, "the queue is given up, and something has come out")
        return
    statuses = {answer.status for answer in answers} - {NetifRsp.NULL}
    frames = outcome(front, what)
    if not frames:
        refused = statuses != {NetifRsp.OKAY}
        yield Seen(what, O.ERROR if refused else O.DROPPED, f"statuses {sorted(statuses)}" if refused else "")
    elif [frame.data for frame in frames] == [whole] and statuses == {NetifRsp.OKAY}:
        yield Seen(what, O.OKAY)
    else:
        lengths = ", ".join(str(len(frame.data)) for frame in frames)
        yield Seen(what, O.STRAYED, f"statuses {sorted(statuses)}, and {lengths} bytes come out")


def passes(front: VifFront, frame: Carried) -> bool:
    """Let a frame come in that a backend may keep back, and one behind it; tell whether the first one comes.

    :raises Noticed: the second does not, or something else does
    """
    last = plain(front.chance.randbytes(64), to=GUEST, source=FAR)
    front.post(4)
    for each in (frame, Carried(last)):
        if not front.served.far.send(each):
            raise Noticed(O.SILENT, "the far side takes no more frames")
    _, came = front.come_any()
    if came.data == last:
        return False
    if came.data != frame.data:
        raise Noticed(O.WRONG_DATA, f"{len(came.data)} bytes come, which nobody has sent")
    _, came = front.come_any()
    if came.data != last:
        raise Noticed(O.WRONG_DATA, f"{len(came.data)} bytes come, which nobody has sent")
    return True
