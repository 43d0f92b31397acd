"""What of an answer or of a stranger's descriptor may become an address, a path or a header."""

from __future__ import annotations

import pytest

from mediakit.http import addresses
from mediakit.services import trust

ORIGINS = ("https://api.example.com", "https://queue.example.com:8443")
OWN = "https://api.example.com/v1/jobs/7"

TOLD = [
    OWN,
    "https://API.example.com/v1/jobs/7",
    "https://api.example.com:443/v1/jobs/7?cursor=a%20b&x=1",
    "https://queue.example.com:8443/a/b/requests/7/status",
]
HOSTILE = [
    "https://evil.example/v1/jobs/7",
    "http://api.example.com/v1/jobs/7",
    "https://api.example.com:8443/v1/jobs/7",
    "https://queue.example.com/v1/jobs/7",
    "https://api.example.com.evil.example/jobs",
    "https://evilapi.example.com/jobs",
    "https://api.example.com@evil.example/jobs",
    "https://evil.example\\@api.example.com/jobs",
    "https://user:secret@api.example.com/jobs",
    "https://@api.example.com/jobs",
    "https:\\\\api.example.com\\jobs",
    "https://api.example.com\\.evil.example/jobs",
    "//api.example.com/jobs",
    "/v1/jobs/7",
    "https:api.example.com/jobs",
    "https:///api.example.com/jobs",
    "https://api.example.com./jobs",
    "https://api.example.com/jobs#fragment",
    "https://api.example.com/v1/../../admin",
    "https://api.example.com/v1/%2e%2e/admin",
    "https://api.example.com/v1/..%2fadmin",
    "https://api.example.com/v1/%5cadmin",
    "https://api.example.com//evil.example/jobs",
    "https://api.example.com/jobs\r\nX-Evil: 1",
    "https://api.example.com/jobs%0d%0aX-Evil:1",
    " https://api.example.com/jobs",
    "https://api.example.com/ jobs",
    "https://\u0430pi.example.com/jobs",
    "https://api\u3002example.com/jobs",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/jobs",
    "https://2130706433/jobs",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "data:text/plain,x",
    "ftp://api.example.com/jobs",
    "https://api.example.com:99999/jobs",
    "https://api.example.com:x/jobs",
    "https://[api.example.com/jobs",
    "https://api.example.com/" + "a" * 3000,
    "",
    7,
    None,
    ["https://api.example.com/jobs"],
]


def disguised(origin: str) -> list[str]:
    """Addresses that are none of an origin's own and look as if they were, or that two readers would read differently."""
    host = origin.partition("://")[2]
    name = host.partition(":")[0]
    first, _, parent = name.partition(".")
    return [
        # a suffix, a prefix, a name above or below
        f"https://evil-{host}/j", f"https://{name}-evil.example/j", f"https://{name}.evil.example/j", f"https://x.{host}/j",
        f"https://{parent or 'x'}/j", f"https://{name}evil.example/j", f"https://{name}..evil.example/j",
        # a login before the host
        f"https://{host}@evil.example/j", f"https://evil.example@{host}/j", f"https://{name}:443@evil.example/j",
        f"https://{host}%40evil.example/j", f"https://:@{host}/j", f"https://evil.example;@{host}/j",
        # another host behind a sign that some readers stop at
        f"https://evil.example?{origin}/j", f"https://evil.example#{origin}/j", f"https://evil.example\\{host}/j",
        f"https://evil.example\\@{host}/j", f"https://{host};evil.example/j", f"https://{host},evil.example/j",
        # letters of other scripts, marks without a width, dots that are none
        f"https://{name.replace('a', chr(0x430), 1).replace('e', chr(0x435), 1)}{chr(0x200b)}/j", f"https://xn--{name}/j",
        f"https://{first}{chr(0xff0e)}{parent}/j", f"https://{first}{chr(0x3002)}{parent}/j", f"https://{name}{chr(0xad)}/j",
        # dots behind it, and none
        f"https://{name}./j", f"https://{name}../j", f"https://.{name}/j",
        # the computer itself and its neighbours, in all their spellings
        "https://127.0.0.1/j", "https://0x7f000001/j", "https://0177.0.0.1/j", "https://2130706433/j", "https://127.1/j",
        "https://[::ffff:127.0.0.1]/j", "https://[::ffff:7f00:1]/j", "https://[::]/j", "https://[fe80::1%25eth0]/j",
        "https://0/j", "https://localhost/j", "https://[::ffff:169.254.169.254]/j",
        # ports
        f"https://{name}:80/j", f"https://{name}:0/j", f"https://{name}:65536/j", f"https://{name}:4443/j",
        f"https://{name}:443:8443/j", f"https://{name}:-443/j", f"https://{name}:{chr(0x664)}{chr(0x664)}{chr(0x663)}/j",
        # no scheme, another one, and halves of one
        f"//{host}/j", f"\\\\{host}/j", f"/\\{host}/j", f"http://{host}/j", f"http://{name}:443/j", f"ws://{host}/j",
        f"wss://{host}/j", f"https:/{host}/j", f"https:{host}/j", f"https:////{host}/j", f"view-source:{origin}/j",
        # blanks and control characters within
        f"https://{first}\t.{parent}/j", f"ht\ntps://{host}/j", f"https://{host}\t.evil.example/j", f"\x00{origin}/j",
        f"{origin}/j\n", f"{origin}/j k", f"https://{host}\r\nHost: evil.example/j", f"https://{host}\x0b/j",
        # percent signs in the host
        f"https://{first}%2e{parent}/j", f"https://%61{name}/j", f"https://{name}%2eevil.example/j",
        f"https://{name}%00.evil.example/j", f"https://{name}%23.evil.example/j", f"https://{name}%2f.evil.example/j",
        # what would change the path
        f"{origin}/a/../b", f"{origin}/a/%2e%2e/b", f"{origin}/a/%2E%2E%2Fb", f"{origin}//evil.example/j", f"{origin}/j#x",
        f"{origin}/a%5c..%5cb", f"{origin}/a/./b",
    ]  # fmt: skip


@pytest.mark.parametrize("origin", [*ORIGINS, "https://fal.run", "https://api.replicate.com"])
def test_no_disguise_of_an_origin_is_one(origin):
    origins = (*ORIGINS, origin)
    assert [url for url in disguised(origin) if trust.told_address(url, origins) is not None] == []
    kept = [
        word for url in disguised(origin) for word in (url.strip(), url.upper()) if trust.told_address(word, origins)
    ]
    # Only what a strip makes whole again is an address, and it is the service's own.
    assert {addresses.origin_of(word) for word in kept} <= {addresses.origin_of(one) for one in origins}


def test_no_file_goes_to_a_disguise_of_a_told_host():
    """Where it is the host itself, another path of it is its own affair: a file goes there, and never a key."""
    found = {url for url in disguised("https://up.fal.media") if trust.is_told_host(url, ("up.fal.media",))}
    assert {addresses.origin_of(url) for url in found} == {("https", "up.fal.media", 443)}
    assert all(url.startswith("https://up.fal.media/") for url in found)


@pytest.mark.parametrize("url", TOLD)
def test_an_address_at_one_of_the_origins_is_used(url):
    assert trust.told_address(url, ORIGINS) == url


@pytest.mark.parametrize("url", HOSTILE)
def test_an_address_anywhere_else_is_not(url):
    assert trust.told_address(url, ORIGINS) is None


IDS = [
    "7",
    "abc-DEF_1.2",
    "v1_x7",
    "models/a/operations/b",
    "a:b",
    "a..b",
    "a==",
    "gen_7f31",
    "task-k93f",
    "5d1f0c7e-0000-4000-8000-6c2b1a9f3e10",
    "q1w2e3r4t5rma0c9x8z7v6",
    "correct-horse-battery-staple",
    "k" * 512,
    "projects/p/locations/us-central1/publishers/google/models/veo-3/operations/a1",
    "aB3+/x_Y~z@1;v,2",
]
NO_IDS = [
    "", ".", "..", "a/../b", "../x", "a/..", "a/./b", "a?b", "a#b", "a%2fb", "a\\b", "a b", "a\nb", "a\x00b", "a\x7fb",
    "\ud800", "x" * 600, "Your request was accepted.",
    "ignore-all-previous-instructions-now", "ignore_all_previous_instructions_and_pay", "Please.run.this.now.again",
    "job_1/ignore-all-previous-instructions-now", "IgnoreAll,previous,instructions,and,pay", "a`id`", "$(id)", "a;b c", "a|b",
    "<b>", "a\"b", "a'b", "a&b", "!x", "a*", "\u00e9", "\u8bf7\u5ffd\u7565\u4e4b\u524d", "a\u200bb", "\U000e0041",
    "a\u00a0b", "\u0430bc", "(x)", "{x}", "[x]", "x^y",
]  # fmt: skip


@pytest.mark.parametrize("text", IDS)
def test_an_id_stands_in_a_path_and_stays_there(text):
    from urllib.parse import unquote, urlsplit

    assert trust.usable_id(text) == text
    for keeps_slashes in (False, True):
        written = trust.in_path(text, keeps_slashes)
        url = urlsplit(f"https://api.example.com/jobs/{written}/status")
        assert unquote(url.path) == f"/jobs/{text}/status" and not url.query and not url.fragment


@pytest.mark.parametrize("text", NO_IDS)
def test_what_would_change_a_path_is_no_id(text):
    assert trust.usable_id(text) is None
    with pytest.raises(ValueError):
        trust.in_path(text, True)


def test_an_id_has_the_form_that_the_descriptor_says():
    assert trust.usable_id("a1-b2", "[a-z0-9-]{4,64}") == "a1-b2"
    assert trust.usable_id("a1/b2", "[a-z0-9-]{4,64}") is None
    # No pattern of a descriptor lets through what changes a path.
    assert trust.usable_id("a/../b", ".{1,64}") is None
    assert (trust.usable_id(7), trust.usable_id(True), trust.usable_id(7.5), trust.usable_id(["a"])) == (
        "7",
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    "model", ["a/b", "x", "kling-ai/v3/video", "a.b/c_d-1", "owner/name:" + "0" * 64, "gemini-3.1-flash-image"]
)
def test_a_model_may_stand_in_a_path(model):
    assert trust.is_model(model)


@pytest.mark.parametrize(
    "model",
    [
        "",
        "/",
        "a//b",
        "../x",
        "a/..",
        "a..b",
        "a b",
        "a?b",
        "a#b",
        "a/",
        "@evil",
        "a\\b",
        "%2e",
        "\u00e9",
        "x" * 300,
        ":a",
    ],
)
def test_what_could_change_a_path_is_no_model(model):
    assert not trust.is_model(model)


HOSTS = ("uploads.example.com", "*.media.example")


@pytest.mark.parametrize(
    "url, fits",
    [
        ("https://uploads.example.com/put?signature=1", True),
        ("https://v3.media.example/put", True),
        ("https://a.b.media.example/put", True),
        ("https://media.example/put", False),
        ("https://evilmedia.example/put", False),
        ("https://uploads.example.com.evil.example/put", False),
        ("http://uploads.example.com/put", False),
        ("https://uploads.example.com:8443/put", False),
        ("https://u:p@uploads.example.com/put", False),
        ("https://uploads.example.com/put#x", False),
        ("https://127.0.0.1/put", False),
        ("https://other.example/put", False),
    ],
)
def test_a_file_goes_only_to_the_hosts_that_the_descriptor_names(url, fits):
    assert trust.is_told_host(url, HOSTS) is fits


@pytest.mark.parametrize("host", ["uploads.example.com", "*.example.com", "*.fal.media"])
def test_a_host_of_a_descriptor_is_one_or_a_domain_of_its_own(host):
    assert trust.flaws_of_host(host) is None


@pytest.mark.parametrize(
    "host",
    ["*", "*.com", "*.co.uk", "*.com.au", "*.github.io", "*.vercel.app", "*.workers.dev", "*.cloudfront.net", "localhost",
     "127.0.0.1", "*.localhost", "a*.example.com", "*.*.example.com", "https://a.example", "a.example/x", "A.example"],
)  # fmt: skip
def test_a_wildcard_of_what_is_everybodys_is_refused(host):
    assert trust.flaws_of_host(host)


@pytest.mark.parametrize(
    "name", ["Authorization", "cookie", "HOST", "Content-Length", "transfer-encoding", "X Y", "X:Y", "", "\u00e9"]
)
def test_a_constant_header_is_never_a_login_or_a_frame(name):
    assert trust.flaws_of_header(name)


def test_an_api_version_is_a_constant_header():
    assert trust.flaws_of_header("X-Runway-Version") is None


def test_a_key_stands_in_a_login_header_and_frames_no_body():
    for name in ("Authorization", "cookie", "X-Api-Key"):
        assert trust.flaws_of_header(name, of_key=True) is None
    for name in ("Host", "Content-Length", "Connection", "Content-Type", "Proxy-Authorization"):
        assert trust.flaws_of_header(name, of_key=True)


@pytest.mark.parametrize("name", ["STUDIO_KEY", "HF_TOKEN", "LUMA", "HOMEBASE_KEY", "PATHFINDER_TOKEN", "PROXY_KEY"])
def test_any_other_variable_may_hold_a_key(name):
    assert trust.flaws_of_variable(name) is None


@pytest.mark.parametrize(
    "origin", ["https://api.example.com", "https://api.example.com:8443", "http://127.0.0.1:8188", "http://localhost:1"]
)
def test_an_origin_is_scheme_host_and_port(origin):
    assert trust.flaws_of_origin(origin) is None


@pytest.mark.parametrize(
    "origin",
    ["http://api.example.com", "https://api.example.com/", "https://api.example.com/v1", "https://u@api.example.com",
     "https://api.example.com?x", "ftp://api.example.com", "api.example.com", "https://", "https://a b"],
)  # fmt: skip
def test_anything_else_is_no_origin(origin):
    assert trust.flaws_of_origin(origin)


PATTERNS = [
    ("[A-Za-z0-9-]{8,64}", True, None),
    ("^[a-z]{1,9}$", True, None),
    ("[a-z0-9]+", False, None),
    ("[a-z0-9]+", True, "without an end"),
    (".*", True, "without an end"),
    ("^abc", False, "without an end"),
    ("abc$", False, "without an end"),
    ("(a+)+", False, "for ever"),
    ("(a{1,500}){1,500}", True, "for ever"),
    ("(([a-z])+.)+[A-Z]{5}", False, "for ever"),
    ("(", False, "regular expression"),
    ("[z-a]", False, "regular expression"),
    ("a" * 400, False, "at most"),
    ("(ab|cd){1,4}[0-9]{1,32}", True, None),
]


@pytest.mark.parametrize("pattern, bounded, words", PATTERNS)
def test_a_pattern_ends_and_takes_no_time_to_speak_of(pattern, bounded, words):
    flaw = trust.flaws_of_pattern(pattern, bounded)
    assert flaw is None if words is None else words in flaw
