"""All orders in which the steps of a producer and a consumer can take effect, as x86 lets them (TSO).

The steps are read from engine.pyx: whoever takes a fence or a look out of there takes it out of here. Each processor
has a buffer of stores that others don't see yet; it empties in order, at any time, and a fence waits until it is empty.

Ref: Sewell et al., "x86-TSO: a rigorous and usable programmer's model for x86 multiprocessors", CACM 53(7), 2010
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

ENGINE = Path(__file__).parents[3] / "pvdrivers/ring/engine.pyx"
#: Indices begin where they wrap.
START = 2**32 - 1
MASK = 2**32 - 1

_STEP = re.compile(r"\b(load|load_acquire|store|store_release)\(self\.(\w+)|\b(fence)\(|self\.(available)\(")
#: What the code calls its own, and the peer's, is either side's view of the same two words.
_WORDS = {
    "push": {"own_prod": "prod", "peer_event": "event"},
    "ask": {"own_event": "event", "peer_prod": "prod"},
}


class Step(NamedTuple):
    """One access to shared memory, or a fence."""

    kind: str
    word: str = ""


def steps(function: str) -> list[Step]:
    """Read the steps of a function of the engine, in their order."""
    body = re.search(
        rf"    (?:def|cdef bint) {function}\(.*?(?=\n    (?:def|cdef|@)|\n\n\n)", ENGINE.read_text(), re.DOTALL
    )
    assert body
    found = []
    for access, word, fence, available in _STEP.findall(re.sub(r"#.*", "", body.group())):
        if fence:
            found.append(Step("fence"))
        elif available:
            found.append(Step("look", "prod"))
        else:
            found.append(Step(access.partition("_")[0], _WORDS[function][word]))
    return found


@dataclass(frozen=True, slots=True)
class Cpu:
    """A processor: how far it is in its steps, and its stores that nobody sees yet."""

    at: int = 0
    #: Messages produced, or consumed, as an index.
    index: int = START
    buffer: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """Everything."""

    prod: int = START
    event: int = (START + 1) & MASK
    notified: bool = False
    #: What the producer had pushed before the push under way; None between two.
    old: int | None = None
    producer: Cpu = Cpu()
    #: Consumers take first, at -1, then ask, step by step; at the end they sleep.
    consumer: Cpu = Cpu(at=-1)


class Model:
    """A producer of some messages, and a consumer that wants to be notified of every so many."""

    def __init__(self, push: list[Step], ask: list[Step], messages: int, batch: int = 1) -> None:
        self.push = push
        self.ask = ask
        self.end = (START + messages) & MASK
        self.batch = batch

    def stuck(self) -> list[State]:
        """Give the states in which messages lie there, and nobody will ever look."""
        seen = {State()}
        ahead = [State()]
        found = []
        while ahead:
            state = ahead.pop()
            following = set(self.following(state))
            if not following and (state.consumer.index != self.end or state.producer.index != self.end):
                found.append(state)
            ahead += following - seen
            seen |= following
        return found

    def following(self, state: State) -> Iterator[State]:
        for name, cpu in (("producer", state.producer), ("consumer", state.consumer)):
            if cpu.buffer:
                (word, value), *rest = cpu.buffer
                yield replace(state, **{word: value, name: replace(cpu, buffer=tuple(rest))})  # type: ignore[arg-type] # by names of its fields
        yield from self._produce(state)
        yield from self._consume(state)

    def _produce(self, state: State) -> Iterator[State]:
        cpu = state.producer
        if state.old is None:
            # One message or all that are left.
            for index in {(cpu.index + 1) & MASK, self.end} if cpu.index != self.end else ():
                yield replace(state, old=cpu.index, producer=replace(cpu, at=0, index=index))
            return
        if cpu.at == len(self.push):
            yield replace(state, old=None)
            return
        step = self.push[cpu.at]
        after = replace(cpu, at=cpu.at + 1)
        match step.kind:
            case "store":
                yield replace(state, producer=replace(after, buffer=(*cpu.buffer, (step.word, cpu.index))))
            case "fence":
                if not cpu.buffer:
                    yield replace(state, producer=after)
            case _:
                event = _load(state, cpu, step.word)
                notify = (cpu.index - event) & MASK < (cpu.index - state.old) & MASK
                yield replace(state, notified=state.notified or notify, producer=after)

    def _consume(self, state: State) -> Iterator[State]:
        cpu = state.consumer
        if cpu.at == -1:
            yield replace(state, consumer=replace(cpu, at=0, index=_load(state, cpu, "prod")))
            return
        if cpu.at == len(self.ask):
            if state.notified:
                yield replace(state, notified=False, consumer=replace(cpu, at=-1))
            return
        step = self.ask[cpu.at]
        after = replace(cpu, at=cpu.at + 1)
        match step.kind:
            case "store":
                due = (self.end - cpu.index) & MASK
                wanted = (cpu.index + max(min(self.batch, due), 1)) & MASK
                yield replace(state, consumer=replace(after, buffer=(*cpu.buffer, (step.word, wanted))))
            case "fence":
                if not cpu.buffer:
                    yield replace(state, consumer=after)
            case _:
                more = _load(state, cpu, step.word) != cpu.index
                yield replace(state, consumer=replace(cpu, at=-1) if more else after)


def _load(state: State, cpu: Cpu, word: str) -> int:
    # A processor sees its own stores at once.
    for stored, value in reversed(cpu.buffer):
        if stored == word:
            return value
    return state.prod if word == "prod" else state.event
