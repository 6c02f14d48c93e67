"""Works whose text is the same for drupe and plumpy."""
