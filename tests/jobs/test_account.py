"""account.py: every action of every descriptor, what it refuses to do unasked, and hostile answers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import KEY, ROOT, posts
from fake_service import FakeService, answer, cut_short, hang, page, reset
from mediakit.base import errors
from mediakit.http import addresses
from mediakit.sandbox import Sandbox
from mediakit.services import actions, providers
from real_services import REAL

EVERY = [(name, action) for name in REAL for action in providers.load(name).actions]
TOKEN = "a_fake_restricted_token"
SPEECH = ("tts", "--param", "modelId=owner/voice", "--param", "text=a tin boat")
SIGNUP = ("signup", "--param", "agent_name=painter", "--param", "runtime=a test")
BUY = ("buy", "--param", "quote_id=quote_1", "--param", "payment_method=stripe_checkout")


def env_of(service: str, key: str = KEY) -> dict:
    return {providers.load(service).key["variable"]: key}


def act(scripts, service: str, server, *words: str, **options):
    """account.py with a service at a server's address, with a key in the environment."""
    where = getattr(server, "origin", None) or server.url
    options.setdefault("env", env_of(service))
    base_url = where + providers.load(service).base_path
    return scripts.run("account.py", service, *words, "--base-url", base_url, **options)


def params(values: dict) -> list[str]:
    return [word for name, value in values.items() for word in ("--param", f"{name}={value}")]


# -- every action, once ----------------------------------------------------------------------------------


def asked(server, path: str, body: dict | None = None, headers: dict | None = None, content: bytes | None = None):
    """What a server says to a request of the test's own."""
    content = json.dumps(body).encode() if body is not None else content
    request = urllib.request.Request(server.url + path, data=content, headers=headers or {})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def quoted(server) -> str:
    return asked(server, "/v1/credit-quotes", {"pack_id": "starter-500"})["data"]["quote_id"]


def created(server) -> dict:
    body = {"prompt": "a tin boat", "model": "xai.grok-imagine-image", "idempotency_key": "made-by-a-test"}
    return asked(server, "/v1/create", body)["data"]


def uploaded(server) -> str:
    content = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    content += b"\x89PNG\r\n\x1a\n\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    return asked(server, "/api/v1/media/files", headers=headers, content=content)["data"]["file_id"]


# service and action -> its fields, from what the server has
FIELDS = {
    ("image-skill", "signup"): lambda server: {"agent_name": "painter", "runtime": "a test"},
    ("image-skill", "claim"): lambda server: {"contact": "somebody@example.invalid"},
    ("image-skill", "quote"): lambda server: {"credits": 500, "payment_method": "stripe_checkout"},
    ("image-skill", "buy"): lambda server: {"quote_id": quoted(server), "payment_method": "stripe_checkout"},
    ("image-skill", "status"): lambda server: {"quote_id": quoted(server)},
    ("image-skill", "activity"): lambda server: {"limit": 5},
    ("image-skill", "activity-show"): lambda server: {"ref": created(server)["job_id"]},
    ("image-skill", "feedback"): lambda server: {"title": "it works", "surface": '["a test"]'},
    ("image-skill", "assets"): lambda server: {"asset_id": created(server)["assets"][0]["asset_id"]},
    ("image-skill", "models"): lambda server: {"modality": "image", "available": "true"},
    ("image-skill", "models-show"): lambda server: {"model": "xai.grok-imagine-image"},
    ("image-skill", "capabilities-show"): lambda server: {"capability": capability(server)},
    ("modellix", "models"): lambda server: {"category": "image", "page_size": 3},
    ("modellix", "files"): lambda server: {"limit": 10},
    ("modellix", "file-delete"): lambda server: {"file_id": uploaded(server)},
    ("skills-video", "running"): lambda server: {"limit": 10},
    ("skills-video", "tts"): lambda server: {"modelId": "owner/voice", "text": "a tin boat", "voice": "low"},
}


def capability(server) -> str:
    return asked(server, "/v1/capabilities")["data"]["capabilities"][0]["id"]


@pytest.mark.parametrize("service, name", EVERY, ids=[" ".join(pair) for pair in EVERY])
def test_every_action_runs_once_and_sends_what_its_descriptor_says(scripts, service, name):
    action = actions.find(providers.load(service), name)
    with Sandbox(None, service) as server:
        words = params(FIELDS.get((service, name), lambda server: {})(server))
        before = len(server.requests)
        flags = (["--confirm"] if action.asks else []) + (["--show-token"] if action.issues_key else [])
        run = act(scripts, service, server, name, *words, *flags)
        sent = list(server.exchanges)[before:]
    assert run.result["event"] == "account" and run.code == 0, run.events
    assert (run.result["provider"], run.result["action"], run.result["effect"]) == (service, name, action.effect)
    assert run.result["http_status"] == 200 and {"answer", "answer_omitted"} & set(run.result)
    assert len(sent) == 1 and sent[0].method == action.method
    prefix = "" if action.at_origin else providers.load(service).base_path
    template = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(prefix + action.shown["path"]))
    assert re.fullmatch(template, sent[0].path.partition("?")[0])
    assert ("authorization" in sent[0].headers) == (action.key != "unneeded")
    assert KEY not in run.stdout.decode() + run.stderr


@pytest.mark.parametrize("service, name", [(s, n) for s, n in EVERY if actions.find(providers.load(s), n).asks])
def test_what_is_not_free_or_cannot_be_undone_is_only_shown_without_confirm(scripts, service, name):
    action = actions.find(providers.load(service), name)
    with Sandbox(None, service) as server:
        words = params(FIELDS[service, name](server))
        before = len(server.requests)
        run = act(scripts, service, server, name, *words)
        assert len(server.requests) == before
    told = run.result
    assert (run.code, told["event"], told["effect"]) == (0, "plan", "no_spend")
    assert told["effect_when_confirmed"] == action.effect and "--confirm" in told["message"]
    assert told["request"]["method"] == action.method and told["request"]["url"].startswith("http")


def test_a_plan_needs_no_key(scripts):
    run = scripts.run("account.py", "skills-video", *SPEECH)
    assert run.result["request"]["url"] == "https://open.skills.video/api/ai/tts/generate"


@pytest.mark.parametrize(
    "speaks, name", [("image-skill", "quota"), ("modellix", "balance"), ("skills-video", "credits")]
)
def test_the_embedded_sandbox_has_an_account_too(scripts, speaks, name):
    run = scripts.run("account.py", "sandbox", "--as", speaks, name)
    assert run.code == 0 and run.result["provider"] == "sandbox" and run.result["answer"]


# -- looking -----------------------------------------------------------------------------------------------


def test_alone_it_lists_the_services(scripts):
    listed = {row["provider"]: row["actions"] for row in scripts.run("account.py").result["services"]}
    assert set(listed) == set(providers.names())
    assert all(set(listed[service]) == set(providers.load(service).actions) for service in REAL)


@pytest.mark.parametrize("service", REAL)
def test_a_service_alone_lists_its_actions_with_their_effects(scripts, service):
    listed = {row["action"]: row for row in scripts.run("account.py", service).result["actions"]}
    for name, description in providers.load(service).actions.items():
        assert listed[name]["effect"] == description["effect"]
        assert [row["name"] for row in listed[name]["fields"]] == list(description.get("fields", {}))
        assert listed[name]["needs_confirm"] == (description["effect"] != "no_spend" or "confirm" in description)


def test_no_action_takes_what_a_person_pays_with():
    for service, name in EVERY:
        for field in providers.load(service).actions[name].get("fields", {}):
            assert not re.search("card|cvc|cvv|iban|wallet|seed|mnemonic|private|secret|password", field), field


def test_only_an_action_that_spends_nothing_is_asked_without_a_key_where_one_is_known_to_be_needed():
    for service, name in EVERY:
        action = actions.find(providers.load(service), name)
        assert action.key != "unneeded" or action.effect == "no_spend"


# -- arguments ---------------------------------------------------------------------------------------------

# words -> what the message names
REFUSED = [
    (("nobody",), "SERVICE"),
    (("image-skill", "quotas"), "did you mean quota?"),
    (("image-skill", "quote", "--param", "pack=starter-500"), "pack is no field of quote"),
    (("modellix", "models", "--param", "pagesize=3"), "did you mean page_size?"),
    (("image-skill", "quote"), "exactly one of: credits; pack_id"),
    (("image-skill", "quote", "--param", "credits=5", "--param", "pack_id=a"), "exactly one of"),
    (("image-skill", "quote", "--param", "credits=0"), "credits: expected a whole number from 1 to 5000"),
    (("image-skill", "quote", "--param", "credits=many"), "credits: expected a whole number"),
    (("image-skill", "quote", "--param", "credits=5", "--param", "credits=6"), "given twice"),
    (
        ("image-skill", "buy", "--param", "quote_id=q", "--param", "payment_method=cash"),
        "expected one of stripe_checkout",
    ),
    (("image-skill", "claim"), "claim needs contact"),
    (("image-skill", "claim", "--param", "contact="), "contact: expected text"),
    (("image-skill", "claim", "--param", "contact"), "expected NAME=VALUE"),
    (("image-skill", "feedback", "--param", "severity=high"), "at least one of: title; body"),
    (("image-skill", "assets", "--param", "asset_id=../whoami"), "asset_id: expected text"),
    (("image-skill", "models-show", "--param", "model=.."), "model: expected an id"),
    (("skills-video", "tts", "--param", "text=a", "--param", "provider=x"), "provider with model"),
    (("modellix", "balance", "--confirm"), "--confirm"),
    (("modellix", "balance", "--output-dir", "out"), "--output-dir"),
    (("modellix", "balance", "--show-token"), "--show-token"),
    (("modellix", "balance", "--max-spend", "5usd"), "--max-spend"),
    (("image-skill", "health", "--key-stdin"), "--key-stdin"),
    (("image-skill", "quota", "--as", "modellix"), "--as"),
    (("image-skill", "--confirm"), "--confirm"),
    (("--as", "modellix"), "--as"),
]


@pytest.mark.parametrize("words, named", REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_what_makes_no_sense_is_refused_before_anything_is_sent(scripts, words, named):
    run = scripts.run("account.py", *words, env=env_of("image-skill"))
    assert run.result["exit_code"] == 2 and run.result["outcome"] == "not_sent"
    assert named in run.result["message"]


def test_a_value_that_does_not_fit_is_not_repeated(scripts):
    run = scripts.run("account.py", "image-skill", "quote", "--param", f"credits={KEY}")
    assert run.code == 2 and KEY not in run.stdout.decode()


def test_without_a_key_nothing_is_sent(scripts):
    with Sandbox(None, "image-skill") as server:
        run = act(scripts, "image-skill", server, "quota", env={})
        assert (run.code, run.result["error"], len(server.requests)) == (21, "missing_api_key", 0)


def test_a_key_for_this_run_comes_on_standard_input(scripts):
    with Sandbox(None, "image-skill") as server:
        run = act(scripts, "image-skill", server, "quota", "--key-stdin", env={}, stdin=KEY)
        assert run.code == 0 and server.exchanges[-1].headers["authorization"].startswith("Bearer ")


def test_the_key_goes_to_no_stranger(scripts):
    run = scripts.run(
        "account.py", "image-skill", "quota", "--base-url", "https://elsewhere.invalid/v1", env=env_of("image-skill")
    )
    assert (run.code, run.result["error"]) == (27, "untrusted_destination")


@given(name=st.sampled_from([*EVERY]), text=st.text(max_size=40), field=st.text(max_size=20))
def test_whatever_is_given_it_is_a_request_or_a_bad_argument(name, text, field):
    action = actions.find(providers.load(name[0]), name[1])
    known = [row["name"] for row in action.shown["fields"]]
    for pairs in ([f"{field}={text}"], [text], [f"{one}={text}" for one in known]):
        try:
            request = action.request(pairs)
        except errors.Failure as failure:
            assert failure.exit_code == 2
            continue
        path = request.path.partition("?")[0]
        assert path.count("/") == action.shown["path"].count("/") and path.isascii()
        assert "/../" not in path + "/" and "/./" not in path + "/"


ABOVE = [
    ("https://open.skills.video/api/v1", "/api/v1", "https://open.skills.video"),
    ("https://proxy.example/x/api/v1", "/api/v1", "https://proxy.example/x"),
    ("http://127.0.0.1:8080/other", "/v1", "http://127.0.0.1:8080"),
]


@pytest.mark.parametrize("base_url, prefix, expected", ABOVE)
def test_a_path_beside_the_prefix_stays_at_the_same_address(base_url, prefix, expected):
    assert addresses.above(base_url, prefix) == expected


# -- a new key ---------------------------------------------------------------------------------------------


def signs_up(token=TOKEN, **more):
    return answer(200, {"ok": True, "trace_id": "trace_1", "data": {"token": token, "note": f"keep {token}", **more}})


def test_a_token_that_would_be_lost_is_not_asked_for(scripts):
    with FakeService(create=signs_up()) as service:
        run = act(scripts, "image-skill", service, *SIGNUP)
        assert run.code == 2 and "--show-token" in run.result["message"] and service.requests == []


def test_a_kept_token_is_never_shown_and_is_found_afterwards(scripts):
    with FakeService(create=signs_up()) as service:
        run = act(scripts, "image-skill", service, *SIGNUP, "--persist-key", env={})
        assert run.code == 0 and run.result["key_stored"] is True and run.result["trace_id"] == "trace_1"
        sent = json.loads(service.requests[0].body)
        assert sent["return_token"] is True and "authorization" not in service.requests[0].headers
    assert TOKEN not in run.stdout.decode() + run.stderr
    assert TOKEN in scripts.key_file.read_text(encoding="utf-8")
    if os.name != "nt":
        assert scripts.key_file.stat().st_mode & 0o777 == 0o600
    found = scripts.run("preflight.py", "--provider", "image-skill").result["providers"][0]
    assert found["key_source"] == "the user's own store"


@pytest.mark.parametrize("levels", [30, 900, 100_000])
def test_an_answer_that_is_nested_deeply_is_left_out_and_its_token_kept(scripts, levels):
    deep = b"[" * levels + b"]" * levels
    content = json.dumps({"ok": True, "data": {"token": TOKEN}}).encode().replace(b"{", b'{"x": ' + deep + b", ", 1)
    with FakeService(create=answer(200, content)) as service:
        run = act(scripts, "image-skill", service, *SIGNUP, "--persist-key", env={})
    assert TOKEN not in run.stdout.decode() + run.stderr
    if levels < 1000:  # what is deeper than can be read holds no token either
        assert (run.code, run.result["key_stored"]) == (0, True)


def test_a_token_in_a_refusal_is_not_shown(scripts):
    refusal = {"ok": False, "error": {"code": "X", "message": f"{TOKEN} is new"}, "data": {"token": TOKEN}}
    with FakeService(create=answer(400, refusal)) as service:
        run = act(scripts, "image-skill", service, *SIGNUP, "--persist-key", env={})
    assert run.code == 22 and TOKEN not in run.stdout.decode() + run.stderr


def test_a_token_is_shown_once_where_that_is_asked_for(scripts):
    with FakeService(create=signs_up()) as service:
        run = act(scripts, "image-skill", service, *SIGNUP, "--show-token", env={})
    assert run.result["answer"]["token"] == TOKEN and run.result["key_stored"] is False
    assert not scripts.key_file.exists()


def test_a_token_that_is_kept_already_is_not_given_up_unasked(scripts):
    scripts.key_file.parent.mkdir(parents=True)
    scripts.key_file.write_text("IMAGE_SKILL_TOKEN=the_old_token\n", encoding="utf-8")
    with FakeService(create=signs_up()) as service:
        run = act(scripts, "image-skill", service, *SIGNUP, "--persist-key", env={})
        assert (run.code, run.result["error"], service.requests) == (27, "key_exists", [])
        assert "the_old_token" in scripts.key_file.read_text(encoding="utf-8")
        assert act(scripts, "image-skill", service, *SIGNUP, "--persist-key", "--replace-key", env={}).code == 0
    assert "the_old_token" not in scripts.key_file.read_text(encoding="utf-8")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_store_that_cannot_be_written_is_told_before_a_token_is_made(scripts):
    scripts.key_file.parent.mkdir(parents=True)
    os.mkfifo(scripts.key_file)
    with FakeService(create=signs_up()) as service:
        run = act(scripts, "image-skill", service, *SIGNUP, "--persist-key", env={})
        assert run.code == 2 and service.requests == []


@pytest.mark.parametrize("token", [None, 7, "", "short", "two words and more", {"a": TOKEN}, [TOKEN], "x\ny" * 9])
def test_a_token_that_is_none_is_neither_kept_nor_shown(scripts, token):
    with FakeService(create=signs_up(token)) as service:
        run = act(scripts, "image-skill", service, *SIGNUP, "--persist-key", env={})
    assert (run.code, run.result["error"]) == (25, "no_answer")
    assert TOKEN not in run.stdout.decode() and not scripts.key_file.exists()


def test_the_sandbox_has_no_key_to_keep(scripts):
    run = scripts.run("account.py", "sandbox", "--as", "image-skill", *SIGNUP, "--persist-key")
    assert run.code == 2 and "needs none" in run.result["message"]


# -- money -------------------------------------------------------------------------------------------------


def speak(scripts, server, *flags: str, **options):
    return act(scripts, "skills-video", server, *SPEECH, "--confirm", *flags, **options)


def spoken(scripts) -> list[dict]:
    return [event for event in scripts.run("jobs.py", "list").events if event["event"] == "job"]


def test_speech_is_saved_counted_and_told(scripts):
    with Sandbox(None, "skills-video") as server:
        run = speak(scripts, server, "--output-dir", "out")
    assert run.code == 0 and run.result["outputs"][0]["type"] == "audio"
    asset = run.result["assets"][0]
    assert os.path.getsize(asset["path"]) == asset["bytes"] and asset["media_type"] == "audio/wav"
    assert [(job["job"], job["outcome"], job["delivered"]) for job in spoken(scripts)] == [(run.job, "accepted", True)]


def test_a_result_that_cannot_be_saved_is_told_all_the_same(scripts):
    said = {"success": True, "data": {"audio": {"url": "http://10.0.0.1/a.mp3", "content_type": "audio/mpeg"}}}
    with FakeService(create=answer(200, said)) as service:
        run = speak(scripts, service, "--output-dir", "out")
    assert run.code == 26 and "private" in run.result["message"]
    assert run.result["outputs"][0]["url"] == "http://10.0.0.1/a.mp3"


HTML = page(502)
# what the service says -> exit code, outcome
PAID = [
    (HTML, 12, "unknown"),
    (reset, 12, "unknown"),
    (cut_short(200, b'{"success": true'), 12, "unknown"),
    (answer(200, b"<html></html>"), 12, "unknown"),
    (answer(200, {"success": True, "data": {"audio_url": "javascript:alert(1)"}}), 12, "unknown"),
    (answer(200, {"success": False, "message": "no"}), 12, "unknown"),
    (answer(200, {"success": 1, "data": {"audio_url": "https://a.invalid/a.mp3"}}), 12, "unknown"),
    (answer(303, {}, {"Location": "https://elsewhere.invalid"}), 12, "unknown"),
    (answer(402, {"code": "TTS_GENERATION_INSUFFICIENT_CREDITS", "message": "no credits"}), 20, "rejected"),
    (answer(401, {"message": "bad key"}), 21, "rejected"),
    (answer(422, {"message": "bad text"}), 22, "rejected"),
    (answer(429, {"message": "slow down"}, {"Retry-After": "1"}), 24, "rejected"),
    (answer(307, {}, {"Location": "https://elsewhere.invalid"}), 25, "rejected"),
]


@pytest.mark.parametrize("said, code, outcome", PAID)
def test_a_paid_request_is_sent_once_whatever_comes_back(scripts, said, code, outcome):
    with FakeService(create=said) as service:
        run = speak(scripts, service)
        assert (run.code, run.result["outcome"]) == (code, outcome), run.events
        assert service.posts() == 1
        assert [job["outcome"] for job in spoken(scripts)] == [outcome]
        again = speak(scripts, service)
        assert service.posts() == (1 if outcome == "unknown" else 2)
    if outcome == "unknown":
        assert (again.code, again.result["error"]) == (27, "duplicate_unknown")
        assert run.result["next_argv"][2:4] == ["reconcile", run.job]


def test_an_answer_that_never_comes_is_an_unknown_outcome(scripts):
    with FakeService(create=hang) as service:
        run = speak(scripts, service, "--request-timeout", "0.5")
        assert (run.code, run.result["outcome"], service.posts()) == (12, "unknown", 1)


def test_what_never_left_is_not_sent_and_can_be_repeated(scripts):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # the port is taken, and nobody listens
        base_url = f"http://127.0.0.1:{nobody.getsockname()[1]}/api/v1"
        words = ("skills-video", *SPEECH, "--confirm", "--base-url", base_url)
        run = scripts.run("account.py", *words, env=env_of("skills-video"))
    assert (run.code, run.result["error"], run.result["outcome"]) == (24, "request_not_sent", "not_sent")
    assert [job["outcome"] for job in spoken(scripts)] == ["not_sent"]


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise")
def test_a_signal_leaves_the_outcome_where_it_can_be_found(scripts):
    with FakeService(create=hang) as service:
        words = ("skills-video", *SPEECH, "--confirm", "--base-url", service.base_url)
        process = scripts.start("account.py", *words, env=env_of("skills-video"))
        service.wait_for("POST")
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
    last = json.loads(stdout.splitlines()[-1])
    assert (process.returncode, last["event"], last["outcome"]) == (130, "interrupted", "unknown")
    assert [(job["job"], job["outcome"]) for job in spoken(scripts)] == [(last["job"], "unknown")]


def test_a_result_that_is_all_in_its_address_is_not_told_in_full(scripts):
    content = "data:audio/wav;base64," + "UklGRgAAAABXQVZF" * 10_000
    said = {"success": True, "data": {"audio": {"url": content}}}
    with FakeService(create=answer(200, said)) as service:
        run = speak(scripts, service)
    assert run.code == 0 and run.result["outputs"][0]["url_omitted"] is True and len(run.stdout) < 5000


@pytest.mark.skipif(os.name == "nt", reason="processes are killed otherwise")
def test_a_kill_leaves_what_was_bought_where_it_can_be_found(scripts):
    with FakeService(create=hang) as service:
        words = ("skills-video", *SPEECH, "--confirm", "--base-url", service.base_url)
        process = scripts.start("account.py", *words, env=env_of("skills-video"))
        started = json.loads(process.stdout.readline())
        service.wait_for("POST")
        process.kill()
        process.wait()
    assert (started["event"], started["effect"]) == ("start", "spends")
    assert [(job["job"], job["outcome"]) for job in spoken(scripts)] == [(started["job"], "unknown")]


def test_a_standing_cap_counts(scripts):
    env = {**env_of("skills-video"), "AI_MEDIA_MAX_SPEND": "5credits/day"}
    with Sandbox(None, "skills-video") as server:
        run = speak(scripts, server, env=env)
        assert (run.code, run.result["error"], len(server.requests)) == (27, "unknown_cost", 0)
        assert speak(scripts, server, "--accept-unknown-cost", env=env).code == 0


def bought(**more):
    data = {"state": "action_required", "checkout_handoff_url": "https://pay.invalid/1", **more}
    return answer(200, {"ok": True, "data": data})


def test_a_payment_is_handed_over_as_an_address(scripts):
    with FakeService(create=bought()) as service:
        run = act(scripts, "image-skill", service, *BUY, "--confirm")
        sent = json.loads(service.requests[0].body)
        assert len(service.requests) == 1 and service.requests[0].path.endswith("/stripe-checkout-sessions")
    assert run.code == 0 and run.result["payment_url"] == "https://pay.invalid/1"
    assert run.first("start")["idempotency_key"] == run.result["idempotency_key"]
    assert sent == {"quote_id": "quote_1", "idempotency_key": run.result["idempotency_key"]}


@pytest.mark.parametrize(
    "url",
    [
        "http://pay.invalid",
        "javascript:alert(1)",
        "https://a:b@pay.invalid",
        "https://p/" + "x" * 3000,
        7,
        "file:///etc",
    ],
)
def test_an_address_that_is_none_for_paying_is_not_handed_over(scripts, url):
    with FakeService(create=bought(checkout_handoff_url=url)) as service:
        run = act(scripts, "image-skill", service, *BUY, "--confirm")
    assert run.code == 0 and "payment_url" not in run.result


def test_an_unknown_payment_tells_the_key_under_which_it_is_no_second_one(scripts):
    with FakeService(create=[reset, bought()]) as service:
        run = act(scripts, "image-skill", service, *BUY, "--confirm")
        assert (run.code, run.result["outcome"], service.posts()) == (12, "unknown", 1)
        key = run.result["idempotency_key"]
        assert any(key in line for line in run.result["guidance"])
        again = act(scripts, "image-skill", service, *BUY, "--confirm", "--param", f"idempotency_key={key}")
        assert again.code == 0 and json.loads(service.requests[1].body)["idempotency_key"] == key


# -- hostile answers ---------------------------------------------------------------------------------------

DEEP = b'{"ok":true,"data":' + b"[" * 200 + b"]" * 200 + b"}"
TOO_DEEP = b'{"ok":true,"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
# what a read is answered with -> exit code
READS = [
    (answer(200, {"ok": True, "data": {"text": "a\x1b[31m\u202eb\x00"}}), 0),
    (answer(200, {"ok": True}), 0),
    (answer(200, DEEP), 0),
    (answer(200, TOO_DEEP), 0),
    (answer(200, {"ok": False, "error": {"code": "AUTH_REQUIRED", "message": "no"}}), 21),
    (answer(200, {"ok": False}), 25),
    (answer(200, {"ok": "true"}), 25),
    (answer(200, b""), 24),
    (answer(200, b"<html>"), 24),
    (answer(200, b'{"ok": tr'), 24),
    (answer(302, b"", {"Location": "https://elsewhere.invalid"}), 25),
    (answer(404, {"ok": False, "error": {"code": "NOT_FOUND", "message": "no"}}), 23),
    (answer(418, b"\xff\xfe\x00"), 25),
]


@pytest.mark.parametrize("said, code", READS)
def test_a_read_ends_with_one_result_whatever_comes_back(scripts, said, code):
    with FakeService(other=said) as service:
        run = act(scripts, "image-skill", service, "quota")
        assert run.result["exit_code"] == code, run.events
        assert "\x1b" not in run.stdout.decode() and KEY not in run.stdout.decode()


def test_an_answer_that_echoes_the_key_does_not_show_it(scripts):
    with FakeService(other=answer(200, {"ok": True, "data": {"you": f"Bearer {KEY}"}})) as service:
        run = act(scripts, "image-skill", service, "whoami")
    assert run.code == 0 and KEY not in run.stdout.decode()


def test_an_answer_that_is_too_large_is_left_out(scripts):
    with FakeService(other=answer(200, {"ok": True, "data": "x" * 70_000})) as service:
        run = act(scripts, "image-skill", service, "models")
    assert run.code == 0 and run.result["answer_omitted"] is True and run.result["answer_bytes"] > 70_000


def test_a_read_is_repeated_where_the_fault_may_pass(scripts):
    fine = answer(200, {"code": 0, "data": {"balance": 5.25}})
    with FakeService(other=[page(200), reset, fine]) as service:
        run = act(scripts, "modellix", service, "balance")
        assert run.names == ["retry", "retry", "account"] and run.result["answer"] == {"balance": 5.25}
        assert service.count("GET") == 3


def test_what_is_sent_is_not_repeated_even_where_it_is_free(scripts):
    with FakeService(create=page(503)) as service:
        run = act(scripts, "image-skill", service, "quote", "--param", "credits=5")
        assert (run.code, service.posts()) == (24, 1) and run.result["idempotency_key"].startswith("ai-media-")


def test_a_key_that_is_not_valid_is_a_refusal_although_the_status_says_success(scripts):
    with FakeService(other=answer(200, {"code": 0, "data": {"is_valid": False}})) as service:
        run = act(scripts, "modellix", service, "validate-key")
    assert (run.code, run.result["error"], run.result["category"]) == (21, "api_key_refused", "auth")


def test_a_refused_key_says_so(scripts):
    with Sandbox(None, "modellix") as server:
        run = act(scripts, "modellix", server, "balance", env=env_of("modellix", "bad_fake_key"))
    assert (run.code, run.result["error"]) == (21, "api_key_refused") and "bad_fake_key" not in run.stdout.decode()


@pytest.mark.parametrize("service", REAL)
def test_a_descriptor_names_only_actions_that_there_are(service):
    text = (ROOT / f"assets/providers/{service}.json").read_text(encoding="utf-8")
    for named, action, rest in re.findall(r"account\.py ([a-z-]+) ([a-z-]+)([^\".;)]*)", text):
        taken = [row["name"] for row in actions.find(providers.load(named), action).shown["fields"]]
        assert set(re.findall(r"--param (\w+)=", rest)) <= set(taken)


def test_no_field_of_a_descriptor_is_left_out_of_a_request():
    """Each field has its place: in the path, the query or the body."""
    samples = {"string": "x", "integer": "3", "number": "3", "boolean": "true", "array": '["x"]', "object": '{"x":1}'}
    for service, name in EVERY:
        action = actions.find(providers.load(service), name)
        described = json.loads((ROOT / f"assets/providers/{service}.json").read_text(encoding="utf-8"))
        for field, rule in described["actions"][name].get("fields", {}).items():
            assert ("{" + field + "}" in action.shown["path"]) == (rule["in"] == "path")
            assert rule["in"] != "body" or action.method == "POST"
            assert rule["type"] in samples


# -- a file by itself ------------------------------------------------------------------------------------

BRINGS = [name for name in REAL if "upload" in actions.of(providers.load(name))]


@pytest.mark.parametrize("service", [name for name in BRINGS if name in providers.spoken_by("sandbox")])
def test_a_file_is_brought_by_itself_and_is_known_the_next_time(scripts, service):
    from PIL import Image

    Image.new("RGB", (512, 512)).save(scripts.folder / "boat.png")
    with Sandbox(None, service) as server:
        first = act(scripts, service, server, "upload", "--param", "file=boat.png")
        brought = posts(server)
        again = act(scripts, service, server, "upload", "--param", "file=boat.png")
        assert (first.code, again.code) == (0, 0) and brought > 0, first.events
        keeps = any(way.keep_seconds for way in providers.load(service).ways if way.begin)
        assert (posts(server) == brought) is keeps
        assert first.first("uploaded")["bytes"] and first.result["answer"]["reused"] is False
        assert again.result["answer"]["reused"] is keeps
        brought = posts(server)
        wrong = act(scripts, service, server, "upload", "--param", "file=absent.png")
        assert (wrong.code, posts(server)) == (2, brought)
        assert (wrong.result["field"], wrong.result["message"][:8]) == ("--param", "--param:")


def test_a_service_that_takes_files_with_the_create_has_no_upload(scripts):
    assert BRINGS and "skills-video" not in BRINGS
    assert scripts.run("account.py", "skills-video", "upload", "--param", "file=x").code == 2


@pytest.mark.parametrize("script", ["account.py", "jobs.py"])
def test_a_file_that_the_account_owns_is_saved_by_its_name(scripts, script):
    from PIL import Image

    Image.new("RGB", (512, 512), "navy").save(scripts.folder / "boat.png")
    with Sandbox(None, "image-skill") as server:
        name = act(scripts, "image-skill", server, "upload", "--param", "file=boat.png").result["answer"]["file"]
        where = ("--base-url", server.url + "/v1", "--output-dir", "out")
        words = {
            "account.py": ("image-skill", "assets", "--param", f"asset_id={name}"),
            "jobs.py": ("download", name),
        }
        run = scripts.run(script, *words[script], *where, env=env_of("image-skill"))
        assert run.code == 0, run.events
        (saved,) = run.result["assets"]
    assert (scripts.folder / "out" / os.path.basename(saved["path"])).read_bytes() == (
        scripts.folder / "boat.png"
    ).read_bytes()
