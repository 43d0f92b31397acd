"""The same command twice, one over the other, around every pause in which a request waits to be sent again."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest

from conftest import KEY, Run
from fake_service import FakeService, answer, certificate, create_arguments, job, reset_connection
from keyed_service import MADE, failing
from keyed_service import flags as keyed_flags
from ledger_orders import buy, order, words
from mediakit.base import amounts, errors
from mediakit.console import Console
from mediakit.ledger import entries, store

DONE = answer(200, job("COMPLETED", "https://media.invalid/a.png"))


class Bought:
    """A create that is accepted, and counted."""

    def __init__(self, body: dict):
        self.times = 0
        self._handler = answer(200, body)

    def __call__(self, exchange) -> None:
        self.times += 1
        self._handler(exchange)


def busy(seconds: str):
    return answer(429, {"message": "slow down"}, {"Retry-After": seconds})


# -- two commands ----------------------------------------------------------------------------------------

# pause -> what comes before the create that is accepted
PAUSES = {
    "429": [busy("2")],
    "429 twice": [busy("1"), busy("1")],
    "429 without a time": [answer(429, {"message": "slow down"})],
}


def ended(process) -> Run:
    stdout, stderr = process.communicate()
    return Run(process.returncode, stdout, stderr)


def check(bought: Bought, *runs: Run) -> None:
    assert bought.times == 1, [run.events for run in runs]
    ids = {run.result.get("generation_id") for run in runs if run.code == 0}
    assert len(ids) == 1 and {run.code for run in runs} <= {0, 27}, [run.events for run in runs]


@pytest.mark.parametrize("pause", PAUSES)
def test_what_waits_out_a_429_is_open_to_the_same_command(scripts, pause):
    bought = Bought(job("IN_QUEUE"))
    with FakeService(create=[*PAUSES[pause], bought], read=DONE) as service:
        arguments = create_arguments(service, streams=False)
        env = {"SKILLS_VIDEO_API_KEY": KEY}
        first = scripts.start("create_and_wait.py", *arguments, env=env)
        service.wait_for("POST")
        others = [scripts.start("create_and_wait.py", *arguments, env=env) for _ in range(3)]
        check(bought, *map(ended, [first, *others]))
        assert service.posts() == len(PAUSES[pause]) + 1


def test_what_was_not_sent_and_is_tried_again_is_open_to_the_same_command(scripts, tmp_path):
    bought, tls = Bought(job("IN_QUEUE")), certificate(tmp_path)
    seen = threading.Event()

    def first_fails(connection, number) -> bool:
        if number > 2:
            return False
        seen.set()
        reset_connection(connection)  # in the handshake: nothing was sent
        return True

    with FakeService(create=bought, read=DONE, connect=first_fails, tls=tls) as service:
        arguments = create_arguments(service, streams=False)
        env = {"SKILLS_VIDEO_API_KEY": KEY, "REQUESTS_CA_BUNDLE": tls[0]}
        first = scripts.start("create_and_wait.py", *arguments, env=env)
        assert seen.wait(60)
        others = [scripts.start("create_and_wait.py", *arguments, env=env) for _ in range(3)]
        check(bought, *map(ended, [first, *others]))
        assert service.posts() == 1


def test_what_is_repeated_under_its_idempotency_key_is_open_to_the_same_command(scripts):
    bought = Bought(MADE)
    done = answer(200, MADE | {"data": {**MADE["data"], "status": "completed"}})
    with FakeService(create=[failing(2), bought], other=done) as service:
        env = {"IMAGE_SKILL_TOKEN": KEY}
        first = scripts.start(*keyed_flags(service), env=env)
        service.wait_for("POST")
        others = [scripts.start(*keyed_flags(service), env=env) for _ in range(2)]
        runs = [ended(process) for process in (first, *others)]
        used = {json.loads(request.body)["idempotency_key"] for request in service.requests if request.method == "POST"}
        assert len(used) == 1, [run.events for run in runs]


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_command_that_ends_while_it_waits_out_a_429_has_bought_nothing(scripts, end):
    bought = Bought(job("IN_QUEUE"))
    with FakeService(create=[busy("20"), bought], read=DONE) as service:
        arguments = create_arguments(service, streams=False)
        env = {"SKILLS_VIDEO_API_KEY": KEY}
        first = scripts.start("create_and_wait.py", *arguments, env=env)
        service.wait_for("POST")
        service.closing.wait(1)
        first.send_signal(end)
        if end != signal.SIGKILL:
            assert ended(first).result["outcome"] in ("rejected", "not_sent")
        first.wait()
        again = scripts.run("create_and_wait.py", *arguments, env=env)
        assert (again.code, bought.times) == (0, 1), again.events
        owners = scripts.folder / "state/owners"
        assert not list(owners.glob("job_*"))


def test_what_waits_out_a_429_keeps_its_price_reserved(scripts):
    bought = Bought(job("COMPLETED", "https://media.invalid/a.png", credits_used=5))
    with FakeService(create=[bought, busy("3"), bought], read=DONE) as service:
        env = {"SKILLS_VIDEO_API_KEY": KEY}
        prompts = [["--payload", json.dumps({"prompt": word})] for word in ("a", "b", "c")]
        where = [
            "--provider",
            "skills-video",
            "--model",
            "owner/model",
            "--stream",
            "never",
            "--base-url",
            service.base_url,
        ]
        scripts.run("create_and_wait.py", *where, *prompts[0], env=env)
        state = store.Ledger(str(scripts.folder / "state"))
        known = state.newest(1)[0]
        state.record(known.key, "billed", cost=amounts.Amount.of(5, "credits").micro, cost_unit="credits")
        state.close()
        capped = {**env, "AI_MEDIA_MAX_SPEND": "12credits"}
        waiting = scripts.start("create_and_wait.py", *where, *prompts[1], env=capped)
        service.wait_for("POST", 2)
        other = scripts.run("create_and_wait.py", *where, *prompts[2], env=capped)
        assert (other.code, other.result["error"]) == (27, "spend_cap"), other.events
        assert ended(waiting).code == 0 and bought.times == 2


# -- without a network -----------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path):
    return store.Ledger(str(tmp_path))


@pytest.mark.parametrize("outcome", ["rejected", "not_sent"])
def test_an_interim_outcome_is_not_written_as_a_final_one(ledger, outcome):
    price = amounts.Price(amounts.Amount.of(12, "credits"), "estimate")
    bought = buy(ledger, order(price=price))[0]
    writer = entries.Writer(Console("test"), ledger, bought.entry)
    writer.before_sending()
    writer.note(outcome, None, None, None, final=False)
    assert words(buy(ledger)) == ["wait"] and ledger.caps.spent("credits", False) == price.amount.micro
    with pytest.raises(errors.Failure):
        buy(ledger, order("other", price=price), caps=amounts.parse_caps("x", "20credits"))
    writer.before_sending()
    writer.note(outcome, None, None, None, final=True)
    writer.release()
    assert ledger.find(writer.key).outcome == outcome and ledger.caps.spent("credits", False) == 0


# -- a result without an id ------------------------------------------------------------------------------

WITHOUT_ID = {"ok": True, "error": None, "data": {key: MADE["data"][key] for key in ("assets", "cost")}}


def test_a_result_without_an_id_that_cannot_be_saved_is_found_again_under_its_living_key(scripts):
    """The service has answered with a link that nothing is fetched from, and without the id of a job."""
    body = json.loads(json.dumps(WITHOUT_ID).replace("https://media.invalid/", "http://10.0.0.1/"))
    with FakeService(create=answer(200, body)) as service:
        flags = [*keyed_flags(service), "--output-dir", "out"]
        first = scripts.run(*flags, env={"IMAGE_SKILL_TOKEN": KEY})
        assert first.code == 26 and first.result["next_argv"][2] in ("reconcile", "download"), first.events
        script, words_on = os.path.basename(first.result["next_argv"][1]), first.result["next_argv"][2:]
        on = scripts.run(script, *words_on, env={"IMAGE_SKILL_TOKEN": KEY})
        assert on.code == 26, on.events
        again = scripts.run(*flags, env={"IMAGE_SKILL_TOKEN": KEY})
        assert again.code == 26, again.events
        used = [json.loads(request.body)["idempotency_key"] for request in service.requests if request.method == "POST"]
        assert len(used) == 3 and len(set(used)) == 1
