"""Flags are read once: each one arrives in the record that is made of it, and none is forgotten on the way."""

from __future__ import annotations

import ast
import time

import pytest

from conftest import SCRIPTS
from mediakit.base import amounts, errors
from mediakit.base.record import fields, replace
from mediakit.console import Parser
from mediakit.jobs import flags
from mediakit.jobs.connection import ConnectionFlags
from mediakit.jobs.price import Spending
from mediakit.media.saving import LIMITS


def parser_of(*groups: str) -> Parser:
    parser = Parser("a test", "")
    for group in groups:
        getattr(flags, group)(parser)
    return parser


def create(*words: str):
    groups = ("connection", "request", "spending", "creating", "reading")
    return parser_of(*(f"add_{group}_flags" for group in groups)).parse(list(words))


def existing(*words: str):
    return parser_of(*(f"add_{group}_flags" for group in ("connection", "waiting", "reading"))).parse(list(words))


@pytest.mark.parametrize(
    ("cls", "given"), [(ConnectionFlags, create()), (Spending, create()), (ConnectionFlags, existing())]
)
def test_no_field_keeps_its_default_because_no_flag_has_its_name(cls, given):
    """A renamed flag would be accepted and ignored: a cap, say, or a host that is not trusted."""
    assert set(fields(cls)) <= set(vars(given))


# words of a command, what reads them, the fields that come of it
READ = [
    (("--provider", "sandbox", "--trace", "t"), flags.connection, {"provider": "sandbox", "trace": "t"}),
    (("--base-url", "https://a.invalid", "--trust-base-url"), flags.connection,
     {"base_url": "https://a.invalid", "trust_base_url": True}),
    (("--key-stdin", "--transport", "rest"), flags.connection, {"key_stdin": True, "transport": "rest"}),
    (("--max-spend", "5usd", "--copies", "3"), flags.spending,
     {"max_spend": amounts.Amount(5 * amounts.MICRO, "usd"), "copies": 3}),
    (("--intent", "two", "--allow-duplicate", "--retry-unknown"), flags.spending,
     {"intent": "two", "allow_duplicate": True, "retry_unknown": True}),
    (("--require-ledger", "--accept-unknown-cost", "--no-store-payload"), flags.spending,
     {"require_ledger": True, "accept_unknown_cost": True, "no_store_payload": True}),
    (("--stream", "never", "--no-wait", "--verbose"), flags.wait_policy, {"stream": False, "wait": False, "verbose": True}),
    (("--sse-request-timeout", "1", "--poll-timeout", "2", "--stream-timeout", "5"), flags.wait_policy,
     {"create_timeout": 1.0, "poll_timeout": 2.0, "stream_timeout": 5.0}),
    (("--poll-interval", "3", "--poll-request-timeout", "4"), flags.wait_policy,
     {"poll_interval": 3.0, "poll_request_timeout": 4.0}),
    (("--model-slug", "a/b"), flags.create_request, {"model": "a/b", "implies": "modellix"}),
    (("--sse-endpoint", "/generation/sse/a/b"), flags.create_request,
     {"endpoint": "/generation/sse/a/b", "implies": "skills-video"}),
    (("--task", "t2i", "--from", "x.json"), flags.create_request, {"task": "t2i", "source": "x.json"}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "read", "wanted"), READ)
def test_each_flag_arrives_in_its_field(words, read, wanted):
    found = read(create(*words))
    assert {name: getattr(found, name) for name in wanted} == wanted


def test_what_fills_a_request_is_read_whole(tmp_path):
    (tmp_path / "prompt.txt").write_text(" a tin boat\n")
    (tmp_path / "payload.json").write_text('{"seed": 1}')
    given = create(
        "--prompt-file", str(tmp_path / "prompt.txt"), "--payload-file", str(tmp_path / "payload.json"),
        "--param", "n=2", "--param", "style=ink=wash", "--input", "image=a=b.png", "--no-validate",
    )  # fmt: skip
    content = flags.create_request(given).content
    assert (content.prompt, content.payload) == ("a tin boat", {"seed": 1})
    assert content.parameters == {"n": 2, "style": "ink=wash"}
    assert content.inputs == (("image", "a=b.png"),) and not content.validates


@pytest.mark.parametrize(
    "words",
    [
        ("--prompt", "a", "--prompt-file", "b"),
        ("--prompt", " "),
        ("--payload", "{}", "--payload-file", "b"),
        ("--payload", "[]"),
        ("--payload", "{"),
        ("--model", "a", "--model-slug", "a"),
        ("--param", "a=1", "--param", "a=2"),
        ("--param", "a"),
        ("--input", "=b"),
        ("--payload-file", "-", "--prompt-file", "-"),
        ("--key-stdin", "--input", "image=-"),
        ("--from", "x.json", "--payload", "{}"),
    ],
)
def test_what_contradicts_itself_is_a_bad_argument(words):
    with pytest.raises(errors.Failure) as refused:
        flags.create_request(create(*words))
    assert refused.value.exit_code == 2 and refused.value.fields["outcome"] == "not_sent"


@pytest.mark.parametrize("text", ["", "nan", "inf", "-inf", "1e999", "-1", "1_0", "\uff11\uff10", "0x10", "5s", "1,5"])
def test_a_number_of_seconds_is_finite_and_written_in_ascii_digits(text):
    for flag in ("--deadline", "--poll-timeout"):
        with pytest.raises(errors.Failure) as refused:
            create(f"{flag}={text}")
        assert (refused.value.exit_code, refused.value.fields["field"]) == (2, flag)


def test_each_limit_is_the_one_of_its_flag_and_the_others_stay(tmp_path):
    limits = {"--max-file-size": "file_bytes", "--max-total-size": "total_bytes", "--max-files": "files",
              "--download-timeout": "seconds"}  # fmt: skip
    for flag, name in limits.items():
        saving = flags.saving(create(flag, "7", "--output-dir", str(tmp_path)))
        assert saving.budget.limits == replace(LIMITS, **{name: 7})
        assert saving.flags == (flag, "7" if name != "seconds" else "7.0")


def test_a_deadline_is_a_moment_and_no_deadline_is_never():
    before = time.monotonic()
    assert before - 5 < flags.wait_policy(create("--deadline", "100")).deadline < time.monotonic() + 100
    assert flags.wait_policy(create()).deadline == float("inf")
    assert before - 5 < flags.existing_wait_policy(existing("--deadline", "100")).deadline < time.monotonic() + 100
    assert flags.existing_wait_policy(existing()).deadline == float("inf")
    assert flags.existing_wait_policy(existing("--timeout", "5", "--interval", "2")).poll_timeout == 5.0


def test_nothing_below_the_scripts_reads_or_changes_what_argparse_has_parsed():
    """Only jobs/flags reads a namespace, and console/flags makes one."""
    allowed = {"jobs/flags.py", "console/flags.py", "console/script.py"}
    for path in (SCRIPTS / "mediakit").rglob("*.py"):
        if path.relative_to(SCRIPTS / "mediakit").as_posix() in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_namespace = isinstance(node, ast.Attribute) and node.attr == "Namespace"
            is_read = isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in ("arguments", "given_flags")
            assert not is_namespace and not is_read, f"{path}:{node.lineno}"
