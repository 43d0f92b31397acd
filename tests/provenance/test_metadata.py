"""A text inside a media file: it can be read back, and what the file shows is the same as before."""

import io
import json
import os
import shutil
import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from conftest import MP4
from mediakit.provenance import metadata

TEXT = json.dumps({"prompt": 'a "tin" <boat> & ]]> \u202e \x00 é', "more": "x" * 20_000})


def picture(form: str, mode: str = "RGB", **options) -> bytes:
    image = Image.effect_noise((61, 47), 70).convert("RGB")
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize((61, 47)))
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def png_chunk(name: bytes, content: bytes) -> bytes:
    import zlib

    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


MEDIA = {
    "png": ("image/png", picture("PNG")),
    "png with alpha": ("image/png", picture("PNG", "RGBA")),
    "png with something behind its end": ("image/png", picture("PNG") + b"behind"),
    "jpeg": ("image/jpeg", picture("JPEG")),
    "progressive jpeg with exif": ("image/jpeg", picture("JPEG", progressive=True, exif=Image.Exif())),
    "webp": ("image/webp", picture("WEBP")),
    "webp with alpha": ("image/webp", picture("WEBP", "RGBA")),
    "lossless webp": ("image/webp", picture("WEBP", lossless=True)),
    "lossless webp with alpha": ("image/webp", picture("WEBP", "RGBA", lossless=True)),
    "mp4": ("video/mp4", MP4),
    "mp4 with a long box": ("video/mp4", MP4 + struct.pack(">I4sQ", 1, b"free", 20) + b"four"),
    "mov": ("video/quicktime", MP4),
}
every_medium = pytest.mark.parametrize("media_type, content", MEDIA.values(), ids=MEDIA.keys())


def put(tmp_path, content: bytes) -> str:
    path = tmp_path / "file"
    path.write_bytes(content)
    return str(path)


def seen(path: str, media_type: str):
    """What a file shows: its pixels, or everything in it but the box that was put in."""
    if media_type.startswith("image/"):
        with Image.open(path) as image:
            return image.size, image.mode, image.convert("RGBA").tobytes()
    with open(path, "rb") as file:
        content = file.read()
    return content[: len(content) - content[::-1].find(b"diuu") - 8] if b"uuid" in content else content


@every_medium
def test_a_text_can_be_read_back_and_the_picture_is_the_same(tmp_path, media_type, content):
    path = put(tmp_path, content)
    before = seen(path, media_type)
    assert metadata.extract(path, media_type) is None
    metadata.embed(path, media_type, TEXT)
    assert metadata.extract(path, media_type) == TEXT
    assert seen(path, media_type) == before
    assert os.listdir(tmp_path) == ["file"]


@every_medium
def test_a_file_that_is_cut_anywhere_is_left_as_it_is_or_read_back(tmp_path, media_type, content):
    for length in [*range(64), *range(64, len(content), max(1, len(content) // 40))]:
        path = put(tmp_path, content[:length])
        try:
            metadata.embed(path, media_type, "{}")
        except metadata.Unembedded:
            with open(path, "rb") as file:
                assert file.read() == content[:length]
            assert metadata.extract(path, media_type) is None
        else:
            assert metadata.extract(path, media_type) == "{}"
        assert os.listdir(tmp_path) == ["file"]


@given(content=st.binary(max_size=300), head=st.sampled_from([b"", *(content[:40] for _, content in MEDIA.values())]))
def test_what_is_no_medium_is_left_as_it_is(tmp_path_factory, content, head):
    path = str(tmp_path_factory.mktemp("any") / "file")
    for media_type in ("image/png", "image/jpeg", "image/webp", "video/mp4"):
        with open(path, "wb") as file:
            file.write(head + content)
        assert metadata.extract(path, media_type) is None
        try:
            metadata.embed(path, media_type, "{}")
        except metadata.Unembedded:
            with open(path, "rb") as file:
                assert file.read() == head + content
        else:
            assert metadata.extract(path, media_type) == "{}"


@given(text=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=500))
def test_any_printable_ascii_comes_back_as_it_was(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("any")
    for media_type, content in [MEDIA["png"], MEDIA["jpeg"], MEDIA["webp"], MEDIA["mp4"]]:
        path = put(folder, content)
        metadata.embed(path, media_type, text)
        assert metadata.extract(path, media_type) == text


SIGNED_PNG = MEDIA["png"][1][:33] + png_chunk(b"caBX", b"manifest") + MEDIA["png"][1][33:]
SIGNED_JPEG = b"\xff\xd8\xff\xeb\0\x08JP\0\0\0\0" + MEDIA["jpeg"][1][2:]
SIGNED_WEBP = b"RIFF" + struct.pack("<I", len(MEDIA["webp"][1]) + 4) + MEDIA["webp"][1][8:] + b"C2PA\x04\0\0\0sign"
SIGNED_MP4 = MP4 + box(b"uuid", bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + b"manifest")


@pytest.mark.parametrize(
    "media_type, content",
    [
        ("image/png", SIGNED_PNG),
        ("image/jpeg", SIGNED_JPEG),
        ("image/webp", SIGNED_WEBP),
        ("video/mp4", SIGNED_MP4),
    ],
)
def test_a_signed_file_keeps_its_signature(tmp_path, media_type, content):
    path = put(tmp_path, content)
    with pytest.raises(metadata.Unembedded, match="signed"):
        metadata.embed(path, media_type, TEXT)
    with open(path, "rb") as file:
        assert file.read() == content


@pytest.mark.parametrize("name", ["jpeg", "webp", "mp4"])
def test_a_packet_of_its_own_is_not_replaced(tmp_path, name):
    media_type, content = MEDIA[name]
    path = put(tmp_path, content)
    metadata.embed(path, media_type, "{}")
    with pytest.raises(metadata.Unembedded, match="of its own"):
        metadata.embed(path, media_type, TEXT)
    assert metadata.extract(path, media_type) == "{}"


@pytest.mark.parametrize(
    "content",
    [
        MP4 + struct.pack(">I4s", 0, b"free"),  # a box that reaches to the end, wherever that is
        MP4 + box(b"mfra", b"index"),
        MP4 + b"\0\0\0\x04free",
        MP4 + struct.pack(">I4sQ", 1, b"free", 2**63),
    ],
)
def test_a_video_that_cannot_be_added_to_is_left_as_it_is(tmp_path, content):
    path = put(tmp_path, content)
    with pytest.raises(metadata.Unembedded):
        metadata.embed(path, "video/mp4", TEXT)
    with open(path, "rb") as file:
        assert file.read() == content


@pytest.mark.parametrize("media_type", ["image/gif", "audio/mpeg", "video/webm", "application/octet-stream"])
def test_an_unknown_type_is_left_as_it_is(tmp_path, media_type):
    with pytest.raises(metadata.Unembedded, match=media_type):
        metadata.embed(put(tmp_path, b"content"), media_type, "{}")


def test_a_text_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(metadata.Unembedded, match="characters"):
        metadata.embed(put(tmp_path, MP4), "video/mp4", "x" * (metadata.LONGEST_TEXT + 1))


def test_the_longest_text_fits_into_every_type(tmp_path):
    for media_type, content in MEDIA.values():
        path = put(tmp_path, content)
        metadata.embed(path, media_type, ('"<&' + "x" * 20) * (metadata.LONGEST_TEXT // 23))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_packet_whose_declarations_hide_in_another_encoding_is_not_read(encoding):
    bomb = (
        "\ufeff<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]>"
        '<x xmlns:aim="urn:ai-media:provenance:1#" aim:provenance="&b;"/>\n '
    )
    assert metadata._text_of(bomb.encode(encoding) + b" ") is None
    assert metadata._text_of(bomb.encode(encoding)) is None


def test_a_packet_that_declares_entities_is_not_read(tmp_path):
    path = put(tmp_path, MP4)
    metadata.embed(path, "video/mp4", "{}")
    with open(path, "rb") as file:
        content = file.read()
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&a;</x:xmpmeta>'
    packet = content[content.index(b"<?xpacket") :]
    changed = content.replace(packet, bomb + b" " * (len(packet) - len(bomb)))
    assert metadata.extract(put(tmp_path, changed), "video/mp4") is None


def test_a_packet_that_another_program_wrote_anew_is_still_read(tmp_path):
    path = put(tmp_path, MP4)
    metadata.embed(path, "video/mp4", '{"a":1}')
    with open(path, "rb") as file:
        content = file.read()
    changed = content.replace(b"xmlns:aim=", b"xmlns:own=").replace(b"aim:provenance=", b"own:provenance=")
    assert metadata.extract(put(tmp_path, changed), "video/mp4") == '{"a":1}'


def test_a_video_of_a_gigabyte_is_not_read(tmp_path):
    """A sparse file: reading it, or copying it, would take its whole size of memory or disk."""
    path = tmp_path / "file"
    with open(path, "wb") as file:
        file.write(MP4 + struct.pack(">I4sQ", 1, b"mdat", 2**30))
        file.truncate(len(MP4) + 2**30)
    metadata.embed(str(path), "video/mp4", TEXT)
    assert metadata.extract(str(path), "video/mp4") == TEXT
    if hasattr(os.stat(path), "st_blocks"):
        assert os.stat(path).st_blocks * 512 < 2**20


def test_a_disk_that_fills_up_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    import signal

    for name in ("png", "jpeg", "webp", "mp4"):
        media_type, content = MEDIA[name]
        path = put(tmp_path, content)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) + 1000, before[1]))
        try:
            with pytest.raises(metadata.Unembedded):
                metadata.embed(path, media_type, TEXT)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)
        with open(path, "rb") as file:
            assert file.read() == content
        assert os.listdir(tmp_path) == ["file"]


def test_a_player_sees_the_same_video(tmp_path):
    if not shutil.which("ffmpeg") or subprocess.run(["ffmpeg", "-version"], capture_output=True).returncode:
        pytest.skip("no ffmpeg to play it with, or one that does not start")
    path = put(tmp_path, MP4)

    def played() -> bytes:
        command = ["ffmpeg", "-v", "error", "-i", path, "-f", "framemd5", "-"]
        return subprocess.run(command, capture_output=True, check=True).stdout

    before = played()
    metadata.embed(path, "video/mp4", TEXT)
    assert played() == before
