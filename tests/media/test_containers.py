"""Media files are known by their structure, and half a file is no file."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as some

from conftest import MP4
from mediakit.media import containers, formats, walking
from real_files import glb

FILM = "-f lavfi -i testsrc=size=160x120:rate=10:duration=2"
SOUND = "-f lavfi -i sine=duration=2"
VP8, H264 = "-c:v libvpx", "-c:v libx264"


def look(content: bytes) -> str:
    """What a file of these bytes is; raises walking.Broken."""
    media_type = formats.sniff(content[: formats.HEAD])
    return containers.inspect(io.BytesIO(content), len(content), media_type)


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(range(200)) * 10)
    return file.getvalue()


def element(name: str, *content: bytes, unknown: bool = False) -> bytes:
    inside = b"".join(content)
    size = b"\x01" + b"\xff" * 7 if unknown else struct.pack(">Q", len(inside) | 1 << 56)
    return bytes.fromhex(name) + size + inside


def webm(kind: int = 1, document: bytes = b"webm", unknown: bool = False) -> bytes:
    tracks = element("1654ae6b", element("ae", element("d7", b"\1"), element("83", bytes([kind]))))
    cluster = element("1f43b675", element("e7", b"\0"), element("a3", bytes(500)), unknown=unknown)
    head = element("1a45dfa3", element("4286", b"\1"), element("4282", document))
    return head + element("18538067", tracks, cluster, unknown=unknown)


def picture(form: str, **options) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.effect_noise((60, 60), 50).convert("RGB").save(file, form, **options)
    return file.getvalue()


WHOLE = {
    "video/mp4": MP4,
    "video/webm": webm(),
    "audio/webm": webm(kind=2),
    "video/x-matroska": webm(document=b"matroska"),
    "audio/wav": wav(),
    "model/gltf-binary": glb(),
    "image/png": picture("PNG"),
    "image/jpeg": picture("JPEG", progressive=True),
    "image/webp": picture("WEBP"),
    "image/svg+xml": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>\n',
}


@pytest.mark.parametrize("media_type", WHOLE)
def test_a_whole_file_is_known_and_a_cut_one_refused(media_type):
    content = WHOLE[media_type]
    assert look(content) == media_type
    for tenth in range(1, 10):
        with pytest.raises(walking.Broken):
            look(content[: min(max(len(content) * tenth // 10, 45), len(content) - 1)])


def test_a_film_of_unknown_length_is_whole_once_something_is_in_it():
    assert look(webm(unknown=True)) == "video/webm"


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg", "image/webp"])
def test_what_follows_a_picture_is_no_harm(media_type):
    assert look(WHOLE[media_type] + MP4) == media_type  # as telephones write pictures that move


def test_padding_after_the_last_box_is_no_harm():
    for padding in (b"\0", bytes(8), bytes(1000), b"\xff" * 20):
        assert look(MP4 + padding) == "video/mp4"


# ending -> (arguments of ffmpeg, media type, whether a cut shows in the structure)
MADE = {
    "mp4": (f"{FILM} {SOUND} {H264} -c:a aac", "video/mp4", True),
    "faststart.mp4": (f"{FILM} {H264} -movflags +faststart", "video/mp4", True),
    "fragments.mp4": (f"{FILM} {H264} -movflags frag_keyframe+empty_moov", "video/mp4", True),
    "sound.mp4": (f"{SOUND} -c:a aac", "audio/mp4", True),
    "m4a": (SOUND, "audio/mp4", True),
    "mov": (f"{FILM} {H264}", "video/quicktime", True),
    "webm": (f"{FILM} {SOUND} {VP8} -c:a libopus", "video/webm", True),
    "sound.webm": (f"{SOUND} -c:a libopus", "audio/webm", True),
    "mkv": (f"{FILM} {H264}", "video/x-matroska", True),
    "avi": (f"{FILM} -c:v mpeg4", "video/x-msvideo", True),
    "wav": (SOUND, "audio/wav", True),
    "mp3": (SOUND, "audio/mpeg", False),
    "ogg": (SOUND, "audio/ogg", False),
    "flac": (SOUND, "audio/flac", False),
    "aac": (SOUND, "audio/aac", False),
}


@pytest.mark.parametrize("ending", MADE)
def test_what_a_real_encoder_writes_is_known(tmp_path, ending):
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("no ffmpeg to make files with")
    arguments, media_type, shows = MADE[ending]
    path = tmp_path / f"a.{ending}"
    made = subprocess.run([program, "-v", "error", *arguments.split(), path], stdin=subprocess.DEVNULL, check=False)
    if made.returncode:
        pytest.skip("this ffmpeg lacks the encoder")
    content = path.read_bytes()
    assert look(content) == media_type
    for tenth in range(1, 10) if shows else ():
        with pytest.raises(walking.Broken):
            look(content[: len(content) * tenth // 10])


@given(
    some.sampled_from(sorted(WHOLE)),
    some.lists(some.tuples(some.integers(0, 5000), some.binary(min_size=1, max_size=8)), max_size=6),
)
def test_a_broken_file_is_only_ever_broken(media_type, changes):
    content = bytearray(WHOLE[media_type])
    for place, piece in changes:
        place %= len(content)
        content[place : place + len(piece)] = piece
    try:
        assert "/" in containers.inspect(io.BytesIO(content), len(content), media_type)
    except walking.Broken:
        pass


@given(some.binary(max_size=300))
def test_no_bytes_at_all_are_more_than_broken(content):
    formats.sniff(content)
    formats.words(content)
    for media_type in formats.ENDINGS:
        try:
            containers.inspect(io.BytesIO(content), len(content), media_type)
        except walking.Broken:
            pass


def test_an_empty_file_is_nothing():
    assert formats.sniff(b"") is formats.words(b"") is None


@pytest.mark.parametrize(
    "content, name",
    {
        b"<!DOCTYPE html>": "an HTML page",
        b"\xef\xbb\xbf  <html>": "an HTML page",
        b"<?xml version='1.0'?><Error/>": "XML",
        b'{"a": 1}': "JSON",
        b"[]": "JSON",
        b"Not found": "text",
        b"": None,
        b"\0\1\2": None,
        b"plain \xff": None,
    }.items(),
)
def test_words_are_told_from_media(content, name):
    assert formats.words(content) == name
