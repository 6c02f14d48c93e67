"""`drupe demo`: a small workflow that is killed and goes on, anywhere drupe is installed."""
