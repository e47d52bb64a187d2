"""What files that are made of something else have in common: a size, and a place to read from."""

import io
import os


class Seekable(io.RawIOBase):
    """A file to read of so many bytes; a subclass has ``readinto``, which moves ``_at`` on."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True
