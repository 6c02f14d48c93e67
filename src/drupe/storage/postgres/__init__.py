"""The store in a PostgreSQL database, for the programs of any number of machines at once."""

from drupe.storage.postgres.store import PostgresStore as PostgresStore
