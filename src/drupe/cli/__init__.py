"""The commands: `drupe` on the command line. Nothing here is imported by the rest of drupe."""
