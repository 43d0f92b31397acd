"""Which fields make a service call somewhere, and that a payload can be had without them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mediakit import contracts
from mediakit.contracts import callbacks
from mediakit.services import catalogue


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("webhook", True), ("webhook_url", True), ("webhookUrl", True), ("web_hook", True), ("webhook_events_filter", True),
        ("callback_url", True), ("callBackUrl", True), ("call_back", True), ("notify_url", True), ("notifyURL", True),
        ("notification_endpoint", True), ("postback", True), ("X-Webhook-URL", True), ("fal_webhook", True),
        ("prompt", False), ("image_url", False), ("hook", False), ("recall", False), ("back", False), ("notes", False),
    ],
)  # fmt: skip
def test_a_callback_is_known_by_its_name(name, is_one):
    assert callbacks.is_callback(name) is is_one


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("accept_unknown_cost", True), ("acceptTerms", True), ("i_agree", True), ("consent", True), ("confirm", True),
        ("max_estimated_usd_per_image", True), ("maxCost", True), ("spend_limit", True), ("budget", False),
        ("thinking_budget", False), ("credit_limit", True), ("acknowledged", True), ("min_credits", True),
        ("max_images", False), ("max_tokens", False), ("prompt", False), ("cost_unit", False), ("agreement", False),
        ("guidance_scale", False), ("negative_prompt", False), ("limit", False), ("max_resolution", False),
    ],
)  # fmt: skip
def test_a_consent_is_known_by_its_name(name, is_one):
    assert callbacks.is_consent(name) is is_one


def test_a_payload_is_had_without_them_however_deep_they_lie():
    payload = {"prompt": "a", "webhook": "https://a.example", "input": [{"callback_url": "https://b.example", "n": 1}]}
    assert callbacks.without(payload) == (
        {"prompt": "a", "input": [{"n": 1}]},
        ["/webhook", "/input/0/callback_url"],
    )
    assert "webhook" in payload, "the caller's own is left as it is"


def test_a_contract_marks_what_its_name_does_not_tell():
    inner = {"type": "object", "properties": {"to": {"type": "string", "x-callback": True}, "n": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"prompt": {"type": "string"}, "deliver": inner}}
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}, "responses": {}}
    document = {"openapi": "3.1.0", "info": {}, "paths": {"/x": {"post": body}}}
    found = contracts.operation(contracts.from_data(document), "/x")
    assert found.fields()[1]["fields"][0]["callback"] is True
    payload = {"prompt": "to", "deliver": {"to": "https://a.example", "n": 1}}
    assert callbacks.without(payload, found) == ({"prompt": "to", "deliver": {"n": 1}}, ["/deliver/to"])


@pytest.mark.parametrize("service", catalogue.services())
def test_every_callback_of_a_bundled_contract_is_marked(service):
    pending = [json.loads(Path(catalogue.contract_path(service)).read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            properties = node.get("properties")
            for name, schema in properties.items() if isinstance(properties, dict) else ():
                assert not callbacks.is_callback(name) or schema.get("x-callback") is True, name
            pending += node.values()
        elif isinstance(node, list):
            pending += node
