"""Mistakes of our frontend of vifs, and which case finds each; see `mutants`."""

from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.net.front.frontend import Frontend, Options
from pvdrivers.net.front.frontqueue import FrontQueue
from pvdrivers.net.packet import offload, rx_front, tx_front
from pvdrivers.xenbus import NET_FRONT
from tests.xentool.tools.conformance.mutants import Mutant, both, text, without
from xentool.tools.conformance import our_vifs

UNPARTED = without("NET_FRONT", NET_FRONT, (S.CONNECTED, S.CLOSING), (S.CONNECTED, S.CLOSED), where=our_vifs)
MANY = Options(max_queues=4)
NET_FRONT_MUTANTS = [
    # What it asks for, and sends.
    Mutant(
        "slots and cutting that nobody offered",
        "NF01",
        "strayed",
        text(Frontend.publish, "offer.takes.abilities()", "options.takes.abilities()"),
    ),
    Mutant(
        "as many queues of a vif as it likes",
        "NF01",
        "strayed",
        text(Frontend.publish, "min(offer.max_queues, options.max_queues)", "options.max_queues"),
        MANY,
    ),
    Mutant(
        "two channels that nobody offered",
        "NF01",
        "strayed",
        text(Frontend.publish, "options.split and offer.split", "options.split"),
    ),
    Mutant(
        "a frame's checksum is blank, and it says so to nobody",
        "NF01",
        "wrong-data",
        text(
            offload.flags_of,
            "return ring.blank | ring.validated",
            "return ring.validated",
        ),
    ),
    Mutant(
        "an extra's padding is what lay there",
        "NF03",
        "foreign",
        text(tx_front._padded, r'b"\0"', 'b"w"'),
    ),
    Mutant(
        "a byte more than the frame, in its page",
        "NF17",
        "foreign",
        text(
            FrontQueue._request,
            "self._sending.write(frame.data, slots)",
            "self._sending.write(bytes(frame.data) + b'w', [*slots[:-1], slots[-1]._replace(length=len(frame.data) "
            "% 4096 + 1)])",
        ),
    ),
    # What it makes of answers.
    Mutant(
        "a page is another frame's before it is answered",
        "NF15",
        "",
        both(
            text(
                FrontQueue._request,
                "self._asked.add(ident)\n",
                "self._asked.add(ident)\n        self._sending.give([ident])\n",
            ),
            text(FrontQueue._answered, "self._sending.give(found.ids)", "pass"),
        ),
    ),
    Mutant(
        "any id is that of a frame",
        "NF12",
        "",
        text(tx_front.answered, "elif ident in ids or ident not in pending:", "elif False:"),
    ),
    Mutant(
        "pages of frames that were not sent do not come back",
        "NF13",
        "silent",
        text(
            FrontQueue._answered,
            "self._sending.give(found.ids)",
            "self._sending.give(set(found.ids) - set(found.failed))",
        ),
        waits=True,
    ),
    Mutant(
        "answers that are waited for are not asked for",
        "NF15",
        "silent",
        text(FrontQueue._wanted, "max((ring.size - ring.room) // 2, 1)", "0"),
        waits=True,
    ),
    Mutant(
        "not asked to be notified any more, after a while",
        "NF16",
        "silent",
        text(FrontQueue._wanted, "        return 1\n", "        return self._stats.rx_packets < 12\n"),
        waits=True,
    ),
    Mutant(
        "a ring that is broken, of which nobody is told",
        "NF10",
        "silent",
        text(Frontend._failed, "self.fault(error, fatal=fatal)", "pass"),
        waits=True,
    ),
    # What it makes of packets.
    Mutant(
        "a negative status is as many bytes",
        "NF06",
        "strayed",
        text(
            rx_front._pieces,
            "= RX_RESPONSE.struct.unpack(messages[at])",
            "= map(abs, RX_RESPONSE.struct.unpack(messages[at]))",
        ),
    ),
    Mutant(
        "bytes behind the page",
        "NF06",
        "",
        text(rx_front._pieces, "elif end > PAGE_SIZE or end < begin:", "elif False:"),
    ),
    Mutant(
        "all that is in a page, from its beginning",
        "NF04",
        "strayed",
        text(rx_front._pieces, "begin, end = max(offset, headroom), offset + status", "begin, end = headroom, status"),
    ),
    Mutant(
        "more slots than anybody may send",
        "NF05",
        "strayed",
        text(rx_front._packet, "if len(data) > most:", "if False:"),
    ),
    Mutant(
        "slots of more that are not there",
        "NF05",
        "crashed",
        text(rx_front._data, "if at == len(messages):", "if False:"),
    ),
    Mutant("extras of any type", "NF07", "strayed", text(offload.type_of, "if extra[0] not in _TYPES:", "if False:")),
    Mutant(
        "extras that do not come are not missed",
        "NF07",
        "strayed",
        text(rx_front._extras, "wrong.append(BadPacket(Refusal.RX_EX", "[].append(BadPacket(Refusal.RX_EX"),
    ),
    Mutant(
        "cut in a way that is none", "NF07", "crashed", text(offload.read_offload, "if kind not in _GSOS:", "if False:")
    ),
    Mutant(
        "a packet to be cut is what its flags say",
        "NF08",
        "wrong-data",
        text(offload.read_offload, "return Offload(Checksum.BLANK, _GSOS[kind], size)", "return PLAIN"),
    ),
    Mutant(
        "a blank checksum is passed on as none",
        "NF01",
        "wrong-data",
        text(offload.read_offload, "if flags & ring.blank:", "if False:"),
    ),
    Mutant(
        "a page is looked up by the id that its backend names",
        "NF14",
        "",
        text(
            rx_front._pieces, "ident, gref = posted[at]", "ident, gref = int.from_bytes(messages[at][:2], 'little'), 0"
        ),
    ),
    Mutant(
        "pages of what was dropped do not come back",
        "NF05",
        "",
        text(FrontQueue._receive, "self._posted.give(count)", "self._posted.give(min(count, 3))"),
        waits=True,
    ),
    # The handshake.
    Mutant(
        "a vif's backend's parting is not seen",
        "NF19",
        "silent",
        UNPARTED,
        waits=True,
    ),
    Mutant("a vif's frontend that does not part", "NFS4", "silent", UNPARTED, waits=True),
]
