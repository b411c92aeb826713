"""The names of refs as `merge_columns` takes them, with what is known of all of them at once."""

from __future__ import annotations

from bisect import bisect_left


class Names:
    """Names in order.

    `are_plain` when none has to be looked at: each is that of a ref with an object, consists of lower-case
    letters, digits, hyphens, underlines and single slashes between them, and begins with no other one.
    """

    __slots__ = ("are_plain", "keys")

    def __init__(self, keys: list[bytes], *, are_plain: bool = False) -> None:
        self.keys = keys
        self.are_plain = are_plain

    def between(self, start: int, stop: int) -> Names:
        """Those from the number `start` on in front of the number `stop`."""
        return Names(self.keys[start:stop], are_plain=self.are_plain)

    def followed_by(self, others: Names) -> Names:
        """These and `others`, which sort after them."""
        apart = not self.keys or not others.keys or not others.keys[0].startswith(self.keys[-1])
        return Names(self.keys + others.keys, are_plain=self.are_plain and others.are_plain and apart)

    def lay_over(self, newer: Names) -> None:
        """Take in the names of a newer table; of two that are equal, its own remains."""
        keys, are_plain = self.keys, self.are_plain and newer.are_plain
        if len(newer.keys) > len(keys) // 2:
            both = dict(zip(keys, keys, strict=True))
            both.update(zip(newer.keys, newer.keys, strict=True))
            keys[:] = [both[key] for key in sorted(both)]
            self.are_plain = are_plain and not begin_with_another(keys)
            return
        at = 0
        for key in newer.keys:
            at = bisect_left(keys, key, at)
            if at < len(keys) and keys[at] == key:
                keys[at] = key
                continue
            # In order, a name that begins with another one comes behind it, or behind one that does so too.
            if (at and key.startswith(keys[at - 1])) or (at < len(keys) and keys[at].startswith(key)):
                are_plain = False
            keys.insert(at, key)
        self.are_plain = are_plain


def begin_with_another(names: list[bytes]) -> bool:
    """Whether one of some names in order begins with another one: the next one then does so too."""
    return any(map(bytes.startswith, names[1:], names))
