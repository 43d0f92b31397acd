"""The sandbox as a client of Modellix sees it: paths, envelopes, errors, files."""

from __future__ import annotations

import io
import json
import signal
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import KEY, PATIENCE, read_events
from mediakit.sandbox import Sandbox, forms

MODEL = "google/nano-banana"


class Client:
    """Plain HTTP, with a key, to a server that speaks Modellix's contract."""

    def __init__(self, origin: str, key: str | None = KEY):
        import requests

        self.base = origin + "/api/v1"
        self._session = requests.Session()
        self._session.trust_env = False
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def __call__(self, method: str, path: str, **more):
        url = path if path.startswith("http") else f"{self.base}/{path}"
        return self._session.request(method, url, timeout=PATIENCE, allow_redirects=False, **more)

    def create(self, words: str = "a tin boat", path: str = MODEL, **fields):
        return self("POST", path, json={"prompt": words, **fields})

    def finish(self, created: dict) -> dict:
        """The task's data when it has ended."""
        while True:
            task = self("GET", f"tasks/{created['data']['task_id']}").json()["data"]
            if task["status"] not in ("pending", "processing", "warming_up"):
                return task


@pytest.fixture
def server():
    with Sandbox(None, "modellix") as running:
        yield running


@pytest.fixture
def client(server):
    return Client(server.url)


# -- creating and waiting ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "tells_where"),
    [
        (MODEL, True),
        (f"{MODEL}/async", True),
        (f"text-to-image/{MODEL}/async", False),
        ("google/nano%2Dbanana", True),
    ],
)
def test_every_form_of_the_path_creates_the_same(client, path, tells_where):
    created = client.create(path=path).json()
    assert (created["code"], created["data"]["status"], created["data"]["model_id"]) == (0, "pending", MODEL)
    assert ("get_result" in created["data"]) == tells_where
    task = client.finish(created)
    assert (task["status"], task["task_id"], task["model_id"]) == ("success", created["data"]["task_id"], MODEL)


@pytest.mark.parametrize(
    "path", ["google", f"text-to-image/{MODEL}", f"no-type/{MODEL}/async", "tasks/x", "a%2Fb/c", "a//b", "team/balance"]
)
def test_no_other_path_creates(client, server, path):
    answer = client.create(path=path)
    assert (answer.status_code, answer.json()["code"]) == (404, 404)
    assert server.store.newest(10) == []


def test_get_result_leads_to_the_task(client):
    created = client.create().json()["data"]
    assert created["get_result"]["method"] == "GET"
    assert client("GET", created["get_result"]["url"]).json()["data"]["task_id"] == created["task_id"]


def test_a_task_goes_on_while_nobody_looks_and_tells_when_its_result_expires(client, server):
    created = client.create("a tin boat fault:job-slow").json()["data"]
    task = client("GET", f"tasks/{created['task_id']}").json()["data"]
    assert task["status"] in ("pending", "processing") and "result" not in task
    done = client.finish(client.create().json())
    job = server.store.find(done["task_id"])
    assert done["result_expires_at"] == round((job.created + 7 * 24 * 3600) * 1000)
    assert done["duration"] == 600
    assert done["billing"] == {"amount": 0.03}


@pytest.mark.parametrize(
    ("model", "body", "kind", "head"),
    [
        (MODEL, {"prompt": "a", "aspectRatio": "16:9"}, "image", b"\x89PNG"),
        ("alibaba/wan2.7-t2v", {"prompt": "a"}, "video", b"\0\0\0"),
        ("alibaba/qwen-audio-3.0-tts-flash", {"text": "hello", "voice": "x"}, "audio", b"RIFF"),
        ("alibaba/cosyvoice-clone", {"model": "x", "url": "https://a.invalid/a.wav", "text": "b"}, "audio", b"RIFF"),
        ("openai/whisper-1", {"url": "https://a.invalid/a.wav"}, "document", b"SANDBOX TEXT"),
    ],
)
def test_each_kind_of_result_is_a_real_file(client, model, body, kind, head):
    task = client.finish(client("POST", model, json=body).json())
    (resource,) = task["result"]["resources"]
    content = client("GET", resource["url"]).content
    assert (resource["type"], resource["role"], resource["size"]) == (kind, "primary", len(content))
    assert content.startswith(head) and resource["url"].endswith(resource["format"])
    if kind == "image":
        assert (resource["width"], resource["height"]) == (768, 432)
    if kind == "audio":
        with wave.open(io.BytesIO(content)) as sound:
            assert sound.getnframes() / sound.getframerate() == resource["duration"]
    if kind == "document":
        assert task["result"]["text"] == content.decode()


def test_n_asks_for_several_results(client):
    task = client.finish(client.create(path="alibaba/wan2.6-t2i", n=3).json())
    assert [resource["role"] for resource in task["result"]["resources"]] == ["primary", "alternative", "alternative"]
    assert task["result"]["metadata"]["image_count"] == 3


# -- refusals and faults -------------------------------------------------------------------------------


def test_a_body_that_the_contract_refuses_buys_nothing(client, server):
    for content in (b"", b"[]", b'"text"', b"{", json.dumps({}).encode(), json.dumps({"prompt": 5}).encode()):
        answer = client("POST", MODEL, data=content)
        assert (answer.status_code, answer.json()["code"]) == (400, 400)
        assert ": " in answer.json()["message"]
    assert server.store.newest(10) == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(
    st.sampled_from((MODEL, "kling/kling-v2.1-i2i", "openai/whisper-1", "some/model")),
    st.dictionaries(
        st.sampled_from(("prompt", "text", "n", "image", "size", "aspectRatio", "seed")), _JSON, max_size=4
    ),
)
def test_every_body_gets_an_answer_and_every_task_a_file(client, server, model, body):
    answer = client("POST", model, json=body)
    assert answer.json()["code"] == (0 if answer.status_code == 200 else 400)
    if answer.status_code == 200:
        assert client("GET", f"{server.url}/m/{answer.json()['data']['task_id']}/1.any").status_code == 200


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422, 429, 500, 503])
def test_a_status_as_fault_has_the_services_body(client, server, status):
    answer = client.create(f"a tin boat fault:create-{status}")
    assert (answer.status_code, answer.json()["code"]) == (status, status)
    assert server.store.newest(10) == []
    limits = {name for name in answer.headers if name.startswith("X-RateLimit-") or name == "Retry-After"}
    assert len(limits) == (4 if status == 429 else 0)


@pytest.mark.parametrize("fault", ["create-lost", "create-truncated", "create-502", "create-redirect"])
def test_the_faults_without_an_answer_in_json(client, server, fault):
    import requests

    accepted = fault in ("create-lost", "create-truncated")
    if fault == "create-lost":
        with pytest.raises(requests.ConnectionError):
            client.create(f"a fault:{fault}")
    else:
        answer = client.create(f"a fault:{fault}")
        assert answer.status_code == {"create-502": 502, "create-redirect": 307, "create-truncated": 200}[fault]
    assert len(server.store.newest(10)) == int(accepted)


def test_an_answer_can_lack_the_id_of_an_accepted_task(client, server):
    created = client.create("a fault:create-no-id").json()
    (job,) = server.store.newest(10)
    assert created["code"] == 0 and "task_id" not in created["data"] and job.id not in json.dumps(created)


def test_older_answers_hold_bare_addresses(client):
    task = client.finish(client.create("a fault:result-older").json())
    assert "result" not in task and "result_expires_at" not in task
    assert client("GET", task["resources"][0]).content.startswith(b"\x89PNG")


def test_too_many_requests_once_and_then_no_more(client):
    assert [client.create("a fault:create-429-once").status_code for _ in range(2)] == [429, 200]


@pytest.mark.parametrize(("fault", "status"), [("job-failed", "failed"), ("job-canceled", "canceled")])
def test_a_job_that_fails_says_so_and_has_no_result(client, fault, status):
    task = client.finish(client.create(f"a fault:{fault}").json())
    assert (task["status"], "result" in task, bool(task["error"]["message"])) == (status, False, True)


def test_an_unknown_status_comes_before_the_end(client):
    created = client.create("a fault:status-unknown").json()
    seen = set()
    while "success" not in seen:
        seen.add(client("GET", f"tasks/{created['data']['task_id']}").json()["data"]["status"])
    assert "WARMING_UP" in seen


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ("poll-404", [404, 404, 200]),
        ("poll-429", [429, 200, 200]),
        ("poll-502", [502, 502, 200]),
        ("poll-401", [401, 401, 401]),
        ("poll-truncated", [200, 200, 200]),
    ],
)
def test_reads_that_fail(client, fault, statuses):
    path = f"tasks/{client.create(f'a fault:{fault}').json()['data']['task_id']}"
    answers = [client("GET", path) for _ in statuses]
    assert [answer.status_code for answer in answers] == statuses
    if fault == "poll-truncated":
        with pytest.raises(ValueError):
            answers[0].json()


def test_a_result_that_has_expired_and_a_task_that_never_was(client):
    task = client.finish(client.create("a fault:result-expired").json())
    assert client("GET", task["result"]["resources"][0]["url"]).status_code == 403
    assert client("GET", "tasks/task-000000000000").status_code == 404


def test_a_stream_fault_has_nothing_to_break(client):
    assert client.finish(client.create("a fault:stream-drop").json())["status"] == "success"


# -- account and models ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "is_valid"), [(KEY, True), ("bad-key", False), (None, False)])
def test_a_key_is_judged_with_status_200(server, key, is_valid):
    answer = Client(server.url, key)("GET", "apikey/validate")
    assert (answer.status_code, answer.json()["data"]) == (200, {"is_valid": is_valid})


def test_a_wrong_key_is_refused_and_none_is_needed(server):
    assert Client(server.url, None).create().status_code == 200
    bad = Client(server.url, "bad-key")
    for answer in (bad.create(), bad("GET", "models"), bad("GET", "team/balance"), bad("GET", "media/files")):
        assert (answer.status_code, answer.json()["code"]) == (401, 401)


def test_the_balance_is_a_number(client):
    assert isinstance(client("GET", "team/balance").json()["data"]["balance"], float)


def test_the_models_come_without_an_envelope(client):
    everything = client("GET", "models").json()
    assert list(everything) == ["models"]
    types = {model["slug"]: model.get("type") for model in everything["models"]}
    assert types[MODEL] == "text-to-image" and types["openai/whisper-1"] == "speech-to-text"
    featured = client("GET", "models?featured=true").json()["models"]
    assert 0 < len(featured) < len(types) and "google/nano-banana-2-lite" in {row["slug"] for row in featured}
    audio = {row["slug"] for row in client("GET", "models?category=audio").json()["models"]}
    assert {"openai/whisper-1", "alibaba/cosyvoice-clone"} <= audio and MODEL not in audio
    pages = [client("GET", f"models?page={page}&page_size=10").json()["models"] for page in (1, 2)]
    assert [len(page) for page in pages] == [10, 10] and pages[0] != pages[1]
    assert len(client("GET", "models?page=1").json()["models"]) == 24


# -- files -------------------------------------------------------------------------------------------------


def test_a_file_comes_back_as_it_was_and_can_be_deleted(client):
    content = bytes(range(256)) * 40 + b"\r\n--not the boundary\r\n\r\n"
    answer = client("POST", "media/files", files={"file": ("dir/bl\u00e4.png", content, "image/png")})
    kept = answer.json()["data"]
    assert (kept["type"], kept["filename"], kept["size"]) == ("image", "bl\u00e4.png", len(content))
    assert client("GET", kept["url"]).content == content
    assert [row["file_id"] for row in client("GET", "media/files").json()["data"]["files"]] == [kept["file_id"]]
    assert client("DELETE", f"media/files/{kept['file_id']}").status_code == 200
    assert client("DELETE", f"media/files/{kept['file_id']}").status_code == 404
    assert client("GET", kept["url"]).status_code == 404
    assert client("GET", "media/files").json()["data"]["files"] == []


def test_what_is_no_upload_is_refused(client):
    for more in ({"json": {}}, {"files": {"other": ("a.png", b"x")}}, {"data": b"", "headers": {"Content-Type": "x"}}):
        assert client("POST", "media/files", **more).status_code == 400
    assert client("PUT", "media/files", data=b"x").status_code == 405


@given(st.binary(max_size=400), st.text(min_size=1, max_size=30).filter(lambda name: name.isprintable()))
def test_a_form_gives_the_bytes_that_went_in(content, name):
    import requests

    body = requests.Request(
        "POST", "http://x", files={"a": ("x", b"y"), "file": (name, content, "image/png")}
    ).prepare()
    file = forms.file_of(body.headers["Content-Type"], body.body, "file")
    assert (file.content, file.media_type) == (content, "image/png")


@given(st.text(max_size=60), st.binary(max_size=200))
def test_no_bytes_make_the_form_reader_fail(content_type, body):
    for told in (content_type, "multipart/form-data; boundary=b"):
        found = forms.file_of(told, body, "file")
        assert found is None or isinstance(found.content, bytes)


def test_a_download_can_go_on_where_it_stopped(client):
    url = client.finish(client.create().json())["result"]["resources"][0]["url"]
    whole = client("GET", url)
    size = len(whole.content)
    assert whole.headers["Accept-Ranges"] == "bytes" and int(whole.headers["Content-Length"]) == size
    head = client("HEAD", url)
    assert (head.content, head.headers["ETag"], head.headers["Content-Length"]) == (
        b"", whole.headers["ETag"], str(size),
    )  # fmt: skip
    for asked, first, last in (("0-99", 0, 99), ("100-", 100, size - 1), ("-50", size - 50, size - 1)):
        part = client("GET", url, headers={"Range": f"bytes={asked}", "If-Range": whole.headers["ETag"]})
        assert (part.status_code, part.headers["Content-Range"]) == (206, f"bytes {first}-{last}/{size}")
        assert part.content == whole.content[first : last + 1]
    assert client("GET", url, headers={"Range": f"bytes={size}-"}).status_code == 416
    changed = client("GET", url, headers={"Range": "bytes=5-9", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, whole.content)
    assert client("PUT", url, data=b"x").status_code == 405


# -- what a test can see, and other processes ----------------------------------------------------------------


def test_exchanges_show_a_request_but_not_its_key(client, server):
    client.create()
    exchange = server.exchanges[-1]
    assert (exchange.method, exchange.path, exchange.status) == ("POST", f"/api/v1/{MODEL}", 200)
    assert json.loads(exchange.body) == {"prompt": "a tin boat"}
    assert exchange.headers["authorization"] == "Bearer [redacted]"
    assert exchange.headers["content-type"] == "application/json"
    assert server.requests[-1] == (exchange.method, exchange.path)


def test_services_keep_their_jobs_apart_in_one_file(tmp_path):
    folder = str(tmp_path)
    with Sandbox(folder, "modellix") as modellix, Sandbox(folder, "skills-video") as other:
        task = Client(modellix.url).create().json()["data"]["task_id"]
        assert other.store.find(task) is None and modellix.store.find(task).model == MODEL
        assert other.store.newest(10) == []
    with Sandbox(folder, "modellix") as again:
        assert Client(again.url)("GET", f"tasks/{task}").status_code == 200
    assert [path.name for path in tmp_path.glob("*.sqlite3")] == ["sandbox-jobs.sqlite3"]


def test_the_script_serves_it(scripts):
    process = scripts.start("sandbox.py", "--as", "modellix", "--fault", "job-failed")
    ready = json.loads(process.stdout.readline())
    assert (ready["service"], ready["url"]) == ("modellix", ready["origin"] + "/api/v1")
    client = Client(ready["origin"])
    assert client.finish(client.create().json())["status"] == "failed"
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert read_events(stdout)[-1]["exit_code"] == process.returncode == 128 + signal.SIGTERM
    assert stderr == b""


def test_a_service_that_it_does_not_speak_is_a_bad_argument(scripts):
    run = scripts.run("sandbox.py", "--as", "modelix")
    assert (run.code, run.result["field"]) == (2, "--as")
