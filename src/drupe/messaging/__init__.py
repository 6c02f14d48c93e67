"""Transports of messages, and what puts any of them onto another thread or loop."""
