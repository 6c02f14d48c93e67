"""Stores: memory and SQLite, one protocol, one contract suite (`drupe.testing.store_contract`)."""
