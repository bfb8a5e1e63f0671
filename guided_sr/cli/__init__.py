"""The ``guided-sr`` command: one file a command, nothing heavy before it must."""
