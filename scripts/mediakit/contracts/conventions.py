"""What a service's paths mean where its document does not say so: told by its descriptor, never known here."""

from __future__ import annotations

from typing import NamedTuple


class Conventions(NamedTuple):
    """Habits of one or more services.

    streams  (plain, stream) pairs: a path with `plain` in it answers as a stream with `stream` in its place
    reads    paths that tell how a job is doing, `{id}` in them; any parameter's name will do
    """

    streams: tuple[tuple[str, str], ...] = ()
    reads: tuple[str, ...] = ()

    def as_stream(self, path: str) -> str:
        """The path by which the same request is answered as a stream; itself where that is not known."""
        for plain, stream in self.streams:
            if plain in path and stream not in path:
                return path.replace(plain, stream, 1)
        return path

    def as_plain(self, path: str) -> str:
        """The path by which the same request is answered by an id; itself where that is not known."""
        for plain, stream in self.streams:
            if stream in path:
                return path.replace(stream, plain, 1)
        return path


NONE = Conventions()
