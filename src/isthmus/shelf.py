"""The shelf: bundles of deployments, read from the store."""

from __future__ import annotations

from functools import partial

from isthmus.engine.reconcile import Loaded
from isthmus.errors import Invalid
from isthmus.library import Library
from isthmus.sites.errors import Permanent
from isthmus.store import Store, deployments
from isthmus.store.deployments import Deployment
from isthmus.tosca import Bundle, BundleError


class Shelf:
    """Bundles that deployments name, read from the store once while they are in use."""

    def __init__(self, store: Store, library: Library):
        self.store = store
        self.library = library

    def bundle(self, row: Deployment) -> Bundle:
        """The bundle of a deployment."""
        return self.library.bundle(row.bundle, partial(self._read, row.bundle))

    def _read(self, digest: str) -> Bundle:
        with self.store.read() as c:
            return Bundle.from_zip(deployments.load_bundle(c, digest))

    def load(self, row: Deployment) -> Loaded:
        """What a deployment's template means; raises :class:`Permanent` when it no longer loads."""
        try:
            template = self.library.load(self.bundle(row), row.inputs)
        except (Invalid, BundleError) as error:
            raise Permanent(f"its template does not load: {error}") from error
        return Loaded(template.topology, template.bundle.files)
