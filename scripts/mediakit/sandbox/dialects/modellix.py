"""What Modellix has beside its examples. What no source states is this sandbox's own choice and marked so."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from ...base.regex import regex
from . import by_examples, model_facts, queries

# Where no model can be, since the path has another meaning.
_TAKEN = frozenset(("tasks", "models", "apikey", "team", "media", "logs"))
_OLDEST = regex(r"([^/]+)/[^/]+/[^/]+/async")
_SCHEMA = regex(r"/models/([^/]+/[^/]+)/api_schema")
# Own choice: a category of /models holds what its answers are, and speech to text is about sound.
_CATEGORIES = {"text": "audio"}


class Dialect(by_examples.Dialect):
    """Three forms of a create's path, a model's schema, the list of files."""

    def __init__(self, service: str):
        super().__init__(service)
        self._types = frozenset(self.provider.says("models")["tasks"])

    def handle(self, sandbox, http, content: bytes) -> None:
        path = urlsplit(http.path).path
        schema = _SCHEMA.fullmatch(path)
        if http.method == "GET" and schema:
            return self._tell_schema(http, schema[1])
        path = path.removeprefix(self.BASE)
        is_good = not self.refuses_key(sandbox, http)
        if is_good and (http.method, path) == ("GET", "/media/files"):
            records = queries.page_of(sandbox.store.records("file", 100), queries.query(http))
            # Own choice: no source shows what the list is wrapped in.
            return self._succeed(http, {"files": [self._file(http, record) for record in records]})
        if is_good and http.method == "DELETE" and path.startswith("/media/files/"):
            file_id = path.rpartition("/")[2]
            # Own choice: no source shows the answer.
            is_gone = sandbox.store.forget("file", file_id)
            return self._succeed(http, {"file_id": file_id}) if is_gone else self.error(http, 404)
        return super().handle(sandbox, http, content)

    def words_of_model(self, entry: dict) -> dict:
        return {"category": _CATEGORIES.get(entry.get("media"), entry.get("media"))}

    def route_of(self, path: str, sent: dict):
        """{provider}/{model} from July 2026, the same with /async from April, and behind its type before."""
        route, model = super().route_of(path, sent)
        oldest = _OLDEST.fullmatch(path.removeprefix(self.BASE + "/"))
        is_one = model is not None and model.count("/") == 1 and "%" not in model and all(model.split("/"))
        if not is_one or model.partition("/")[0] in _TAKEN or (oldest and oldest[1] not in self._types):
            return None, None
        return route, model

    def change_of_created(self, http, job, path: str, fault: str | None):
        def change(body):
            if _OLDEST.fullmatch(path.removeprefix(self.BASE + "/")):
                del body["data"]["get_result"]
                body["data"]["duration"] = 0

        return change

    def _tell_schema(self, http, model: str) -> None:
        """A path item with the model's address, at the service's site and without a key, by the bundled contract."""
        contract = model_facts.contract(self.provider.name, unquote(model))
        if contract is None:
            return self.error(http, 404)
        body = {"required": True, "content": {contract.content_type: {"schema": contract.schema}}}
        post = {"summary": contract.summary, "requestBody": body, "responses": {"200": {"description": "Accepted"}}}
        post.update({} if contract.complete else {"x-complete": False})
        return http.answer(200, {"servers": [{"url": f"{http.url}{self.BASE}/{model}"}], "post": post})

    def _succeed(self, http, data) -> None:
        self.answer(http, 200, {"code": 0, "message": "success", "data": data})

    def _file(self, http, record) -> dict:
        example = self.told.example("uploaded", None)
        return self.told.filled(example, self.told.words_of_file(http, record))["data"]
