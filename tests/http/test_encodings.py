"""A Content-Encoding is undone as far as it can be, and never costs the body."""

import gzip
import json
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_service import raw_deflate
from mediakit.http import encodings
from mediakit.http.encodings import Decoding

TEXT = json.dumps({"id": "gen_1", "status": "IN_QUEUE", "prompt": "a tin boat " * 9}).encode()
NOISE = random.Random(3).randbytes(200_000)  # no part of it can be compressed
PNG = b"\x89PNG\r\n\x1a\n" + NOISE[:5000]


def undone(label: str, content: bytes, cut: int = 65536, sniffs: bool = False) -> tuple[bytes, str, bool]:
    decoding = Decoding(label, sniffs)
    pieces = [piece for at in range(0, len(content), cut) for piece in decoding.feed(content[at : at + cut])]
    pieces += decoding.finish()
    assert all(0 < len(piece) <= max(65536, len(content)) for piece in pieces)
    return b"".join(pieces), decoding.problem, decoding.is_cut


GZIPPED = gzip.compress(TEXT)

# name -> label, bytes as they come, what is read, what is odd about it, whether its end is missing
TABLE = {
    "no label": ("", TEXT, TEXT, "", False),
    "identity": ("identity", TEXT, TEXT, "", False),
    "none": ("none", TEXT, TEXT, "", False),
    "UTF-8": ("UTF-8", TEXT, TEXT, "", False),
    "aws-chunked": ("aws-chunked", TEXT, TEXT, "", False),
    "a word of its own": ("surprise", TEXT, TEXT, "", False),
    "gzip": ("gzip", GZIPPED, TEXT, "", False),
    "GZIP, in capitals": (" GZIP ", GZIPPED, TEXT, "", False),
    "x-gzip": ("x-gzip", GZIPPED, TEXT, "", False),
    "gzip under two labels": ("aws-chunked, gzip", GZIPPED, TEXT, "", False),
    "gzip in two members": ("gzip", gzip.compress(TEXT[:20]) + gzip.compress(TEXT[20:]), TEXT, "", False),
    "gzip with something behind it": ("gzip", GZIPPED + b"\0\0\0\0", TEXT, "", False),
    "plain as gzip": ("gzip", TEXT, TEXT, "and is not", False),
    "one byte as gzip": ("gzip", b"1", b"1", "", False),
    "nothing as gzip": ("gzip", b"", b"", "", False),
    "gzip without its last bytes": ("gzip", GZIPPED[:-8], TEXT, "no end", True),
    "gzip with a wrong sum": ("gzip", GZIPPED[:-8] + b"\1\2\3\4" + GZIPPED[-4:], TEXT, "broken", True),
    "deflate": ("deflate", zlib.compress(TEXT), TEXT, "", False),
    "deflate without a wrapper": ("deflate", raw_deflate(TEXT), TEXT, "", False),
    "large deflate without a wrapper": ("deflate", raw_deflate(NOISE), NOISE, "", False),
    "plain as deflate": ("deflate", TEXT, TEXT, "and is not", False),
    "a picture as deflate": ("deflate", PNG, PNG, "and is not", False),
    "sound as deflate": ("deflate", b"RIFF\x24\x08\0\0WAVE" + NOISE[:900], b"RIFF\x24\x08\0\0WAVE" + NOISE[:900],
                         "and is not", False),
    "gzip as deflate": ("deflate", GZIPPED, TEXT, "", False),
    "deflate with a wrong sum": ("deflate", zlib.compress(NOISE)[:-1] + b"\0", NOISE, "broken", True),
    "deflate that is cut": ("deflate", raw_deflate(NOISE)[:1500], NOISE[:1495], "no end", True),
    "a few bytes as deflate": ("deflate", b"ok", b"ok", "and is not", False),
    "br": ("br", b"\x0b\x02\x80abc\x03", b"\x0b\x02\x80abc\x03", "(br; the package brotli 1.2 reads it)", False),
    "plain as br": ("br", TEXT, TEXT, "(br; the package brotli 1.2 reads it)", False),
    "twice": ("gzip, gzip", gzip.compress(GZIPPED), TEXT, "", False),
    "once under two labels of it": ("gzip, gzip", GZIPPED, TEXT, "and is not", False),
    "plain under two labels": ("gzip, gzip", TEXT, TEXT, "and is not", False),
    "deflate, and then gzip": ("deflate, gzip", gzip.compress(zlib.compress(TEXT)), TEXT, "", False),
    "twice without the last bytes": ("gzip, gzip", gzip.compress(GZIPPED)[:-8], TEXT, "no end", True),
    "twice with one label": ("gzip", gzip.compress(GZIPPED), GZIPPED, "", False),
    "thrice": ("gzip, gzip, gzip", GZIPPED, GZIPPED, "more than twice", False),
    "gzip, and then another way": ("gzip, zstd", GZIPPED, GZIPPED, "not read (zstd)", False),
    "gzip without a label": ("", GZIPPED, GZIPPED, "", False),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("cut", [1, 7, 65536])
def test_what_is_in_a_body_is_read_whatever_its_label_says(name, cut, monkeypatch):
    monkeypatch.setattr(encodings, "_brotli", lambda: None)
    label, content, expected, problem, is_cut = TABLE[name]
    read, odd, cut_short = undone(label, content, cut)
    assert (read, cut_short) == (expected, is_cut)
    assert problem in odd and bool(problem) == bool(odd)


@pytest.mark.parametrize("cut", [1, 65536])
def test_brotli_is_read_where_its_package_is_there(cut):
    brotli = pytest.importorskip("brotli")
    for content in (TEXT, NOISE, b"a"):
        assert undone("br", brotli.compress(content), cut) == (content, "", False)
    for content in (TEXT, PNG):
        assert undone("br", content, cut) == (content, "it is said to be compressed, and is not", False)
    read, problem, is_cut = undone("br", brotli.compress(NOISE)[:100_000])
    assert is_cut and problem and NOISE.startswith(read) and len(read) > 30_000
    bomb = brotli.compress(bytes(50_000_000))
    pieces = list(map(len, Decoding("br").feed(bomb)))
    assert sum(pieces) == 50_000_000 and max(pieces) < 100_000


def test_text_that_was_compressed_without_a_word_is_unpacked_and_files_are_not():
    assert undone("", GZIPPED, sniffs=True) == (TEXT, "", False)
    assert undone("", TEXT, sniffs=True) == (TEXT, "", False)
    assert undone("gzip", gzip.compress(GZIPPED), sniffs=True) == (TEXT, "", False)
    assert undone("", GZIPPED, sniffs=False) == (GZIPPED, "", False)


def test_a_cut_or_broken_stream_gives_all_that_came_before():
    packed = gzip.compress(NOISE)
    read, problem, is_cut = undone("gzip", packed[:100_000])
    assert is_cut and problem and len(read) > 90_000 and NOISE.startswith(read)
    broken = packed[:100_000] + b"\xff" * 50 + packed[100_050:]
    read, problem, is_cut = undone("gzip", broken)
    assert is_cut and len(read) > 90_000 and read[:90_000] == NOISE[:90_000]


def test_a_bomb_comes_in_small_pieces():
    bomb = gzip.compress(bytes(50_000_000))
    assert max(len(piece) for piece in Decoding("gzip").feed(bomb)) <= 65536
    twice = Decoding("gzip, gzip").feed(gzip.compress(bomb))
    assert len(next(twice)) <= 65536


@given(
    st.binary(max_size=3000), st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"]), st.integers(1, 50)
)
def test_no_bytes_make_it_raise_and_none_are_lost_where_nothing_was_compressed(content, label, cut):
    read, problem, _ = undone(label, content, cut)
    if not content.startswith(b"\x1f\x8b") and problem.startswith("it is said"):
        assert read == content
