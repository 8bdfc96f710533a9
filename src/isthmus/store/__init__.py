"""The store: deployments, resources, history, leases, secrets and images in SQLite or PostgreSQL.

The only place that writes SQL. Everything here is synchronous and short; no site is called while a
transaction is open. :class:`~isthmus.store.store.Store` is the one object that others hold.
"""

from isthmus.store.database import SchemaUnknown as SchemaUnknown
from isthmus.store.leases import Lease as Lease
from isthmus.store.leases import LeaseLost as LeaseLost
from isthmus.store.secrets import WrongKey as WrongKey
from isthmus.store.store import Store as Store
