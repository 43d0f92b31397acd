"""Where a result comes from is told beside it and inside it, and is enough to make it again."""

import hashlib
import io
import json
import os
import stat
import types
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from conftest import KEY, ROOT
from fake_service import (
    PICTURE,
    PNG,
    WITH_KEY,
    FakeService,
    answer,
    create,
    event,
    job,
    stream,
    wait,
)
from mediakit import __version__
from mediakit.base.redactor import Redactor
from mediakit.console import Console
from mediakit.media import save
from mediakit.provenance import metadata, provenance, signatures

POSIX = pytest.mark.skipif(os.name == "nt", reason="modes and named pipes are a matter of POSIX systems")


@cache
def validator():
    from jsonschema import Draft202012Validator

    schema = json.loads((ROOT / "assets/schemas/provenance.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def valid(record: dict) -> dict:
    assert not [problem.message for problem in validator().iter_errors(record)], record
    return record


def record_of(asset: dict) -> dict:
    with open(asset.get("provenance", asset["path"] + ".json"), encoding="utf-8") as file:
        return valid(json.load(file))


def embedded_in(asset: dict) -> dict:
    return valid(json.loads(metadata.extract(asset["path"], asset["media_type"])))


def make(scripts, *flags: str, task: str = "t2i", **options):
    arguments = ["--provider", "sandbox", "--task", task, "--prompt", "a tin boat", "--output-dir", "out", *flags]
    run = scripts.run("create_and_wait.py", *arguments, **options)
    assert run.result["exit_code"] == 0, run.events
    return run


def told(folder, **more) -> str:
    """A record in a file, as a stranger could hand it over."""
    record = {
        "format": "ai-media/provenance",
        "version": 1,
        "tool": {"name": "ai-media", "version": __version__},
        "provider": "skills-video",
        "model": "owner/model",
        "payload": {"prompt": "a tin boat"},
        "times": {},
        **more,
    }
    path = folder / "record.json"
    path.write_text(json.dumps({name: value for name, value in record.items() if value is not None}))
    return str(path)


def made_again(scripts, service, source: str, *flags: str):
    return scripts.run("create_and_wait.py", "--from", source, "--base-url", service.base_url, *flags, env=WITH_KEY)


def planned(scripts, *flags: str):
    return scripts.run("create_and_wait.py", *flags, "--dry-run")


# -- beside the file ---------------------------------------------------------------------------------


def told_of(facts: dict, *more) -> dict:
    return provenance._record(facts, provenance._told_payload(facts.get("payload")), *more)


@pytest.mark.parametrize("task, media_type", [("t2i", "image/png"), ("t2v", "video/mp4")])
def test_each_file_has_its_record_beside_it(scripts, task, media_type):
    run = make(scripts, task=task)
    asset = run.first("asset")
    assert run.result["assets"] == [{name: asset[name] for name in ("path", "media_type", "bytes")}]
    record = record_of(asset)
    with open(asset["path"], "rb") as file:
        content = file.read()
    assert record["file"]["sha256"] == asset["sha256"] == hashlib.sha256(content).hexdigest()
    assert (record["file"]["name"], record["file"]["bytes"]) == (os.path.basename(asset["path"]), len(content))
    assert (record["file"]["media_type"], record["task"], record["provider"]) == (media_type, task, "sandbox")
    assert record["payload"] == {"prompt": "a tin boat"}
    assert (record["job"], record["generation_id"]) == (run.job, run.result["generation_id"])
    assert record["cost"]["unit"] == "credits" and record["usage"] == run.result["usage"]
    moments = [record["times"][name] for name in ("created_at", "finished_at", "saved_at")]
    assert moments == sorted(moments)
    assert sorted(os.listdir(scripts.folder / "out")) == sorted(
        os.path.basename(asset["path"]) + ending for ending in ("", ".json")
    )


@POSIX
def test_a_record_is_for_this_user_alone(scripts):
    asset = make(scripts).first("asset")
    assert stat.S_IMODE(os.stat(asset["path"] + ".json").st_mode) == 0o600


def test_what_was_asked_for_can_be_left_out(scripts):
    asset = make(scripts, "--no-store-payload", "--embed-metadata").first("asset")
    for record in (record_of(asset), embedded_in(asset)):
        assert record["payload_omitted"] is True and "payload" not in record
    assert "tin boat" not in json.dumps([record_of(asset), embedded_in(asset)])
    run = planned(scripts, "--from", asset["path"] + ".json")
    assert (run.code, run.result["field"]) == (2, "--from")


def test_a_resumed_job_has_the_record_of_its_purchase(scripts):
    bought = make(scripts, "--no-wait").result
    run = scripts.run("jobs.py", "resume", bought["job"], "--output-dir", "out", "--embed-metadata")
    asset = run.first("asset")
    assert record_of(asset)["payload"] == embedded_in(asset)["payload"] == {"prompt": "a tin boat"}
    assert record_of(asset)["times"]["created_at"] < bought["time"]


def test_a_job_that_is_in_no_ledger_has_what_is_known(scripts):
    with FakeService(media=PICTURE) as service:
        service._scripts["read"] = [
            answer(200, job("COMPLETED", f"{service.origin}/media/1.png?X-Amz-Signature=abc&token=secret#part"))
        ]
        run = wait(scripts, service, "--output-dir", "out")
    record = record_of(run.first("asset"))
    assert record["payload_omitted"] and "created_at" not in record["times"] and "job" not in record
    assert record["source"] == {"url": f"{service.origin}/media/1.png"}
    assert "secret" not in json.dumps(record)


def test_no_key_reaches_a_record(scripts):
    with FakeService(media=PICTURE) as service:
        done = event("COMPLETED", url=f"{service.origin}/media/{KEY}/1.png?key={KEY}", usage={"total": KEY})
        service._scripts["create"] = [stream(done)]
        run = create(scripts, service, "--output-dir", "out", "--param", f"note={KEY}", "--embed-metadata")
    assert run.result["exit_code"] == 0
    for path in (scripts.folder / "out").iterdir():
        assert KEY.encode() not in path.read_bytes()


def test_each_of_several_files_has_its_own(scripts):
    run = scripts.run(
        "create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "a boat",
        "--copies", "3", "--output-dir", "out", "--embed-metadata",
    )  # fmt: skip
    assets = [event for event in run.events if event["event"] == "asset"]
    assert len({asset["path"] + ".json" for asset in assets}) == 3
    assert len({record_of(asset)["generation_id"] for asset in assets}) == 3
    assert {record_of(asset)["file"]["sha256"] for asset in assets} == {asset["sha256"] for asset in assets}


def keeper(**facts) -> provenance.Keeper:
    facts = {"provider": "sandbox", "payload": {"prompt": "x"}, **facts}
    return provenance.Keeper(Console("test"), save.Saving(), facts, [{"url": "https://m.example/1.png"}])


def asset_in(folder) -> dict:
    (folder / "x-1.png").write_bytes(PNG)
    return {
        "path": str(folder / "x-1.png"),
        "number": 1,
        "bytes": len(PNG),
        "sha256": "0" * 64,
        "media_type": "image/png",
    }


def test_a_file_of_that_name_is_never_replaced(tmp_path):
    (tmp_path / "x-1.png.json").write_text("somebody's own")
    os.symlink("nowhere", tmp_path / "x-1.png-2.json")
    kept = keeper().keep(asset_in(tmp_path))
    assert kept["provenance"] == str(tmp_path / "x-1.png-3.json")
    assert record_of(kept)["file"]["name"] == "x-1.png"
    assert (tmp_path / "x-1.png.json").read_text() == "somebody's own"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "x-1.png", "x-1.png-2.json", "x-1.png-3.json", "x-1.png.json",
    ]  # fmt: skip


def test_a_record_that_cannot_be_written_is_a_warning(tmp_path, capfdbinary):
    asset = {**asset_in(tmp_path), "path": str(tmp_path / "gone" / "x-1.png")}
    assert keeper().keep(asset) == asset
    assert json.loads(capfdbinary.readouterr().out)["code"] == "provenance_not_written"


def test_what_is_large_is_left_out_by_name(tmp_path):
    payload = {"prompt": "x", "image": "data:image/png;base64," + "A" * 300_000}
    record = record_of(keeper(payload=payload, usage={"x": "y" * 20_000}).keep(asset_in(tmp_path)))
    assert (record["payload"], record["left_out"]) == ({"prompt": "x"}, ["image"]) and "usage" not in record
    many = {f"field{n}": "A" * 100_000 for n in range(20)}
    record = record_of(keeper(payload=many).keep(asset_in(tmp_path)))
    assert record["left_out"] and {*record["payload"], *record["left_out"]} == set(many)
    assert len(json.dumps(record)) < provenance.LARGEST_RECORD


def nested(levels: int):
    return json.loads("[" * levels + "]" * levels)


def test_what_is_too_deep_is_not_told(tmp_path):
    record = record_of(keeper(payload={"deep": nested(900)}, usage=nested(900)).keep(asset_in(tmp_path)))
    assert record["payload_omitted"] and "usage" not in record
    record = record_of(keeper(payload={"deep": nested(38)}).keep(asset_in(tmp_path)))
    assert provenance.read(str(tmp_path / "x-1.png-2.json")) == record


@pytest.mark.parametrize(
    "url, expected",
    [
        ("https://m.example/a/1.png?X-Amz-Signature=abc", "https://m.example/a/1.png"),
        ("https://user:secret@m.example:8443/1.png#part", "https://m.example:8443/1.png"),
        ("HTTPS://M.example/1.png?", "https://M.example/1.png"),
        ("http://[::1]:8/1.png?x", "http://[::1]:8/1.png"),
        ("data:image/png;base64,AAAA", None),
        ("https://[broken", None),
        ("https:///1.png", None),
    ],
)
def test_a_source_has_no_signature(url, expected):
    assert provenance.without_secrets(url) == expected


@given(
    payload=st.dictionaries(st.text(max_size=20), st.recursive(st.none() | st.text() | st.integers(), st.lists)),
    usage=st.none() | st.dictionaries(st.text(max_size=5), st.integers()),
    url=st.text() | st.text().map("https://".__add__),
    expires_at=st.none() | st.text(),
)
def test_every_record_follows_the_schema(payload, usage, url, expires_at):
    asset = {"path": "out/x.png", "number": 1, "bytes": 1, "sha256": "0" * 64, "media_type": "image/png"}
    facts = {"provider": "sandbox", "payload": payload, "usage": usage, "created_at": 1.5}
    record = valid(told_of(facts, asset, {"url": url, "expires_at": expires_at}))
    assert provenance.is_record(json.loads(json.dumps(record)))
    assert provenance.is_record(valid(provenance.travelling(record)))


# -- inside the file ---------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["t2i", "t2v"])
def test_metadata_is_embedded_when_it_is_asked_for(scripts, task):
    plain = make(scripts, "--intent", "plain", task=task).first("asset")
    asset = make(scripts, "--embed-metadata", task=task).first("asset")
    assert metadata.extract(plain["path"], plain["media_type"]) is None
    record = embedded_in(asset)
    assert record["payload"] == {"prompt": "a tin boat"} and record["model"] == record_of(asset)["model"]
    assert not {"job", "usage", "source", "file"} & set(record)
    with open(asset["path"], "rb") as file:
        content = file.read()
    assert (asset["bytes"], asset["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_file_of_a_type_without_a_place_for_it_is_saved_as_it_came(scripts):
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, "GIF")
    with FakeService(media=answer(200, file.getvalue(), media_type="image/gif")) as service:
        service._scripts["create"] = [stream(event("COMPLETED", url=f"{service.origin}/media/1"))]
        run = create(scripts, service, "--output-dir", "out", "--embed-metadata")
    assert run.result["exit_code"] == 0
    assert "metadata_not_embedded" in [event["code"] for event in run.events if event["event"] == "warning"]
    with open(run.first("asset")["path"], "rb") as saved:
        assert saved.read() == file.getvalue()
    assert record_of(run.first("asset"))["file"]["media_type"] == "image/gif"


def test_each_output_has_the_record_of_its_own_link(scripts):
    with FakeService(media=[answer(418), PICTURE]) as service:
        images = [{"url": f"{service.origin}/media/{number}.png"} for number in (1, 2)]
        service._scripts["create"] = [stream(event("COMPLETED", data={"type": "image", "images": images}))]
        run = create(scripts, service, "--output-dir", "out")
    assert run.code == 26 and [event["number"] for event in run.events if event["event"] == "asset"] == [2]
    record = record_of(run.first("asset"))
    assert (record["output"], record["source"]) == (2, {"url": f"{service.origin}/media/2.png"})


def test_the_command_that_goes_on_asks_for_the_same(scripts):
    with FakeService(create=stream(event()), read=answer(200, job("IN_PROGRESS"))) as service:
        run = create(scripts, service, "--output-dir", "out", "--embed-metadata", "--show", "--poll-timeout", "1")
    assert run.code == 11 and {"--embed-metadata", "--show"} <= set(run.result["next_argv"])


@pytest.mark.parametrize(
    "value",
    [
        "https://m.example/1.png?X-Amz-Signature=abc",
        "https://user:secret@m.example/1.png",
        "data:image/png;base64,AAAA",
        "file:///home/somebody/1.png",
        ["https://m.example/1.png", "https://m.example/2.png?token=abc"],
        {"deep": [{"url": "HTTPS://m.example/1.png?x"}]},
    ],
)
def test_what_is_not_for_others_does_not_travel(value):
    record = told_of({"provider": "sandbox", "payload": {"prompt": "x", "image": value}})
    kept = valid(provenance.travelling(record))
    assert (kept["payload"], kept["left_out"]) == ({"prompt": "x"}, ["image"])


def test_a_question_in_a_prompt_is_no_reason_to_leave_it_out():
    payload = {"prompt": "who? see https://m.example/a b?", "image": "https://m.example/1.png"}
    record = told_of({"provider": "sandbox", "payload": payload})
    assert provenance.travelling(record)["payload"] == payload


# A text, and what a record keeps of it; None where a whole field is nothing without what it may not hold.
SIGNED = {
    "https://m.example/1.png?X-Amz-Signature=hidden&X-Amz-Expires=60": None,
    "https://m.example/1.png?w=5&sig=hidden": None, "https://m.example/1.png#access_token=hidden": None,
    "https://user:hidden@m.example/1.png": None, "ftp://user:hidden@m.example/1.png": None,
    "//m.example/1.png?Signature=hidden": None, "m.example/1.png?token=hidden": None,
    "https://m.example/x;jsessionid=1?Policy=hidden": None, "https://m.example/1.png?9f86d081884c7hidden5a2feaa": None,
    "https://proxy.example/?u=https%3A%2F%2Fm.example%2F1.png%3Ftoken%3Dhidden": None,
    "https://m.example/1.png?w=1\\u0026X-Goog-Credential=hidden": None, " https://m.example/1.png?Key=hidden": None,
    "https://m.example/1.png?w=1&amp;AccessKeyId=hidden": None,
    "https://m.example/1.png?w=100&h=20": "https://m.example/1.png?w=100&h=20",
    "https://m.example/watch?v=3#part": "https://m.example/watch?v=3#part",
    "like (https://m.example/a?token=hidden) or https://m.example/b?w=1.": "like (https://m.example/a) or https://m.example/b?w=1.",
    "![x](https://m.example/a?X-Oss-Signature=hidden), blue": "![x](https://m.example/a), blue",
    "see <https://u:hidden@m.example/a> now": "see <https://m.example/a> now",
    "who? a; b #1 x=1, e@mail.example 50% c:\\d": "who? a; b #1 x=1, e@mail.example 50% c:\\d",
}  # fmt: skip


@pytest.mark.parametrize("text", SIGNED)
@pytest.mark.parametrize("place", ["prompt", "deep", "usage"])
def test_no_signature_is_in_a_record_wherever_its_address_stands(text, place):
    values = {"prompt": text, "deep": [{"x": [text]}], "usage": {"note": text}}
    facts = {"provider": "sandbox", "payload": {"seed": 1}}
    if place == "usage":
        facts["usage"] = values["usage"]
    else:
        facts["payload"][place] = values[place]
    record = told_of(facts)
    assert "hidden" not in json.dumps(record)
    if place != "usage":
        assert record.get("left_out", []) == ([] if SIGNED[text] else [place])
        assert SIGNED[text] is None or SIGNED[text] in json.dumps(record["payload"]).encode().decode("unicode_escape")


def test_a_long_text_is_searched_for_signatures_in_no_time():
    for text in ("a" * 400_000, "a." * 200_000, "//" * 200_000, "%25" * 130_000, "?a=b&" * 80_000, "@/" * 200_000):
        signatures.unsigned("https://" + text)
        signatures.unsigned(text + "?")


# -- making it again ----------------------------------------------------------------------------------


def test_a_result_is_made_again_from_its_record_and_from_the_file_itself(scripts):
    asset = make(scripts, "--param", "aspect_ratio=16:9", "--embed-metadata").first("asset")
    for source in (asset["path"] + ".json", asset["path"]):
        run = scripts.run("create_and_wait.py", "--from", source, "--output-dir", "again")
        again = record_of(run.first("asset"))
        assert again["payload"] == {"prompt": "a tin boat", "aspect_ratio": "16:9"}
        assert again["model"] == record_of(asset)["model"] and again["job"] != record_of(asset)["job"]


def test_a_delivered_job_is_bought_anew(scripts, tmp_path):
    with FakeService(create=stream(event("COMPLETED"))) as service:
        for number in (1, 2):
            run = made_again(scripts, service, told(tmp_path))
            assert (run.code, service.posts()) == (0, number)
        assert json.loads(service.requests[0].body) == {"prompt": "a tin boat"}


def test_an_open_job_is_resumed(scripts, tmp_path):
    running = answer(200, {"id": "gen_1", "status": "IN_PROGRESS"})
    with FakeService(create=stream(event()), read=running) as service:
        for _ in range(2):
            run = made_again(scripts, service, told(tmp_path), "--poll-timeout", "1")
            assert (run.code, service.posts()) == (11, 1), run.events


@pytest.mark.parametrize("spoken", ["modellix", "image-skill"])
def test_a_result_of_another_contract_is_made_again_by_that_contract(scripts, spoken):
    asset = make(scripts, "--as", spoken, "--embed-metadata").first("asset")
    record = record_of(asset)
    assert record["speaks"] == embedded_in(asset)["speaks"] == spoken
    run = scripts.run("create_and_wait.py", "--from", asset["path"] + ".json", "--output-dir", "again")
    again = record_of(run.first("asset"))
    assert {name: again[name] for name in ("speaks", "model", "payload")} == {
        name: record[name] for name in ("speaks", "model", "payload")
    }


@pytest.mark.parametrize(
    "flags, body",
    [
        (["--prompt", "a fox"], {"prompt": "a fox", "seed": 7}),
        (["--param", "seed=8"], {"prompt": "a tin boat", "seed": 8}),
        (["--param", "size=2"], {"prompt": "a tin boat", "seed": 7, "size": 2}),
    ],
)
def test_flags_come_before_what_the_file_says(scripts, tmp_path, flags, body):
    record = told(tmp_path, payload={"prompt": "a tin boat", "seed": 7})
    run = planned(scripts, "--from", record, *flags, "--no-validate")
    assert run.result["request"]["body"] == body


@pytest.mark.parametrize(
    "flags, provider, path",
    [
        ([], "skills-video", "owner/model"),
        (["--provider", "sandbox"], "sandbox", "owner/model"),
        (["--model", "other/one"], "skills-video", "other/one"),
        (["--task", "t2v"], "skills-video", "runwayml/gen-4.5"),
        (["--sse-endpoint", "/generation/sse/a/b"], "skills-video", "a/b"),
    ],
)
def test_service_and_model_can_be_others(scripts, tmp_path, flags, provider, path):
    run = planned(scripts, "--from", told(tmp_path), *flags, "--no-validate")
    assert run.result["provider"] == provider and run.result["request"]["url"].endswith(path)


def test_nothing_but_service_model_and_payload_is_taken(scripts, tmp_path):
    elsewhere = dict.fromkeys(("base_url", "origin", "url", "sse_endpoint"), "https://elsewhere.example")
    record = told(tmp_path, **elsewhere, intent="x", output_dir="/", trust_base_url=True, allow_duplicate=True)
    run = planned(scripts, "--from", record)
    assert run.result["request"]["url"].startswith("https://open.skills.video/")
    assert "elsewhere" not in json.dumps(run.events)


@POSIX
def test_a_path_in_a_strangers_payload_is_never_opened(scripts, tmp_path):
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    paths = [str(tmp_path / "pipe"), f"file://{tmp_path}/pipe", "@" + str(tmp_path / "pipe"), "/etc/passwd", "./x", "-"]
    payload = {"prompt": "x", **{f"image{number}": path for number, path in enumerate(paths)}}
    with FakeService(create=stream(event("COMPLETED"))) as service:
        assert made_again(scripts, service, told(tmp_path, payload=payload), "--no-validate").code == 0
        assert json.loads(service.requests[0].body) == payload


def test_a_payload_from_a_file_is_checked_like_any_other(scripts, tmp_path):
    model = {"model": "bytedance/seedream-4.5"}
    for payload in ({"prompt": "x", "aspect_ration": "1:1"}, {"prompt": 5}, {}):
        run = planned(scripts, "--from", told(tmp_path, payload=payload, **model))
        assert run.code == 22, (payload, run.events)


# What a stranger's payload agrees to, bounds or calls, at several services and depths; what is left of it.
CONSENTS = {
    "image-skill": (
        {"accept_unknown_cost": True, "max_estimated_usd_per_image": 99, "webhook_url": "https://elsewhere.example"},
        {"prompt": "a tin boat", "aspect_ratio": "1:1"},
    ),
    "skills-video": (
        {"callbackUrl": "https://elsewhere.example", "deep": {"a": [{"notify_url": "x", "kept": 1}]}, "max_cost": 5},
        {"prompt": "a tin boat", "seed": 7, "deep": {"a": [{"kept": 1}]}},
    ),
    "modellix": (
        {"confirm": True, "i_agree": True, "budget_limit_usd": 1, "webhook": {"url": "x"}},
        {"prompt": "a tin boat", "max_images": 3, "acceptance": "kept"},
    ),
}


@pytest.mark.parametrize("provider", CONSENTS)
@pytest.mark.parametrize("checked", [True, False])
def test_a_record_gives_no_consent(scripts, tmp_path, provider, checked):
    dropped, kept = CONSENTS[provider]
    payload = {**kept, **{name: value for name, value in dropped.items() if name not in kept}}
    if "deep" in dropped:
        payload["deep"] = dropped["deep"]
    source = told(tmp_path, provider=provider, payload=payload)
    flags = [] if checked and provider == "skills-video" else ["--no-validate"]  # it has no contract of this model
    run = planned(scripts, "--from", source, *flags)
    body = run.result["request"]["body"]
    assert {name: body.get(name) for name in kept} == kept and not set(dropped) - set(kept) & set(body), body
    (warning,) = [event for event in run.events if event.get("code") == "consent_left_out"]
    for name in dropped:
        assert name in warning["message"] or name == "deep"
    assert "elsewhere" not in json.dumps(run.events)


def test_a_consent_of_ones_own_stays(scripts, tmp_path):
    source = told(tmp_path, provider="image-skill", payload={"prompt": "x", "accept_unknown_cost": True})
    run = planned(
        scripts, "--from", source, "--no-validate", "--accept-unknown-cost", "--param", "webhook=https://mine.example"
    )
    body = run.result["request"]["body"]
    assert body["accept_unknown_cost"] is True and "https://mine.example" in json.dumps(body)
    own = [
        "--provider",
        "skills-video",
        "--model",
        "owner/model",
        "--no-validate",
        "--payload",
        '{"prompt":"x","webhook":"https://mine.example"}',
    ]
    assert planned(scripts, *own).result["request"]["body"]["webhook"] == "https://mine.example"


def test_a_record_is_sent_without_its_consents(scripts, tmp_path):
    payload = {"prompt": "a tin boat", "webhook": "https://elsewhere.example", "accept_terms": True}
    with FakeService(create=stream(event("COMPLETED"))) as service:
        run = made_again(scripts, service, told(tmp_path, payload=payload))
        assert run.code == 0 and "consent_left_out" in [event.get("code") for event in run.events]
        assert json.loads(service.requests[0].body) == {"prompt": "a tin boat"}


def test_what_the_file_leaves_out_has_to_be_given(scripts, tmp_path):
    record = told(tmp_path, left_out=["image_url"])
    run = planned(scripts, "--from", record, "--no-validate")
    assert run.code == 2 and "image_url" in run.result["message"]
    url = "https://m.example/1.png"
    run = planned(scripts, "--from", record, "--no-validate", "--input", f"image_url={url}")
    assert run.result["request"]["body"] == {"prompt": "a tin boat", "image_url": url}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[]", b"null", b"{", b"\xff\xfe", b'{"format":"ai-media/provenance"}', PNG, PNG[:20],
        b"[" * 100_000, b'{"a":' * 100_000, b" " * 3_000_000, bytes(1000),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_record_is_a_bad_argument(scripts, tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    run = planned(scripts, "--from", "file")
    assert (run.code, run.result["field"]) == (2, "--from")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2}, {"speaks": "modellix"}, {"speaks": ["modellix"]}, {"provider": "../../x"}, {"provider": "elsewhere"}, {"provider": 5}, {"model": "../x"},
        {"model": "a/" + "b" * 300}, {"model": ["a"]}, {"payload": []}, {"payload": None}, {"left_out": "image"},
        {"payload": {"deep": json.loads("[" * 60 + "]" * 60)}},
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_used_is_a_bad_argument(scripts, tmp_path, change):
    run = planned(scripts, "--from", told(tmp_path, **change))
    assert (run.code, run.result["field"], run.result["outcome"]) == (2, "--from", "not_sent"), run.events


@POSIX
def test_a_source_that_is_no_file_is_a_bad_argument(scripts, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for source in ("pipe", "/dev/zero", ".", "nothing", "", "record.json/x"):
        run = planned(scripts, "--from", source)
        assert (run.code, run.result["field"]) == (2, "--from"), (source, run.events)


@pytest.mark.parametrize("flag", ["--payload", "--payload-file"])
def test_a_second_payload_is_a_bad_argument(scripts, tmp_path, flag):
    run = planned(scripts, "--from", told(tmp_path), flag, "{}")
    assert (run.code, run.result["field"]) == (2, "--from")


@pytest.mark.parametrize("flag", ["--embed-metadata", "--show"])
def test_a_flag_about_files_needs_files(scripts, flag):
    run = scripts.run("create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "x", flag)
    assert (run.code, run.result["field"]) == (2, flag)
    run = scripts.run("wait_generation.py", "--provider", "sandbox", "--generation-id", "gen_1", flag)
    assert (run.code, run.result["field"]) == (2, flag)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_whatever_a_file_holds_it_is_a_record_or_not(value):
    assert provenance.is_record(value) is False


def test_secrets_that_the_redactor_knows_are_out_of_every_fact():
    console = types.SimpleNamespace(redactor=Redactor())
    console.redactor.protect("verysecret")
    kept = provenance.Keeper(console, save.Saving(), {"payload": {"prompt": "a verysecret"}}, [{"url": "verysecret"}])
    assert "verysecret" not in json.dumps([kept._facts, kept._outputs])
