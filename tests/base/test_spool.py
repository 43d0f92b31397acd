"""What is too large for memory: found again whatever happens to the disk."""

from __future__ import annotations

import io

import pytest

from mediakit.base import spool

PIECES = [bytes([number % 256]) * (number * 7) for number in range(900)]  # 2.8 MB, the first of them empty


class Full(io.FileIO):
    """A file on a disk that is full after so many bytes, in the middle of a piece."""

    def __init__(self, path, room: int):
        super().__init__(path, "w+b")
        self._room = room

    def write(self, content) -> int:
        if self.tell() >= self._room:
            raise OSError(28, "No space left on device")
        return super().write(content[: self._room - self.tell()])


def no_folder(buffering=-1):
    raise FileNotFoundError(2, "No usable temporary directory found")


@pytest.mark.parametrize("disk", ["a file", "no folder", "full at once", "full later"])
def test_each_piece_is_found_again_by_its_number(tmp_path, monkeypatch, disk):
    rooms = {"full at once": 1000, "full later": 2_000_001}
    if disk == "no folder":
        monkeypatch.setattr(spool, "open_spool", no_folder)
    elif disk in rooms:
        monkeypatch.setattr(spool, "open_spool", lambda buffering=-1: Full(tmp_path / "spool", rooms[disk]))
    records = spool.Records()
    for number, piece in enumerate(PIECES):
        assert records.add(piece) == number
        assert records[number // 2] == PIECES[number // 2]
    assert len(records) == 900 and [*map(records.__getitem__, range(900))] == PIECES
    assert records.as_file().read() == b"".join(PIECES)


def test_a_copy_is_at_its_start_and_no_longer_than_allowed():
    content = b"".join(PIECES)
    copy = spool.copied(io.BytesIO(content), len(content))
    assert copy.read(7) == content[:7] and copy.seek(0) == 0 and copy.read() == content
    with pytest.raises(OverflowError):
        spool.copied(io.BytesIO(content), len(content) - 1)
