"""What a document tells of a service, for a descriptor to begin with."""

from __future__ import annotations

from mediakit import contracts
from mediakit.contracts.outline import Place, outline
from video_document import DOCUMENT


def test_what_a_descriptor_needs_is_found_where_it_stands():
    found = outline(contracts.operation(contracts.from_data(DOCUMENT), "POST /videos"))
    assert (found.endpoint, found.server_url, found.read) == (
        "POST /videos",
        "https://api.example.com/v1",
        "/videos/{id}",
    )
    assert [place.at for place in found.prompts] == ["/prompt", "/options/text"]
    assert [(place.at, kind) for place, kind in found.files] == [("/image_url", "image")]
    assert [place.at for place in found.ids] == ["/data/task_id"]
    assert found.states == (Place("/status", "string", ("starting", "succeeded", "failed")),)
    assert [place.at for place in found.results] == ["/output", "/output/-/url"]
    assert [place.at for place in found.errors] == ["/error", "/error/message"]


def test_what_a_document_does_not_show_stays_empty():
    bare = {"openapi": "3.1.0", "info": {}, "paths": {"/x": {"post": {"responses": {}}}}}
    found = outline(contracts.operation(contracts.from_data(bare), "/x"))
    assert found.read is None and found.server_url is None
    assert not (found.prompts or found.files or found.ids or found.states or found.results or found.errors)
