"""The store in one SQLite file: a writer that commits together what is ready together, and a reader beside it."""

from drupe.storage.sqlite.store import SqliteStore as SqliteStore
