"""What is owned: uploaded pictures, and the results of jobs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import secrets

from ....base.regex import regex
from ... import media
from .. import common
from .words import Refusal

_ACCEPTED = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
}
# Own choice: the client's pattern of ids has no word of its own for 3D and text.
_PREFIXES = {"image": "image", "video": "video", "audio": "audio"}
_OF_JOB = regex(r"[a-z]+_([0-9a-zA-Z]+)_([1-9])")


# -- results ---------------------------------------------------------------------------------------


def of_job(call, job) -> list[dict]:
    """The assets that a job made."""
    return [_of_job(call, job, number) for number in _numbers(job)]


def ids_of_job(job) -> list[str]:
    return [_id(job, number) for number in _numbers(job)]


def _numbers(job) -> range:
    return common.numbers(job.input, "output_count")


def _id(job, number: int) -> str:
    return f"{_PREFIXES.get(job.media, 'asset')}_{job.id.removeprefix('job_')}_{number}"


def _of_job(call, job, number: int) -> dict:
    url = call.http.media_url(job, number)
    sides = media.facts(job.media, job.input)
    return {
        "asset_id": _id(job, number),
        "path": url,
        "url": url,
        "mime_type": media.TYPES[job.media][0],
        "content_length": len(media.render(job.media, job.input, number)),
        **{side: sides[side] for side in ("width", "height") if side in sides},
        "label": "durable_media",
        "downloadable": True,
    }


# -- uploads ---------------------------------------------------------------------------------------


def upload(call) -> dict:
    body = call.body
    mime_type = body.get("mime_type")
    if mime_type not in list(_ACCEPTED):
        raise Refusal("INPUT_POLICY_DENIED", "mime_type: is not one that can be uploaded")
    content = _content(body)
    asset_id = f"image_{secrets.token_hex(8)}"
    # Only the file's own name; no address and no folder of the client is kept.
    filename = re.split(r"[/\\]", str(body.get("filename") or f"{asset_id}.{_ACCEPTED[mime_type]}"))[-1][:200]
    told = {"media_type": mime_type, "filename": filename, "job_id": f"job_{secrets.token_hex(6)}"}
    kept = call.store.keep("file", asset_id, told, content)
    asset = of_upload(call, kept)
    return {
        "request": {
            "source_kind": body.get("source_kind"),
            "filename": filename,
            "remote_origin": body.get("remote_origin"),
        },
        "asset": {"kind": "uploaded", **asset},
        "upload": {
            "bytes": len(content),
            "mime_type": mime_type,
            "sha256": hashlib.sha256(content).hexdigest(),
            "policy": {"status": "allowed"},
        },
    }


def _content(body: dict) -> bytes:
    try:
        content = base64.b64decode(body.get("bytes_base64") or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Refusal("INVALID_ARGUMENTS", "bytes_base64: is not base64") from None
    if not content:
        raise Refusal("INVALID_ARGUMENTS", "bytes_base64: is required")
    if body.get("content_length") != len(content):
        raise Refusal("INVALID_ARGUMENTS", "content_length: is not the number of the bytes")
    if body.get("sha256") != hashlib.sha256(content).hexdigest():
        raise Refusal("INVALID_ARGUMENTS", "sha256: is not that of the bytes")
    if body.get("source_kind") not in ("local_path", "remote_url"):
        raise Refusal("INVALID_ARGUMENTS", "source_kind: is neither local_path nor remote_url")
    return content


def of_upload(call, record) -> dict:
    url = call.http.file_url(record.id, f"{record.id}.{_ACCEPTED[record.body['media_type']]}")
    return {
        "asset_id": record.id,
        "job_id": record.body["job_id"],
        "url": url,
        "mime_type": record.body["media_type"],
        "content_length": len(record.content),
        **_sides(record.content),
    }


def _sides(content: bytes) -> dict:
    """Width and height, where the bytes are a picture."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            return {"width": picture.width, "height": picture.height}
    except (OSError, ValueError, Image.DecompressionBombError):
        return {}


# -- reading ---------------------------------------------------------------------------------------


def find(call, asset_id) -> dict:
    """An owned asset; raises Refusal."""
    record = call.store.record("file", str(asset_id))
    if record:
        return of_upload(call, record)
    made = _OF_JOB.fullmatch(str(asset_id))
    job = call.store.find(f"job_{made[1]}") if made else None
    if job and not job.input.get("dry_run") and asset_id in ids_of_job(job):
        return {**_of_job(call, job, int(made[2])), "job_id": job.id}
    raise Refusal("NOT_FOUND", "no such asset")


def show(call) -> dict:
    found = {name: value for name, value in find(call, call.id).items() if name != "path"}
    return {
        "request": {"reference": call.id, "reference_type": "asset_id"},
        "asset": {**found, "source": "hosted_metadata"},
    }
