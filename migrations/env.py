"""Alembic's entry: runs on the connection that `migrations.runner` opened, locked and bounded."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
