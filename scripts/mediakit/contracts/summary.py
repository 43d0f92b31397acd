"""An operation as the `contract` result of interface.md, small enough to be read.

By default the result is cut, one step after the other, until it fits `BUDGET` characters; what
was cut is said in `detail`. Template and `fill_in` are asked for by a flag and do not count.
"""

from __future__ import annotations

import json
from typing import Any, Callable

from .operations import Operation
from .rows import one_line

BUDGET = 6_000
SHORT_DESCRIPTION = 70
FEW_VALUES = 12
FEWEST_VALUES = 4
MOST_NAMES = 150


def summary(operation: Operation, include_template: bool = False, verbose: bool = False, variant: Any = None) -> dict:
    """The keys of a `contract` result; what the document does not say is absent."""
    result = _facts(operation, variant, verbose)
    if not verbose:
        result = fitted(result)
    if include_template:
        template, fill_in, valid = operation.template_and_validity(variant)
        result.update(request_template=template, fill_in=fill_in, template_valid=valid)
    return {key: value for key, value in result.items() if value is not None}


def _facts(operation: Operation, variant: Any, verbose: bool) -> dict:
    answers = operation.answers
    sse = answers.sse_create_endpoint
    return {
        "endpoint": operation.endpoint,
        "default_result_mode": "sse" if sse else "polling",
        "default_create_endpoint": sse or answers.polling_create_endpoint,
        "sse_create_endpoint": sse,
        "polling_create_endpoint": answers.polling_create_endpoint,
        "summary": operation.summary and one_line(operation.summary),
        "server_url": operation.server_url,
        "content_types": operation.content_types or None,
        "request_schema": operation.request_schema,
        "parameters": operation.parameters() or None,
        "variants": _variants(operation, verbose) or None,
        "fields": operation.fields(variant),
        "prediction_status_values": answers.status_values("prediction"),
        "queue_status_values": answers.status_values("queue"),
        "sse_subscribe_endpoint": answers.sse_subscribe_endpoint,
        "poll_endpoint": answers.poll_endpoint,
        "error_status_codes": answers.error_status_codes,
        "error_status_ranges": answers.error_status_ranges or None,
        "accepts_other_fields": operation.is_open or None,
        "verified": {"source": operation.source, "complete": operation.complete}
        if operation.source
        else {"complete": operation.complete},
    }


def _variants(operation: Operation, verbose: bool) -> list[dict]:
    listed = operation.variants()
    if not verbose:
        return listed
    return [
        {**item, "fields": operation.fields(item.get("value", item.get("title")))}
        if "value" in item or "title" in item
        else item
        for item in listed
    ]


def fitted(result: dict) -> dict:
    """The result with as much detail as `BUDGET` allows."""
    said = []
    for what, cut in _STEPS:
        if len(json.dumps(result, ensure_ascii=False, separators=(",", ":"))) <= BUDGET - 200:
            break
        result = cut(result)
        said.append(what)
    return {**result, "detail": f"cut: {', '.join(said)}; --verbose prints everything"} if said else result


def _each_row(change: Callable[[dict], dict]) -> Callable[[dict], dict]:
    """A step that changes every field, nested ones included."""

    def walk(row: dict) -> dict:
        row = change(row)
        return (
            {**row, "fields": [walk(inner) if isinstance(inner, dict) else inner for inner in row["fields"]]}
            if "fields" in row
            else row
        )

    def step(result: dict) -> dict:
        return {
            **result,
            **{key: [walk(row) for row in result[key]] for key in ("fields", "parameters") if result.get(key)},
        }

    return step


def _short_description(row: dict) -> dict:
    return {**row, "description": one_line(row["description"], SHORT_DESCRIPTION)} if "description" in row else row


def _no_description(row: dict) -> dict:
    return {key: value for key, value in row.items() if key != "description"}


def _few_values(limit: int) -> Callable[[dict], dict]:
    def few(row: dict) -> dict:
        for key in ("allowed_values", "known_values"):
            if len(row.get(key, ())) > limit:
                more = len(row[key]) - limit + row.get("more_values", 0)
                row = {**row, key: row[key][:limit], "more_values": more}
        return row

    return few


def _nested_names(result: dict) -> dict:
    rows = [
        {**row, "fields": [inner["name"] for inner in row["fields"]]} if "fields" in row else row
        for row in result["fields"]
    ]
    return {**result, "fields": rows}


def _bare(row: dict) -> dict:
    kept = ("name", "type", "required", "default", "allowed_values", "more_values", "takes_file")
    return {key: value for key, value in row.items() if key in kept}


def _names_of_optional(result: dict) -> dict:
    optional = [row["name"] for row in result["fields"] if not row["required"]]
    few = {
        **result,
        "fields": [_bare(row) for row in result["fields"] if row["required"]],
        "optional_fields": optional[:MOST_NAMES],
        "more_fields": max(0, len(optional) - MOST_NAMES) or None,
    }
    if few.get("variants"):
        few["variants"] = [
            {key: item[key] for key in ("field", "value", "title") if key in item} for item in few["variants"]
        ]
    return few


_STEPS = (
    ("long descriptions", _each_row(_short_description)),
    ("descriptions", _each_row(_no_description)),
    ("long lists of values", _each_row(_few_values(FEW_VALUES))),
    ("nested fields", _nested_names),
    ("most values", _each_row(_few_values(FEWEST_VALUES))),
    ("limits", _each_row(_bare)),
    ("optional fields", _names_of_optional),
)
