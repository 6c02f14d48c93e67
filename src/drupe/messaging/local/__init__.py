"""Communicators in several interpreters on one machine: every one has a socket, and there is no server."""
