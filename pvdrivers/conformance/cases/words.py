"""Names that tables and steps of cases are written with."""

from pvdrivers.abi.blkif import BlkifOp
from pvdrivers.conformance.observation import Observation

O = Observation  # noqa: E741 - as short as the cases need it
READ, WRITE, BARRIER = BlkifOp.READ, BlkifOp.WRITE, BlkifOp.WRITE_BARRIER
FLUSH, DISCARD = BlkifOp.FLUSH_DISKCACHE, BlkifOp.DISCARD
