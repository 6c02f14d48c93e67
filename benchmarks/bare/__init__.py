"""The floors: the same work without a framework, on asyncio, msgspec or SQLite alone."""
