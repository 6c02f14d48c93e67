"""What one does with plumpy, told as traces. A program, run once with the original and once with the drop-in."""
