"""What a pass over a sound block says of it."""

from __future__ import annotations

import pytest

from engine.format import REF, Block
from engine.format.block import BlockWriter
from engine.fsck.passing import pass_refs
from tests.support.tables import oid


@pytest.mark.parametrize("id_len", [0, 2, 20, 31])
def test_a_null_id_is_noticed_whatever_the_footer_says_of_ids(id_len: int) -> None:
    for value in (bytes(20), oid(1)):
        writer = BlockWriter(REF, 4096, 0, 16)
        for name, tail in ((b"refs/heads/a", oid(2)), (b"refs/heads/b", value), (b"refs/heads/c", oid(3))):
            assert writer.add(name, 1, b"\0" + tail)
        block = Block.parse("x", writer.finish(b""), 0, 0, 4096)
        found = pass_refs(block.data, block.records_start, block.records_end, 20, 0, id_len, None)
        assert found.may_have_null == (value == bytes(20))
