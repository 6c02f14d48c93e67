"""Communicators over a RabbitMQ broker: participants on any number of machines."""
