"""Bytes and directories that somebody wrote to hurt: the answer is a clear error or a normal one."""
