"""Faults of this machine's set-up: nothing left, the setting is named, and it is not tried five times."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from conftest import KEY, SCRIPTS, Run
from fake_service import COMPLETED, FakeService, answer, certificate, create, job, start_create

FAR = ("--trust-base-url", "--deadline", "40")

# environment, what the message names, whether another try could help
PROXIES = {
    "SOCKS without its package": ({"ALL_PROXY": "socks5h://127.0.0.1:9"}, "ALL_PROXY names a SOCKS proxy", False),
    "no host": ({"HTTPS_PROXY": "http://"}, "HTTPS_PROXY names no host", False),
    "the end of a line": ({"HTTPS_PROXY": "http://127.0.0.1:9\n"}, "HTTPS_PROXY holds white space", False),
    "a blank": ({"https_proxy": "http://127.0.0.1 :9"}, "https_proxy holds white space", False),
    "an unknown scheme": ({"HTTPS_PROXY": "ftp://127.0.0.1:9"}, "HTTPS_PROXY names a kind of proxy", False),
    "no port": ({"HTTPS_PROXY": "http://127.0.0.1:port"}, "HTTPS_PROXY is no URL", False),
    "a port that is too large": ({"all_proxy": "http://127.0.0.1:99999"}, "all_proxy is no URL", False),
    "a CA bundle that is not there": ({"REQUESTS_CA_BUNDLE": "/nowhere.pem"}, "REQUESTS_CA_BUNDLE names", False),
    "another CA bundle that is not there": ({"CURL_CA_BUNDLE": "/nowhere.pem"}, "CURL_CA_BUNDLE names", False),
    "a CA file that is not there": ({"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT_FILE names", False),
    "a CA folder that is not there": ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR names", False),
    "a CA file that is none": (
        {"SSL_CERT_FILE": os.path.abspath(__file__)},
        "SSL_CERT_FILE names a file without",
        False,
    ),
}


@pytest.mark.parametrize("name", PROXIES)
def test_a_setting_that_cannot_be_used_is_named_and_nothing_was_sent(scripts, name):
    environment, words, retryable = PROXIES[name]
    run = create(scripts, "https://service.invalid/api/v1", *FAR, env=environment)
    result = run.result
    assert (run.code, result["outcome"], result["retryable"]) == (24, "not_sent", retryable), run.events
    assert words in result["message"] and "retry" not in run.names
    # What was not sent is no obstacle: the same command goes on once the setting is mended.
    assert create(scripts, "https://service.invalid/api/v1", *FAR, env=environment).code == 24


def proxy(status: int):
    """A proxy that answers every CONNECT with a status."""

    def connect(connection, number) -> bool:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
        connection.close()
        return True

    return FakeService(connect=connect)


@pytest.mark.parametrize(("status", "words"), [(407, "user name and a password"), (502, "HTTP 502"), (None, "refused")])
def test_a_proxy_that_gives_no_connection_is_told_as_such(scripts, status, words):
    with proxy(status or 502) as service:
        if status is None:
            service.__exit__()
        run = create(scripts, "https://service.invalid/api/v1", *FAR, env={"HTTPS_PROXY": service.origin})
        assert (run.code, run.result["outcome"]) == (24, "not_sent"), run.events
        assert "HTTPS_PROXY" in run.result["message"] and words in run.result["message"]
        assert (status == 407) is ("retry" not in run.names)


def test_ca_certificates_of_the_environment_count_and_a_bad_certificate_is_not_tried_again(scripts, tmp_path):
    paths = certificate(tmp_path)
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in ("0", "1"):
        name = subprocess.run(
            ["openssl", "x509", "-hash", "-noout", "-in", paths[0]], capture_output=True, text=True, check=True
        ).stdout.strip()
        (folder / f"{name}.{number}").write_bytes(open(paths[0], "rb").read())
    with FakeService(create=answer(200, job()), read=COMPLETED, tls=paths) as service:
        run = create(scripts, service, streams=False)
        assert (run.code, run.result["outcome"], service.connections) == (24, "not_sent", 1), run.events
        assert "certificate" in run.result["message"]
        for environment in (
            {"SSL_CERT_FILE": paths[0]},
            {"SSL_CERT_DIR": str(folder)},
            {"REQUESTS_CA_BUNDLE": paths[0]},
        ):
            run = create(scripts, service, "--allow-duplicate", streams=False, env=environment)
            assert run.code == 0, (environment, run.events)


def test_a_certificate_for_another_host_is_refused_though_it_is_trusted(scripts, tmp_path):
    paths = certificate(tmp_path)
    with FakeService(create=answer(200, job()), read=COMPLETED, tls=paths) as service:
        elsewhere = service.base_url.replace("127.0.0.1", "localhost")
        run = create(scripts, elsewhere, streams=False, env={"SSL_CERT_FILE": paths[0]})
        assert (run.code, run.result["outcome"], service.posts()) == (24, "not_sent", 0), run.events
        assert "certificate" in run.result["message"]


NO_SOCKETS = """
import errno, runpy, socket, sys
real = socket.socket
class Refused(real):
    def connect(self, address):
        raise OSError({number}, "no")
def no_names(*arguments, **options):
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
socket.socket = Refused
socket.getaddrinfo = no_names if {names} else socket.getaddrinfo
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a shell-like sandbox")
@pytest.mark.parametrize("names", [True, False], ids=["names fail too", "an address"])
@pytest.mark.parametrize(
    ("number", "words"), [(1, "may not open network connections"), (13, "may not open"), (101, "no network")]
)
def test_a_process_without_network_is_told_who_can_allow_it(scripts, names, number, words):
    host = "service.invalid" if names else "192.0.2.1"
    arguments = ["--sse-endpoint", "/generation/sse/a/b", "--payload", "{}", "--base-url", f"https://{host}/api/v1"]
    program = NO_SOCKETS.format(number=number, names=names)
    found = subprocess.run(
        [sys.executable, "-c", program, str(SCRIPTS / "create_and_wait.py"), *arguments, *FAR, "--no-validate"],
        capture_output=True,
        env=scripts.environment(SKILLS_VIDEO_API_KEY=KEY),
        timeout=120,
        check=False,
    )
    run = Run(found.returncode, found.stdout, found.stderr)
    assert (run.code, run.result["outcome"]) == (24, "not_sent"), run.events
    assert words in run.result["message"] and "resolved" not in run.result["message"]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP here")
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "JSON"])
def test_an_answer_that_came_while_the_process_was_stopped_is_read(scripts, streams):
    go = threading.Event()

    def handler(exchange) -> None:
        exchange.wait(go)
        answer(200, job())(exchange)

    with FakeService(create=handler, read=COMPLETED) as service:
        process = start_create(scripts, service, "--sse-request-timeout", "2", streams=streams)
        service.wait_for("POST")
        process.send_signal(signal.SIGSTOP)
        go.set()
        # Longer than the time-out and all the spare time that the socket has.
        threading.Event().wait(8)
        process.send_signal(signal.SIGCONT)
        stdout, stderr = process.communicate(timeout=60)
        run = Run(process.returncode, stdout, stderr)
        assert (run.code, run.result["generation_id"], service.posts()) == (0, "gen_1", 1), run.events
