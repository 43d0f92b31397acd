"""The OpenAPI document of a service that makes videos in jobs."""

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
