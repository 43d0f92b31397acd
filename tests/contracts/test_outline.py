"""What a document tells of a service, for a descriptor to begin with."""

from __future__ import annotations

from mediakit import contracts
from mediakit.contracts.outline import Place, outline

TEXT = {"type": "string"}


def an_object(**properties):
    return {"type": "object", "properties": properties, "required": list(properties)[:1]}


def content(schema):
    return {"content": {"application/json": {"schema": schema}}}


BODY = an_object(prompt=TEXT, image_url={"type": "string", "format": "uri"}, options=an_object(text=TEXT))
STATE = {"type": "string", "enum": ["starting", "succeeded", "failed"]}
ANSWER = an_object(
    status=STATE,
    error=an_object(message=TEXT),
    output={"type": "array", "items": an_object(url={**TEXT, "format": "uri"})},
)
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {},
    "servers": [{"url": "https://api.example.com/v1"}],
    "paths": {
        "/videos": {
            "post": {
                "requestBody": content(BODY),
                "responses": {"202": content(an_object(data=an_object(task_id=TEXT)))},
            }
        },
        "/videos/{id}": {"get": {"responses": {"200": content(ANSWER)}}},
    },
}


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
