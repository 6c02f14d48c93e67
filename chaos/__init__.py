"""Workers that are killed, frozen and restarted while they run thousands of processes; see `chaos.__main__`."""
