"""Works that can only be written for plumpy."""
