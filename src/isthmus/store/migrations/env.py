"""Alembic's entry: runs migrations on the connection that :mod:`isthmus.store.migrate` hands over."""

from alembic import context

from isthmus.store.models import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
