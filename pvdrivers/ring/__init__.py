"""Shared rings: messages from one domain to another and back, through memory that both write."""

from pvdrivers.ring.engine import Back, Front
from pvdrivers.ring.logged import LoggedBack

__all__ = ["Back", "Front", "LoggedBack"]
