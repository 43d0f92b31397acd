"""The life of a key: found, tried, kept, replaced; and the logins that services' own clients have saved."""

from __future__ import annotations

import json
import os

import pytest

from conftest import KEY
from fake_service import FakeService, answer, hang, page, reset
from mediakit.base import errors, paths
from mediakit.sandbox import Sandbox
from mediakit.services import keys, providers
from real_services import REAL, SPOKEN, variable

OLD = "the_old_fake_key"
BAD = "bad_fake_key"  # the sandbox plays the part of a service that refuses it


def keep(scripts, service: str, value: str) -> None:
    scripts.key_file.parent.mkdir(parents=True, exist_ok=True)
    scripts.key_file.write_text(f"{variable(service)}={value}\n", encoding="utf-8")


def kept(scripts) -> str:
    return scripts.key_file.read_text(encoding="utf-8") if scripts.key_file.exists() else ""


def preflight(scripts, service: str, *flags: str, at=None, **options):
    where = getattr(at, "origin", None) or getattr(at, "url", None)
    base = ["--base-url", where + providers.load(service).base_path] if where else []
    return scripts.run("preflight.py", "--provider", service, *flags, *base, **options)


def report(run) -> dict:
    return run.result["providers"][0]


# -- asked -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SPOKEN)
def test_online_says_whether_the_key_is_taken_and_what_is_left_by_reads_only(scripts, service):
    with Sandbox(None, service) as server:
        run = preflight(scripts, service, "--online", at=server, env={variable(service): KEY})
        assert {method for method, _ in server.requests} == {"GET"}
        asked = [path for _, path in server.requests]
    provider = providers.load(service)
    paths = dict.fromkeys(
        filter(None, (provider.key_check and provider.key_check["path"], (provider.says("balance") or {}).get("path")))
    )
    assert asked == [provider.base_path + path for path in paths]
    assert run.code == 0 and report(run)["online"]["ok"] is True
    assert ("balance" in report(run)) == bool(provider.says("balance"))
    assert KEY not in run.stdout.decode()


UNITS = {"modellix": "usd", "image-skill": "credits"}


@pytest.mark.parametrize("service, unit", UNITS.items())
def test_a_balance_whose_shape_is_known_is_told_with_its_unit(scripts, service, unit):
    with Sandbox(None, service) as server:
        run = preflight(scripts, service, "--online", at=server, env={variable(service): KEY})
    assert report(run)["balance"]["unit"] == unit and report(run)["balance"]["amount"] > 0


REFUSALS = [
    ("modellix", answer(200, {"code": 0, "data": {"is_valid": False}})),
    ("modellix", answer(401, {"code": 401, "message": "Authentication failed: no"})),
    ("image-skill", answer(401, {"ok": False, "error": {"code": "AUTH_REQUIRED", "message": "no"}})),
    ("image-skill", answer(200, {"ok": False, "error": {"code": "AUTH_REQUIRED", "message": "no"}})),
    ("skills-video", answer(403, {"message": "forbidden"})),
]


@pytest.mark.parametrize("service, said", REFUSALS)
def test_a_refused_key_is_not_ready(scripts, service, said):
    with FakeService(other=said) as fake:
        run = preflight(scripts, service, "--online", at=fake, env={variable(service): KEY})
        assert len(fake.requests) == 1  # what is left is not asked for with a key that is refused
    assert run.code == 21 and report(run)["ready"] is False
    assert report(run)["online"]["ok"] is False and report(run)["online"]["category"] == "auth"
    assert report(run)["recommended_mode"] == "none" and "balance" not in report(run)


def test_a_balance_that_is_not_told_leaves_the_key_good(scripts):
    fine = answer(200, {"code": 0, "data": {"is_valid": True}})
    with FakeService(other=[fine, page(503)]) as fake:
        run = preflight(scripts, "modellix", "--online", at=fake, env={variable("modellix"): KEY})
    assert run.code == 0 and report(run)["ready"] is True and report(run)["online"]["category"] == "transient"


NO_CREDITS = [
    answer(402, {"code": 402, "message": "Insufficient balance"}),
    answer(200, {"code": 0, "data": {"balance": 0.0}}),
]


@pytest.mark.parametrize("said", NO_CREDITS)
def test_missing_credits_are_a_state_of_their_own(scripts, said):
    fine = answer(200, {"code": 0, "data": {"is_valid": True}})
    with FakeService(other=[fine, said]) as fake:
        run = preflight(scripts, "modellix", "--online", at=fake, env={variable("modellix"): KEY})
    assert run.code == 20 and run.result["stage"] == "credits_required"


STRANGE = [
    answer(200, b"[" * 100_000),
    answer(200, b""),
    answer(200, [1]),
    answer(200, {"data": "x"}),
    page(200),
    reset,
]


@pytest.mark.parametrize("said", STRANGE)
def test_a_strange_answer_is_reported_and_no_more(scripts, said):
    with FakeService(other=said) as fake:
        run = preflight(scripts, "image-skill", "--online", at=fake, env={variable("image-skill"): KEY})
    assert run.result["event"] == "preflight" and KEY not in run.stdout.decode()


# -- kept and replaced -------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", REAL)
def test_a_first_key_is_kept_without_asking_anybody(scripts, service):
    with FakeService() as fake:
        run = preflight(scripts, service, "--persist-key", at=fake, stdin=KEY)
        assert fake.requests == []
    assert run.code == 0 and KEY in kept(scripts) and KEY not in run.stdout.decode() + run.stderr


@pytest.mark.parametrize("service", SPOKEN)
def test_a_new_key_takes_the_place_of_the_old_one_once_the_service_takes_it(scripts, service):
    keep(scripts, service, OLD)
    with Sandbox(None, service) as server:
        run = preflight(scripts, service, "--persist-key", at=server, stdin=KEY)
        assert [method for method, _ in server.requests] == ["GET"]
    assert run.code == 0 and KEY in kept(scripts) and OLD not in kept(scripts)
    assert not any(word in run.stdout.decode() + run.stderr for word in (KEY, OLD))


@pytest.mark.parametrize("service", REAL)
@pytest.mark.parametrize("flags", [(), ("--online",)])
def test_a_refused_key_keeps_the_old_one(scripts, service, flags):
    keep(scripts, service, OLD)
    with FakeService(other=answer(401, {"message": "no"})) as fake:
        run = preflight(scripts, service, "--persist-key", *flags, at=fake, stdin=BAD)
    assert (run.code, run.result["error"], run.result["category"]) == (21, "api_key_refused", "auth")
    assert "kept" in run.result["message"] and OLD in kept(scripts) and BAD not in kept(scripts)
    assert not any(word in run.stdout.decode() + run.stderr for word in (BAD, OLD))


def test_modellix_refuses_with_a_status_of_success_and_keeps_the_old_key(scripts):
    keep(scripts, "modellix", OLD)
    with Sandbox(None, "modellix") as server:
        run = preflight(scripts, "modellix", "--persist-key", at=server, stdin=BAD)
    assert (run.code, run.result["http_status"]) == (21, 200) and OLD in kept(scripts)


def test_a_refused_first_key_is_not_kept_where_it_was_to_be_tried(scripts):
    with FakeService(other=answer(401, {"message": "no"})) as fake:
        run = preflight(scripts, "skills-video", "--persist-key", "--online", at=fake, stdin=BAD)
    assert run.code == 21 and kept(scripts) == ""


UNREACHABLE = [reset, page(503), answer(429, {"message": "slow down"}), answer(200, b"{"), answer(302, b"")]


@pytest.mark.parametrize("said", UNREACHABLE)
def test_a_key_that_cannot_be_tried_replaces_nothing(scripts, said):
    keep(scripts, "skills-video", OLD)
    with FakeService(other=said) as fake:
        run = preflight(scripts, "skills-video", "--persist-key", at=fake, stdin=KEY)
        assert run.result["error"] == "key_not_checked" and run.code in (24, 25)
        assert OLD in kept(scripts) and KEY not in kept(scripts)
        again = preflight(scripts, "skills-video", "--persist-key", "--no-check", at=fake, stdin=KEY)
        assert again.code == 0 and KEY in kept(scripts) and len(fake.requests) == 1


def test_a_first_key_that_cannot_be_tried_is_kept_with_a_warning(scripts):
    with FakeService(other=reset) as fake:
        run = preflight(scripts, "skills-video", "--persist-key", "--online", at=fake, stdin=KEY)
    assert run.first("warning")["code"] == "key_not_checked" and KEY in kept(scripts)


def test_the_same_key_again_asks_nobody(scripts):
    keep(scripts, "skills-video", KEY)
    with FakeService(other=hang) as fake:
        assert preflight(scripts, "skills-video", "--persist-key", at=fake, stdin=KEY).code == 0
        assert fake.requests == []


def test_an_account_without_credits_has_a_good_key(scripts):
    keep(scripts, "skills-video", OLD)
    with FakeService(other=answer(402, {"message": "insufficient credits"})) as fake:
        run = preflight(scripts, "skills-video", "--persist-key", at=fake, stdin=KEY)
    assert run.code == 0 and KEY in kept(scripts)


def test_a_new_key_goes_to_no_stranger(scripts):
    keep(scripts, "skills-video", OLD)
    where = ("--base-url", "https://elsewhere.invalid/api/v1")
    run = preflight(scripts, "skills-video", "--persist-key", *where, stdin=KEY)
    assert (run.code, run.result["error"]) == (27, "untrusted_destination") and OLD in kept(scripts)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("made", ["pipe", "folder", "huge", "bytes"])
def test_a_store_that_is_no_file_of_settings_is_left_as_it_is(scripts, made):
    scripts.key_file.parent.mkdir(parents=True)
    content = {"huge": b"A=1\n" * 20_000, "bytes": b"A=\xff\xfe\n"}.get(made)
    if made == "pipe":
        os.mkfifo(scripts.key_file)
    elif made == "folder":
        scripts.key_file.mkdir()
    else:
        scripts.key_file.write_bytes(content)
    run = preflight(scripts, "skills-video", "--persist-key", stdin=KEY)
    assert run.code == 2 and "cannot be written" in run.result["message"] and KEY not in run.stdout.decode()
    assert content is None or scripts.key_file.read_bytes() == content


# -- found -------------------------------------------------------------------------------------------------


def login(scripts, content, path=None):
    """The file in which Image Skill's own client saves its login."""
    path = path or scripts.home / ".config/image-skill/config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def used_key(scripts, **options) -> str | None:
    """The key that reaches the service, and that nothing of it was told or copied."""
    with FakeService(other=answer(200, {"ok": True, "data": {}})) as fake:
        base_url = f"{fake.origin}/v1"
        run = scripts.run("account.py", "image-skill", "whoami", "--base-url", base_url, **options)
        if run.code == 21:
            return None
        assert run.code == 0, run.events
        sent = fake.requests[0].headers["authorization"].removeprefix("Bearer ")
    assert sent not in run.stdout.decode() + run.stderr
    return sent


def test_the_login_that_a_client_has_saved_is_used_and_not_copied(scripts):
    path = login(scripts, {"token": KEY, "api": "https://elsewhere.invalid"})
    before = path.read_bytes()
    assert used_key(scripts) == KEY
    assert path.read_bytes() == before and kept(scripts) == ""
    everything = [file for file in scripts.folder.rglob("*") if file.is_file() and file != path]
    assert all(KEY.encode() not in file.read_bytes() for file in everything)


def test_the_login_can_be_somewhere_else(scripts):
    path = login(scripts, {"token": KEY}, scripts.folder / "my login.json")
    assert used_key(scripts, env={"IMAGE_SKILL_CONFIG_PATH": str(path)}) == KEY
    run = scripts.run("preflight.py", "--provider", "image-skill", env={"IMAGE_SKILL_CONFIG_PATH": str(path)})
    assert report(run)["key_source"] == "the login that the service's own client has saved"
    assert "my login" not in run.stdout.decode() and KEY not in run.stdout.decode()


def test_the_older_name_of_the_variable_counts_after_the_newer_one(scripts):
    older = {"IMAGE_SKILL_HOSTED_TOKEN": OLD}
    assert used_key(scripts, env=older) == OLD
    assert used_key(scripts, env={**older, "IMAGE_SKILL_TOKEN": KEY}) == KEY
    run = scripts.run("preflight.py", "--provider", "image-skill", env=older)
    assert report(run)["key_source"] == "the environment variable IMAGE_SKILL_HOSTED_TOKEN"


def test_a_key_is_looked_for_in_the_order_that_is_promised(scripts):
    """Standard input, the environment, the client's login, the user's own store, ./.env."""
    (scripts.folder / ".env").write_text("IMAGE_SKILL_TOKEN=from_the_folder\n", encoding="utf-8")
    assert used_key(scripts) == "from_the_folder"
    keep(scripts, "image-skill", "from_the_store")
    assert used_key(scripts) == "from_the_store"
    login(scripts, {"token": "from_the_login"})
    assert used_key(scripts) == "from_the_login"
    env = {"IMAGE_SKILL_TOKEN": "from_the_environment"}
    assert used_key(scripts, env=env) == "from_the_environment"
    with FakeService(other=answer(200, {"ok": True, "data": {}})) as fake:
        words = ("image-skill", "whoami", "--base-url", f"{fake.origin}/v1", "--key-stdin")
        assert scripts.run("account.py", *words, env=env, stdin="from_standard_input").code == 0
        assert fake.requests[0].headers["authorization"] == "Bearer from_standard_input"


def test_the_folder_s_own_file_gives_no_address_and_no_login(scripts):
    lines = ["IMAGE_SKILL_CONFIG_PATH=login.json", "IMAGE_SKILL_HOSTED_TOKEN=a_fake_key", "IMAGE_SKILL_API_BASE_URL=x"]
    (scripts.folder / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")
    login(scripts, {"token": KEY}, scripts.folder / "login.json")
    assert scripts.run("preflight.py", "--provider", "image-skill").code == 21


BROKEN = [b"", b"{", b"[]", b"null", b'{"token": 7}', b'{"token": null}', b'{"token": {"a": "b"}}', b"\xff\xfe\x00"]
BROKEN += [b"[" * 60_000, b'{"a": "' + b"x" * 100_000 + b'", "token": "never_reached"}', b'{"other": "a_fake_key"}']


@pytest.mark.parametrize("content", BROKEN, ids=[str(number) for number in range(len(BROKEN))])
def test_a_broken_login_is_no_login(scripts, content):
    login(scripts, content)
    run = scripts.run("preflight.py", "--provider", "image-skill")
    assert run.code == 21 and report(run)["key_found"] is False


@pytest.mark.parametrize("token", ["two words", "a\nb", "ключ"])
def test_a_login_that_no_header_can_hold_is_refused_unseen(scripts, token):
    login(scripts, {"token": token})
    run = scripts.run("preflight.py", "--provider", "image-skill")
    assert (run.code, run.result["error"]) == (21, "invalid_api_key") and token not in run.stdout.decode()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("made", ["pipe", "folder", "nothing", "loop"])
def test_what_is_no_file_is_no_login_and_does_not_hang(scripts, made):
    path = scripts.folder / "login.json"
    if made == "pipe":
        os.mkfifo(path)
    elif made == "folder":
        path.mkdir()
    elif made == "loop":
        path.symlink_to(path)
    run = scripts.run("preflight.py", "--provider", "image-skill", env={"IMAGE_SKILL_CONFIG_PATH": str(path)})
    assert run.code == 21 and report(run)["key_found"] is False


# -- the room itself ---------------------------------------------------------------------------------------


def test_the_words_for_a_source_hold_no_path(tmp_path, monkeypatch):
    """A path can hold a user's name, or worse."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "secret_folder"))
    monkeypatch.delenv("IMAGE_SKILL_TOKEN", raising=False)
    monkeypatch.delenv("IMAGE_SKILL_HOSTED_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    wanted = providers.load("image-skill").key
    assert keys.find(wanted) is None
    if os.name != "nt":
        assert keys.persist(wanted["variable"], KEY) == paths.settings_file()
        assert keys.find(wanted) == keys.Key(KEY, "the user's own store")
    with pytest.raises(errors.Failure) as refused:
        keys.find(wanted, "two words")
    assert "secret_folder" not in refused.value.message and "two words" not in refused.value.message


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps keys in its registry")
def test_what_a_killed_process_has_left_is_not_in_the_way_of_a_new_key(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "ai-media/.env"
    path.parent.mkdir()
    path.with_name(f".env.{os.getpid()}").write_text("half a key")
    keys.persist("MODELLIX_API_KEY", KEY)
    assert keys.stored("MODELLIX_API_KEY") == KEY and path.stat().st_mode & 0o777 == 0o600
