"""One purchase however it is spelled: the scripts resume, in every spelling of the one table, what was bought in another."""

from __future__ import annotations

import json

import pytest

from fake_service import COMPLETED, WITH_KEY, FakeService, answer, event, job, stream
from mediakit.ledger import store
from spellings import SAME_VALUES, together

TWICE = '{"prompt": "a", "prompt": "b"}'
DEEP = '{"prompt": "a", "size": [{"w": 1, "h": 2, "w": 3}]}'
CREATE = ["--provider", "sandbox", "--model", "owner/model"]

# way in -> (script, arguments, standard input, the flag that is named)
WAYS_IN = {
    "--payload": ("create_and_wait.py", [*CREATE, "--payload", TWICE], "", "--payload"),
    "--payload, deep": ("create_and_wait.py", [*CREATE, "--payload", DEEP], "", "--payload"),
    "--body": ("create_and_wait.py", [*CREATE, "--body", TWICE], "", "--payload"),
    "--payload-file -": ("create_and_wait.py", [*CREATE, "--payload-file", "-"], TWICE, "--payload-file"),
    "--payload-file": ("create_and_wait.py", [*CREATE, "--payload-file", "twice.json"], "", "--payload-file"),
    "--body-file": ("create_and_wait.py", [*CREATE, "--body-file", "twice.json"], "", "--payload-file"),
    "--param": ("create_and_wait.py", [*CREATE, "--prompt", "x", "--param", f"style={TWICE}"], "", "--param"),
    "--param, a list": ("create_and_wait.py", [*CREATE, "--prompt", "x", "--param", f"s=[{DEEP}]"], "", "--param"),
    "--from": ("create_and_wait.py", ["--from", "record.json"], "", "--from"),
    "account.py": ("account.py", ["skills-video", "tts", "--param", f"text={TWICE}"], "", "--param"),
    "--validate": ("inspect_openapi.py", ["--provider", "skills-video", "--model", "google/nano-banana-pro",
                                          "--validate", TWICE], "", "--validate"),
}  # fmt: skip


@pytest.mark.parametrize("flag, before", [("--payload", '{"prompt": '), ("--param", "style=")])
def test_json_that_is_too_deep_is_refused_and_not_sent_as_text(scripts, flag, before):
    value = before + "[" * 120 + "]" * 120 + ("}" if flag == "--payload" else "")
    run = scripts.run("create_and_wait.py", *CREATE, flag, value, env=WITH_KEY)
    assert (run.code, run.result["field"], run.result["outcome"]) == (2, flag, "not_sent"), run.events


@pytest.mark.parametrize("way", WAYS_IN)
def test_a_name_twice_in_one_object_is_refused_on_every_way_in(scripts, way):
    script, arguments, stdin, flag = WAYS_IN[way]
    (scripts.folder / "twice.json").write_text(TWICE)
    record = '{"format": "ai-media/provenance", "version": 1, "provider": "sandbox", "payload": ' + TWICE + "}"
    (scripts.folder / "record.json").write_text(record)
    run = scripts.run(script, *arguments, stdin=stdin, env=WITH_KEY)
    assert (run.code, run.result["error"], run.result["field"]) == (2, "invalid_arguments", flag), run.events
    assert flag == "--from" or "twice" in run.result["message"], run.result


def create(scripts, base_url: str, *arguments: str, stdin: str | None = None, script="create_and_wait.py"):
    where = ["--provider", "skills-video", "--base-url", base_url, "--stream", "never", "--no-wait", "--no-validate"]
    return scripts.run(script, *where, *arguments, stdin=stdin, env=WITH_KEY)


def goes_on(run) -> bool:
    """Whether a command resumed what was bought before."""
    return run.code == 0 and "resumed" in run.names


def entry(scripts):
    """The newest job of the ledger."""
    return store.Ledger(str(scripts.folder / "state"), read_only=True).newest(1)[0]


@pytest.fixture
def bought(scripts):
    """A service at which `together(0)` was bought once, by the plainest spelling of everything."""
    with FakeService(create=answer(202, job()), read=COMPLETED) as service:
        first = create(scripts, service.base_url, "--model", "owner/model-1", "--payload", together(0))
        assert first.code == 0 and "resumed" not in first.names, first.events
        yield service
        assert service.posts() == 1


# a way in -> (what is given, standard input) of the other spellings
VALUE_WAYS = {
    **{f"--payload, spelling {n}": ([ "--payload", together(n)], None) for n in range(1, max(map(len, SAME_VALUES.values())))},
    "--payload-file": (["--payload-file", "-"], together(1)),
    "--param": ([f for kind, texts in SAME_VALUES.items() for f in ("--param", f"{kind}={texts[-1]}")], None),
}  # fmt: skip
BASES = [
    "http://localhost:{port}/api/v1", "http://127.0.0.1:{port}/api//v1/", "http://127.0.0.1:{port}/%61pi/v1",
    "http://127.0.0.1:{port}", "http://127.0.0.1:{port}/api",
]  # fmt: skip
ENDPOINTS = [
    "/generation/owner/model-1",
    "/generation/owner/model%2D1",
    "/generation//owner/model-1",
    "/generation/sse/owner/model-1",
]


@pytest.mark.parametrize("way", VALUE_WAYS)
def test_a_value_in_another_spelling_is_the_same_purchase(scripts, bought, way):
    arguments, stdin = VALUE_WAYS[way]
    run = create(scripts, bought.base_url, "--model", "owner/model-1", *arguments, stdin=stdin)
    assert goes_on(run), run.events


@pytest.mark.parametrize("base", BASES)
def test_an_address_in_another_spelling_is_the_same_purchase(scripts, bought, base):
    run = create(scripts, base.format(port=bought.port), "--model", "owner/model-1", "--payload", together(0))
    assert goes_on(run), run.events


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_endpoint_in_another_spelling_is_the_same_purchase(scripts, bought, endpoint):
    where = ["--provider", "skills-video", "--base-url", bought.base_url, "--sse-endpoint", endpoint, "--no-wait"]
    run = scripts.run("create_and_wait.py", *where, "--no-validate", "--payload", together(0), env=WITH_KEY)
    assert goes_on(run), run.events


# base URL below the origin, endpoint -> where the create goes; each means the same stream of the same model
ADDRESSED = [
    ("/api/v1", "/v1/generation/sse/owner/model"),
    ("/api/v1", "/api/v1/generation/sse/owner/model"),
    ("/api", "/v1/generation/sse/owner/model"),
    ("", "/v1/generation/sse/owner/model"),
    ("", "/api/v1/generation/sse/owner/model"),
    ("/", "api/v1/generation/sse/owner/model/"),
    ("", "{origin}/api/v1/generation/sse/owner/model"),
]


@pytest.mark.parametrize("base, endpoint", ADDRESSED)
def test_stream_and_model_are_known_however_the_prefix_is_written(scripts, base, endpoint):
    with FakeService(create=stream(event(), end="reset"), read=COMPLETED) as service:
        where = ["--base-url", service.origin + base, "--sse-endpoint", endpoint.format(origin=service.origin)]
        run = scripts.run("create_and_wait.py", *where, "--prompt", "a", "--no-validate", env=WITH_KEY)
        start, sent = run.first("start"), [request.path for request in service.requests]
        assert (start["model"], start["mode"]) == ("owner/model", "sse_then_poll_fallback"), run.events
        assert (sent[0], set(sent[1:])) == ("/api/v1/generation/sse/owner/model", {"/api/v1/generation/gen_1"})
        assert entry(scripts).base_url == service.base_url


def test_a_job_that_a_person_found_is_read_where_it_was_found_from_then_on(scripts):
    """The first command had a base URL under which its job can never be read."""
    states = [job("IN_PROGRESS")]

    def read(exchange) -> None:
        is_there = "/api/v1/" in exchange.request.path
        (answer(200, states[-1]) if is_there else answer(404, {"message": "no such path"}))(exchange)

    with FakeService(create=answer(200, {}), read=read) as service:
        wrong_base, where = service.origin + "/x", ["--provider", "skills-video", "--model", "owner/model"]
        arguments = [*where, "--prompt", "a", "--stream", "never", "--no-validate", "--base-url", wrong_base]
        first = scripts.run("create_and_wait.py", *arguments, env=WITH_KEY)
        assert first.code == 12, first.events
        attach = ["jobs.py", "reconcile", first.job, "--attach", "gen_1", "--timeout", "1", "--base-url"]
        for base_url, known in (
            (wrong_base, ("unknown", None, wrong_base)),
            (service.base_url, ("accepted", "gen_1", service.base_url)),
        ):
            assert scripts.run(*attach, base_url, env=WITH_KEY).code == (23 if base_url == wrong_base else 11)
            kept = entry(scripts)
            assert (kept.outcome, kept.generation_id, kept.base_url) == known
        states.append(job("COMPLETED", service.origin + "/media/1.png"))
        again = scripts.run("create_and_wait.py", *arguments, env=WITH_KEY)
        assert (again.code, service.posts()) == (0, 1) and "resumed" in again.names, again.events


def test_what_differs_is_another_purchase(scripts, bought):
    other = json.dumps({**json.loads(together(0)), "zero": {"n": 1}})
    with FakeService(create=answer(202, job())) as elsewhere:
        for base_url, payload in ((elsewhere.base_url, together(0)), (elsewhere.base_url, other)):
            run = create(scripts, base_url, "--model", "owner/model-1", "--payload", payload)
            assert run.code == 0 and "resumed" not in run.names, run.events
        assert elsewhere.posts() == 2
