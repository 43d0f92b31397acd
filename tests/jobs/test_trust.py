"""Where the key goes, and where it does not."""

import json
import os

import pytest

from conftest import KEY
from fake_service import (
    COMPLETED,
    PICTURE,
    WITH_KEY,
    FakeService,
    answer,
    create,
    event,
    job,
    stream,
    wait,
)

BEARER = f"Bearer {KEY}"
POSIX = pytest.mark.skipif(os.name == "nt", reason="named pipes and 127.0.0.2 are a matter of POSIX systems")


def nothing_leaks(run, *more: bytes) -> None:
    """Neither the key nor its beginning is in anything that was written."""
    for text in (run.stdout, run.stderr.encode(), *more):
        assert KEY[:12].encode() not in text, text


# -- one origin ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{origin}/api/v1/generation/sse/owner/model", "//{host}/generation/sse/owner/model"])
def test_an_endpoint_on_another_host_gets_nothing_at_all(scripts, form):
    with FakeService() as own, FakeService() as other:
        endpoint = form.format(origin=other.origin, host=f"127.0.0.1:{other.port}")
        run = create(scripts, own, "--sse-endpoint", endpoint)
        assert (run.code, run.result["error"], run.result["outcome"]) == (27, "untrusted_destination", "not_sent")
        assert own.connections == other.connections == 0


def test_an_endpoint_as_a_full_url_of_the_service_itself_is_taken(scripts):
    with FakeService(create=stream(event("COMPLETED"))) as own:
        run = create(scripts, own, "--sse-endpoint", f"{own.base_url}/generation/sse/owner/model")
        assert (run.code, own.requests[0].path) == (0, "/api/v1/generation/sse/owner/model")
        assert own.requests[0].headers["authorization"] == BEARER


@pytest.mark.parametrize(
    "endpoint",
    [
        "/generation/sse/../../admin",
        "/generation/sse/%2e%2e/admin",
        "/generation/sse/a?key=1",
        "/generation/sse/a#b",
        "\\\\elsewhere.example\\x",
        "/generation/sse/a b",
        "http:elsewhere.example/x",
        "file:///etc/passwd",
        "",
        "/",
    ],
)
def test_an_endpoint_that_is_no_plain_path_is_a_bad_argument(scripts, endpoint):
    with FakeService() as own:
        run = create(scripts, own, "--sse-endpoint", endpoint)
        assert (run.code, run.result["outcome"], own.connections) == (2, "not_sent", 0), run.events


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_create_is_not_followed(scripts, status):
    with FakeService() as other:
        moved = answer(status, {}, {"Location": f"{other.base_url}/generation/sse/owner/model"})
        with FakeService(create=moved) as own:
            run = create(scripts, own)
            assert run.code == (12 if status == 303 else 25) and own.posts() == 1
        assert other.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_read_is_not_followed(scripts, status):
    with FakeService() as other:
        with FakeService(read=answer(status, {}, {"Location": f"{other.base_url}/generation/gen_1"})) as own:
            assert wait(scripts, own).code == 25 and own.count("GET") == 1
        assert other.connections == 0


def test_a_redirected_balance_is_not_followed(scripts):
    with FakeService() as other, FakeService(other=answer(302, {}, {"Location": f"{other.base_url}/credits"})) as own:
        arguments = ["--provider", "skills-video", "--online", "--base-url", own.base_url]
        run = scripts.run("preflight.py", *arguments, env={"SKILLS_VIDEO_API_KEY": KEY})
        assert run.result["event"] == "preflight"
        assert own.requests[0].headers["authorization"] == BEARER and other.connections == 0


def test_a_result_is_fetched_without_the_key(scripts, tmp_path):
    with FakeService(media=PICTURE) as own:
        own._scripts["create"] = [stream(event("COMPLETED", url=f"{own.origin}/media/1.png"))]
        assert create(scripts, own, "--output-dir", "out").code == 0
        fetched = next(request for request in own.requests if request.path.startswith("/media/"))
        assert "authorization" not in fetched.headers and KEY not in str(fetched)


@pytest.mark.parametrize("redirected", [False, True], ids=["named", "redirected"])
def test_a_service_on_this_machine_cannot_have_its_neighbours_fetched(scripts, tmp_path, redirected):
    with FakeService(media=PICTURE) as other, FakeService() as own:
        target = f"{other.origin}/media/1.png"
        own._scripts["media"] = [answer(302, b"", {"Location": target})]
        url = f"{own.origin}/media/1.png" if redirected else target
        own._scripts["create"] = [stream(event("COMPLETED", url=url))]
        run = create(scripts, own, "--output-dir", "out")
        assert (run.code, other.connections) == (26, 0), run.events


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://10.0.0.1/x.png",
        "http://[::1]:1/x",
        "http://localhost:1/x",
        "file:///etc/passwd",
    ],
)
def test_a_result_on_a_private_address_or_of_another_scheme_is_not_fetched(scripts, url):
    with FakeService(create=stream(event("COMPLETED", url=url))) as own:
        run = create(scripts, own, "--output-dir", "out")
        assert run.code == 26 and "asset" not in run.names, run.events


# -- base URLs -----------------------------------------------------------------------------------------

BASE_URLS = {
    "https://elsewhere.example/api/v1": 27,
    "https://open.skills.video.elsewhere.example/api/v1": 27,
    "https://open.skills.video:8443/api/v1": 27,
    "http://open.skills.video/api/v1": 27,
    "http://127.0.0.1.elsewhere.example/": 27,
    "http://localhost.elsewhere.example/": 27,
    "http://2130706433/": 27,
    "http://0x7f.1/": 27,
    "http://0.0.0.0/": 27,
    "https://user:pass@127.0.0.1/": 2,
    "https://open.skills.video@elsewhere.example/": 2,
    "https://open.skills.video\\@elsewhere.example/": 2,
    "http://127.0.0.1:1/api/v1?x=1": 2,
    "http://127.0.0.1:1/api/v1#x": 2,
    "http://127.0.0.1:99999/": 2,
    "http://127.0.0.1:x/": 2,
    "http://[::1/": 2,
    "ftp://127.0.0.1/": 2,
    "127.0.0.1:80": 2,
    "http://": 2,
    "": 2,
    " ": 2,
    "http://127.0.0.1:1/\n": 2,
}


@pytest.mark.parametrize("url", BASE_URLS)
@pytest.mark.parametrize("script", ["create", "wait"])
def test_a_base_url_that_is_not_the_services_own_is_refused(scripts, url, script):
    what = {
        "create": ["--sse-endpoint", "/generation/sse/a/b", "--payload", "{}"],
        "wait": ["--generation-id", "gen_1"],
    }
    name = {"create": "create_and_wait.py", "wait": "wait_generation.py"}[script]
    run = scripts.run(name, *what[script], "--base-url", url, env={"SKILLS_VIDEO_API_KEY": KEY})
    assert run.code == BASE_URLS[url] and run.result["outcome"] == "not_sent", run.events
    nothing_leaks(run)


def test_trust_does_not_make_plain_http_good_enough(scripts):
    run = create(scripts, "http://elsewhere.example/api/v1", "--trust-base-url")
    assert run.code == 27


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
@POSIX
def test_this_machine_may_have_the_key_over_http(scripts, host):
    try:
        service = FakeService(create=stream(event("COMPLETED")), host="127.0.0.1" if host == "localhost" else host)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with service:
        base_url = service.base_url.replace("127.0.0.1", "localhost") if host == "localhost" else service.base_url
        run = create(scripts, base_url)
        assert (run.code, service.requests[0].headers["authorization"]) == (0, BEARER), run.events


# -- no key in what is written -----------------------------------------------------------------------------


def key_in_two_pieces(exchange):
    exchange.head(200, {"Content-Type": "text/event-stream"})
    for piece in (event(), b": " + KEY[:12].encode(), KEY[12:].encode() + b"\n\n", event("COMPLETED")):
        exchange.send(piece)
        exchange.service.closing.wait(0.2)  # so that each is read by itself


ECHO = {"message": f"bad key {KEY}", "code": KEY, "note": f"Bearer {KEY}"}
ECHOES = {
    "header and body of a refusal": dict(create=answer(400, ECHO, {"X-Key": KEY, "Server": KEY})),
    "long message": dict(create=answer(400, {"message": "x" * 285 + KEY})),
    "page": dict(create=answer(502, f"<html>{KEY}</html>".encode())),
    "text": dict(create=answer(400, f"{KEY} is wrong".encode())),
    "long text": dict(create=answer(400, b"y" * 285 + KEY.encode())),
    "location": dict(create=answer(307, b"", {"Location": f"https://elsewhere.example/{KEY}"})),
    "long location": dict(create=answer(307, b"", {"Location": "https://elsewhere.example/" + "z" * 59 + KEY})),
    "id": dict(create=stream(event(id=KEY)), read=answer(200, job("IN_PROGRESS", id=KEY))),
    "part of an id": dict(create=stream(event(id=f"x-{KEY}-y")), read=answer(401, ECHO)),
    "status": dict(create=stream(event(KEY)), read=answer(200, job(KEY))),
    "long status": dict(create=stream(event("s" * 195 + KEY)), read=answer(200, job("s" * 195 + KEY))),
    "event name": dict(create=stream(event("IN_PROGRESS", name=KEY)), read=COMPLETED),
    "malformed data": dict(create=stream(f"data: {KEY} {{\n\n".encode())),
    "long malformed data": dict(create=stream(b"data: " + b"q" * 85 + KEY.encode() + b"\n\n")),
    "the whole job": dict(create=stream(event("COMPLETED", **ECHO, **{KEY: [KEY]}, usage={KEY: KEY}))),
    "failed job": dict(create=stream(event("FAILED", **ECHO))),
    "output": dict(create=stream(event("COMPLETED", url=f"https://cdn.example/{KEY}?k={KEY}"))),
    "long output": dict(create=stream(event("COMPLETED", url="https://cdn.example/" + "u" * 31 + KEY + "v" * 5000))),
    "polled refusal": dict(create=stream(event()), read=answer(403, ECHO)),
    "polled failure": dict(create=stream(event()), read=answer(500, {"message": "p" * 285 + KEY})),
    "key over two chunks": dict(create=key_in_two_pieces),
}


@pytest.mark.parametrize("name", ECHOES)
def test_a_key_that_the_service_echoes_is_never_written(scripts, tmp_path, name):
    with FakeService(**ECHOES[name]) as service:
        flags = ["--verbose", "--trace", "trace.jsonl", "--poll-timeout", "1"]
        run = create(scripts, service, *flags, env={"AI_MEDIA_DEBUG": "1"})
        assert run.code != 1 and run.result
        nothing_leaks(run, (tmp_path / "trace.jsonl").read_bytes())
        assert service.requests[0].headers["authorization"] == BEARER


@pytest.mark.parametrize("name", [name for name in ECHOES if "id" not in name])
def test_a_key_that_the_service_echoes_is_in_no_file(scripts, tmp_path, name):
    with FakeService(**ECHOES[name]) as service:
        create(scripts, service, "--poll-timeout", "1", "--deadline", "5", "--output-dir", "out", "--embed-metadata")
    for path in filter(os.path.isfile, tmp_path.rglob("*")):
        assert KEY[:12].encode() not in path.read_bytes(), path


@pytest.mark.parametrize("word", ["COMPL\ud800", "\udfff", "X" * 100_000, "\x1b[2J\u202e\x00"])
def test_an_odd_status_is_no_more_than_unknown(scripts, word):
    with FakeService(create=stream(event(word)), read=[answer(200, job(word)), COMPLETED]) as service:
        run = create(scripts, service, "--poll-interval", "0.1", "--poll-timeout", "20")
        assert (run.code, service.posts()) == (0, 1) and len(run.stdout) < 20_000, run.events[-1]


def test_a_trace_tells_requests_and_answers_and_only_its_owner_may_read_it(scripts, tmp_path):
    with FakeService(create=stream(event()), read=COMPLETED) as service:
        create(scripts, service, "--trace", "trace.jsonl")
    path = tmp_path / "trace.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [next(iter(record)) for record in records][:2] == ["request", "chunk"] and "answer" in records[-1]
    assert os.name == "nt" or path.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is always full is a matter of Linux")
@pytest.mark.parametrize("streams", [True, False])
def test_a_trace_that_cannot_be_written_loses_no_job(scripts, streams):
    with FakeService(create=stream(event("COMPLETED")) if streams else answer(200, job("COMPLETED"))) as service:
        run = create(scripts, service, "--trace", "/dev/full", "--poll-timeout", "10", streams=streams)
        assert (run.code, service.posts(), run.stderr.count("trace")) == (0, 1, 1), (run.events, run.stderr)


@POSIX
def test_a_trace_into_a_pipe_that_nobody_reads_is_refused_before_anything_is_sent(scripts):
    os.mkfifo(scripts.folder / "trace")
    with FakeService() as service:
        run = create(scripts, service, "--trace", "trace")
        assert (run.code, run.result["field"], service.connections) == (2, "--trace", 0)


def test_a_key_as_an_argument_is_refused_and_not_repeated(scripts):
    with FakeService() as service:
        flags = [
            ["--api-key", KEY],
            [f"--api-key={KEY}"],
            [f"--key-stdin={KEY}"],
            [KEY],
            ["--poll-interval", KEY],
            [f"-k{KEY}"],
        ]
        for flag in flags:
            run = create(scripts, service, *flag)
            assert run.code == 2 and service.connections == 0
            nothing_leaks(run)


# -- the environment -----------------------------------------------------------------------------------------


def test_a_netrc_does_not_replace_the_key(scripts):
    netrc = scripts.home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login a password b\n")
    netrc.chmod(0o600)
    with FakeService(create=stream(event()), media=PICTURE) as service:
        service._scripts["read"] = [answer(200, job("COMPLETED", f"{service.origin}/media/1.png"))]
        run = create(scripts, service, "--output-dir", "out", env={"NETRC": str(netrc)})
        assert run.code == 0, run.events
        sent = [request.headers.get("authorization") for request in service.requests]
        assert sent == [BEARER, BEARER, None]


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(scripts):
    names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    with FakeService() as proxy, FakeService(create=stream(event()), media=PICTURE) as service:
        service._scripts["read"] = [answer(200, job("COMPLETED", f"{service.origin}/media/1.png"))]
        run = create(scripts, service, "--output-dir", "out", env=dict.fromkeys(names, proxy.origin))
        assert (run.code, proxy.connections, len(service.requests)) == (0, 0, 3), run.events


def run_with_env_file(scripts, service, text: str, *flags: str, **env: str):
    (scripts.folder / ".env").write_text(text)
    arguments = ["--sse-endpoint", "/generation/sse/a/b", "--payload", "{}", "--base-url", service.base_url, *flags]
    return scripts.run("create_and_wait.py", *arguments, env=env)


def test_a_key_is_read_from_the_working_folder_and_nothing_in_it_is_expanded(scripts):
    with FakeService(create=stream(event("COMPLETED"))) as service:
        text = "OTHER=secret_of_somebody\nSKILLS_VIDEO_API_KEY=${OTHER}${HOME}\n"
        assert run_with_env_file(scripts, service, text, OTHER="secret_of_somebody").code == 0
        assert service.requests[0].headers["authorization"] == "Bearer ${OTHER}${HOME}"


def test_the_environment_comes_before_a_strangers_file(scripts):
    with FakeService(create=stream(event("COMPLETED"))) as service:
        run_with_env_file(scripts, service, "SKILLS_VIDEO_API_KEY=theirs\n", SKILLS_VIDEO_API_KEY=KEY)
        assert service.requests[0].headers["authorization"] == BEARER


def test_a_strangers_file_sets_nothing_but_a_key(scripts, tmp_path):
    with FakeService() as stranger, FakeService(create=stream(event("COMPLETED"))) as service:
        names = ("SKILLS_VIDEO_BASE_URL", "BASE_URL", "AI_MEDIA_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY")
        text = "".join(f"{name}={stranger.base_url}\n" for name in names)
        text += f"AI_MEDIA_HOME={tmp_path / 'theirs'}\nAI_MEDIA_DEBUG=1\nSKILLS_VIDEO_API_KEY={KEY}\n"
        run = run_with_env_file(scripts, service, text)
        assert (run.code, stranger.connections) == (0, 0) and not (tmp_path / "theirs").exists()
        wanted = wait_url(scripts)
        assert wanted.startswith("https://open.skills.video/"), wanted


def wait_url(scripts) -> str:
    """Where wait_generation.py would go, as `start` tells it; no time is left to go there."""
    arguments = ["--generation-id", "gen_of_nobody", "--timeout", "0"]
    return scripts.run("wait_generation.py", *arguments).first("start")["url"]


@POSIX
def test_a_named_pipe_called_env_does_not_hang_a_script(scripts):
    os.mkfifo(scripts.folder / ".env")
    for script, arguments, code in (
        ("create_and_wait.py", ["--sse-endpoint", "/generation/sse/a/b", "--payload", "{}"], 21),
        ("wait_generation.py", ["--generation-id", "gen_1"], 21),
        ("preflight.py", [], 21),
    ):
        run = scripts.run(script, *arguments)
        assert run.code == code and run.result


def test_an_odd_env_file_is_no_key_and_no_crash(scripts):
    (scripts.folder / ".env").mkdir()
    assert scripts.run("preflight.py").code == 21
    (scripts.folder / ".env").rmdir()
    for content in (
        b"\xff\xfe\x00",
        b"SKILLS_VIDEO_API_KEY",
        b"SKILLS_VIDEO_API_KEY=\n",
        b"SKILLS_VIDEO_API_KEY='open\n",
    ):
        (scripts.folder / ".env").write_bytes(content)
        assert scripts.run("preflight.py").code == 21


@pytest.mark.parametrize("value", ["two words", "line\r\nX-Evil: 1", "schlüssel", "tabular\tbedroom"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(scripts, value):
    with FakeService() as service:
        run = create(scripts, service, env={"SKILLS_VIDEO_API_KEY": value})
        assert (run.code, run.result["outcome"], service.connections) == (21, "not_sent", 0)
        assert max(value.split(), key=len) not in run.stdout.decode() + run.stderr


def test_a_key_on_standard_input_is_used_for_this_run_only(scripts):
    with FakeService(create=stream(event("COMPLETED"))) as service:
        arguments = ["--sse-endpoint", "/generation/sse/a/b", "--payload", "{}", "--base-url", service.base_url]
        run = scripts.run(
            "create_and_wait.py", *arguments, "--key-stdin", stdin=KEY + "\n", env={"SKILLS_VIDEO_API_KEY": "other"}
        )
        assert (run.code, service.requests[0].headers["authorization"]) == (0, BEARER)
        assert scripts.run("create_and_wait.py", *arguments).code == 21


@pytest.mark.parametrize("status, code", [(200, 12), (400, 22)])
def test_an_answer_that_is_compressed_more_than_twice_is_not_unpacked(scripts, status, code):
    import gzip

    packed = json.dumps(job("COMPLETED", message="unpacked")).encode()
    for _ in range(3):
        packed = gzip.compress(packed)
    packed = answer(status, packed, {"Content-Encoding": "gzip, gzip, gzip"})
    with FakeService(create=packed) as service:
        run = create(scripts, service, streams=False)
        assert (run.code, service.posts()) == (code, 1) and b"unpacked" not in run.stdout


@POSIX
def test_a_terminal_that_goes_away_loses_no_job(scripts):
    import pty
    import subprocess
    import sys

    from conftest import PATIENCE, SCRIPTS, read_events
    from fake_service import WITH_KEY, create_arguments

    ours, theirs = pty.openpty()

    def gone(exchange):
        os.close(ours)
        answer(200, job("IN_PROGRESS"))(exchange)

    with FakeService(create=stream(event()), read=[gone, COMPLETED]) as service:
        ended = subprocess.run(
            [sys.executable, str(SCRIPTS / "create_and_wait.py"), *create_arguments(service, "--poll-interval", "1")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, timeout=PATIENCE, check=False,
            env=scripts.environment(**WITH_KEY), cwd=scripts.folder,
        )  # fmt: skip
        os.close(theirs)
        assert (ended.returncode, read_events(ended.stdout)[-1]["event"]) == (0, "terminal"), ended.stdout


# -- what is remembered ----------------------------------------------------------------------------------


def test_a_remembered_address_on_this_machine_gets_no_key_before_it_is_named_again(scripts, tmp_path):
    with FakeService(create=stream(event()), read=COMPLETED) as service:
        bought = create(scripts, service, "--no-wait").job
        seen = len(service.requests)
        ways = [
            ("jobs.py", "resume", bought), ("jobs.py", "download", bought, "--output-dir", "out"),
            ("wait_generation.py", "--job", bought), ("jobs.py", "resume", "--all-undelivered"),
        ]  # fmt: skip
        for script, *words in ways:
            run = scripts.run(script, *words, env=WITH_KEY)
            told = run.first("error")
            assert (run.code, told["error"], len(service.requests)) == (27, "untrusted_destination", seen)
            assert f"--base-url {service.base_url}" in told["guidance"][0]
        named = scripts.run("jobs.py", "resume", bought, "--base-url", service.base_url, env=WITH_KEY)
        assert named.code == 0 and len(service.requests) > seen
