"""The fake site: a driver that ships, for dry runs, load tests, crash tests and users' own tests."""

from isthmus.sites.fake.audit import audit
from isthmus.sites.fake.driver import FakeDriver
from isthmus.sites.fake.faults import Fault, Kind, OperationRule
from isthmus.sites.fake.world import World

__all__ = ["FakeDriver", "Fault", "Kind", "OperationRule", "World", "audit"]
