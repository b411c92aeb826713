"""Bytes and directories that were written to hurt: the answer is a clear error or a normal one."""
