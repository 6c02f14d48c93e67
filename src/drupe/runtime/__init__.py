"""What touches the interpreter: threads, loops, the greenlet portal, clock, ids."""
