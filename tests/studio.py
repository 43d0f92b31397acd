"""The descriptor of a service that a user could add."""

STUDIO = {
    "id": "studio",
    "name": "Studio",
    "sources": ["its documentation, 2026"],
    "origins": {"api": "https://api.studio.example"},
    "base_path": "/v1",
    "key": {"variable": "STUDIO_KEY", "header": "Authorization", "prefix": "Bearer "},
    "defaults": {"t2i": "studio/flash"},
    "create": [{"path": "/models/{model}/jobs", "prompt": "/prompt"}],
    "job": {"id": {"at": "/id", "like": "[a-z0-9]{8,40}"}, "read": {"path": "/jobs/{id}"}},
    "states": [
        {"state": "queued", "at": "/status", "is": ["waiting"]},
        {"state": "running", "at": "/status", "is": ["working"]},
        {"state": "succeeded", "at": "/status", "is": ["done"]},
        {"state": "failed", "at": "/status", "is": ["error"]},
    ],
    "outputs": [{"each": "/files", "url": "/href"}],
    "errors": {"code": ["/error/code"], "message": ["/error/message"]},
    "examples": {
        "created": {"id": "{id}", "status": "waiting"},
        "created_http": 202,
        "queued": {"id": "{id}", "status": "waiting"},
        "running": {"body": {"id": "{id}", "status": "working"}},
        "succeeded": {"t2i": {"status": "done", "files": [{"href": "{media}"}]}},
        "failed": [{"body": {"status": "error", "error": {"message": "blocked"}}}],
        "refused": {"401": {"error": {"code": "key", "message": "bad key"}}},
    },
}
