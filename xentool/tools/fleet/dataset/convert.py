"""Captures of paths, patterns and URLs into a dataset: what is new or has changed, by workers."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

from traces.exporters.fleet import Failed
from traces.exporters.fleet_convert import Conversion
from xentool import extras
from xentool.tools.fleet.dataset import names, task
from xentool.tools.fleet.dataset.names import Named
from xentool.tools.fleet.dataset.store import Store, store
from xentool.tools.fleet.dataset.task import Converted
from xentool.tools.fleet.lines import Lines
from xentool.tools.fleet.places import Place, find
from xentool.tools.fleet.run import Run, Way
from xentool.tools.fleet.spread import Done, Failure

_PARTLY = "what could be decoded is there"
#: A capture, and the paths of files that the new one takes the place of.
_Item = tuple[Place, Sequence[str]]


class _Gathered:
    # What comes of captures, in any order.
    def __init__(self) -> None:
        self.rows, self.failed = Lines(), Lines()
        self.others = self.kept = self.records = self.bytes = 0

    def take(self, one: Done[_Item, Converted]) -> int:
        answer, (place, _) = one.answer, one.item
        if isinstance(answer, Failure):
            self.failed.add((place.url, answer.error))
            return 0
        if (made := answer.written) is not None:
            self.records += made.records
            self.bytes += made.bytes
            self.rows.add({"file": place.url, "path": made.path, "records": made.records, "bytes": made.bytes})
            if made.damage:
                self.failed.add((place.url, f"{made.damage}; {_PARTLY}"))
        elif answer.other:
            self.others += 1
        else:
            self.failed.add((place.url, answer.error or "nothing came of it"))
        return answer.memory


def convert(wanted: Sequence[str], to: str, way: Way) -> Conversion:
    """Convert captures into a dataset; Ctrl-C ends it early, and what is there then is whole.

    :param to: a folder, or s3://BUCKET/NAME
    :raises XentoolError: there is no way to work, or nothing can be written there
    """
    extras.need("pyarrow", "fleet convert")
    dataset, found, run = store(to, way.limit_s), _Gathered(), Run(way)
    with run.interruptible(), dataset.held():
        left = Lines()
        total = sum(_noted(place, instead, left) for place, instead in _left(wanted, dataset, way.limit_s, found))
        if left:
            work = partial(_convert, to=to, limit_s=way.limit_s)
            run.over(work, _items(left), total, found.take, lambda item: item[0])
    return Conversion(
        to=to,
        captures=iter(found.rows),
        converted=len(found.rows),
        records=found.records,
        bytes=found.bytes,
        kept=found.kept,
        failed=tuple(Failed(*each) for each in sorted(found.failed)),
        others=found.others,
        took=run.took(),
    )


def _left(wanted: Sequence[str], dataset: Store, limit_s: float, found: _Gathered) -> Iterator[_Item]:
    # What is not there yet, as it is now.
    there: defaultdict[str, list[Named]] = defaultdict(list)
    for key, named in filter(None, map(names.parsed, dataset.paths())):
        there[key].append(named)
    for place in find(wanted, limit_s):
        if not isinstance(place, Place):
            found.failed.add(place)
        elif not dataset.holds(place.url):
            files = there.get(names.key(place), [])
            done = next((one for one in files if one.stamp == names.stamp(place)), None)
            if done is None:
                yield place, [one.path for one in files]
                continue
            found.kept += 1
            for one in files:
                if one is not done:
                    # A run was killed as it put another in its place.
                    dataset.remove(one.path)
            if done.damaged:
                found.failed.add((place.url, f"damaged, as before; {_PARTLY}"))


def _noted(place: Place, instead: Sequence[str], left: Lines) -> int:
    left.add((place.fields, instead))
    return place.size


def _items(left: Lines) -> Iterator[_Item]:
    return ((Place(**fields), instead) for fields, instead in left)


def _convert(item: _Item, to: str, limit_s: float) -> Converted:
    return task.convert(*item, to=to, limit_s=limit_s)
