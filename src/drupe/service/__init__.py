"""The service: what keeps processes in a store, owns them, and brings them back."""
