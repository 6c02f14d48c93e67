"""The engine: processes and work chains on asyncio. It does no I/O; what is kept is the host's business."""
