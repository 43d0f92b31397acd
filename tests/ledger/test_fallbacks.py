"""One ledger wherever the command stands: every ledger that this user can read counts before anything is bought."""

from __future__ import annotations

import collections
import os
import shutil
import sqlite3

import pytest

from conftest import Run, posts
from mediakit.ledger import database, schema, store
from read_only import read_only
from sandbox_job import flags

pytestmark = pytest.mark.skipif(os.name == "nt", reason="mode bits")


class World:
    """A user with a home and a project; the home can be made read-only, as an agent's sandbox does it."""

    def __init__(self, scripts, sandbox):
        self.scripts = scripts
        self.sandbox = sandbox
        self.project = scripts.folder / "project"
        (self.project / ".git").mkdir(parents=True)
        (self.project / "sub/folder").mkdir(parents=True)
        self.own = scripts.home / ".local/state/ai-media"
        self.temporary = scripts.folder / "temporary"
        self.temporary.mkdir()
        self.account: collections.Counter = collections.Counter()

    def run(self, script: str, *arguments: str, cwd=None, inside: bool = True, **options) -> Run:
        """inside  whether the home is read-only"""
        env = {"AI_MEDIA_HOME": "", "TMPDIR": str(self.temporary)}
        cwd = cwd or self.project
        if not inside:
            return self.scripts.run(script, *arguments, env=env, cwd=cwd, **options)
        with read_only(self.scripts.home) as prefix:
            return self.scripts.run(script, *arguments, env=env, cwd=cwd, prefix=prefix, **options)

    def ask(self, *more: str, prompt: str = "a tin boat", **options) -> Run:
        """The same purchase once more; what came of it is counted."""
        before = posts(self.sandbox)
        run = self.run(*flags(self.sandbox, *more, prompt=prompt), **options)
        self.account["asked"] += 1
        self.account["bought"] += posts(self.sandbox) - before
        self.account["resumed"] += "resumed" in run.names
        self.account["refused"] += run.code == 27
        return run


@pytest.fixture
def world(scripts, sandbox):
    return World(scripts, sandbox)


# -- three working directories -------------------------------------------------------------------------

SLOW = "fault:job-slow"
SHORT = ("--stream", "never", "--poll-timeout", "1")


def places(world: World) -> dict:
    """Where a command can stand -> (working directory, whether the home is read-only)."""
    return {
        "inside": (world.project, True),
        "in a subfolder": (world.project / "sub/folder", True),
        "outside": (world.project, False),
    }


ORDERS = [
    ("inside", "outside", "in a subfolder"),
    ("inside", "in a subfolder", "outside"),
    ("outside", "inside", "in a subfolder"),
    ("in a subfolder", "outside", "inside"),
]


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_the_same_command_from_three_places_buys_once(world, order, capsys):
    for _ in range(2):
        for place in order:
            cwd, inside = places(world)[place]
            run = world.ask(*SHORT, prompt=SLOW, cwd=cwd, inside=inside)
            if run.code == 27:
                assert run.result["error"] == "purchase_elsewhere" and run.result["generation_id"]
            else:
                assert run.code == 11, run.events
    with capsys.disabled():
        told = ", ".join(f"{name} {world.account[name]}" for name in ("asked", "bought", "resumed", "refused"))
        print(f"\nthree working directories ({', '.join(order)}): {told}")
    assert world.account["bought"] == 1
    assert world.account["resumed"] + world.account["refused"] == 5


@pytest.mark.parametrize("place", ["inside", "in a subfolder", "outside"])
def test_the_next_command_works_pasted_anywhere(world, place):
    cwd, inside = places(world)[place]
    first = world.ask("--no-wait", cwd=cwd, inside=inside)
    way_on = first.result["next_argv"]
    for there, (cwd, now_inside) in places(world).items():
        run = world.run(os.path.basename(way_on[1]), *way_on[2:], cwd=cwd, inside=now_inside)
        assert run.code == 0 and run.result["generation_id"] == first.result["generation_id"], (there, run.events)
    assert posts(world.sandbox) == 1


def test_state_in_a_project_is_told_kept_out_of_it_and_private(world):
    run = world.ask("--no-wait", cwd=world.project / "sub/folder")
    kept = world.project / ".ai-media"
    assert run.first("warning")["code"] == "state_folder" and str(kept) in run.first("warning")["message"]
    assert (kept / ".gitignore").read_text() == "*\n" and kept.stat().st_mode & 0o777 == 0o700
    assert run.result["next_argv"][run.result["next_argv"].index("--state-dir") + 1] == str(kept)
    assert not (world.project / "sub/folder/.ai-media").exists() and not world.own.exists()


def test_two_processes_in_two_ledgers_at_once_buy_once(world):
    """One writes the user's own ledger, the other one the project's, at the same moment, again and again."""
    bought = 0
    for number in range(6):
        prompt = f"{number} {SLOW}"
        command = flags(world.sandbox, "--no-wait", prompt=prompt)
        with read_only(world.scripts.home) as prefix:
            if not prefix:
                pytest.skip("without a mount namespace a folder is read-only for both")
            running = [
                world.scripts.start(*command, env={"AI_MEDIA_HOME": ""}, cwd=world.project, prefix=words)
                for words in (prefix, ())
            ]
            codes = [(process.communicate(), process.returncode)[1] for process in running]
        assert set(codes) <= {0, 27}, codes
        bought += 1
        assert posts(world.sandbox) == bought, codes


# -- a ledger that can only be read ----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["accepted", "unknown", "sending", "delivered"])
def test_a_read_only_ledger_that_holds_the_same_is_not_overlooked(world, way):
    """Its folder cannot be written, by whatever it is named."""
    prompt = {"unknown": "fault:create-500", "sending": "fault:create-500"}.get(way, "a tin boat")
    more = () if way == "delivered" else ("--no-wait",)
    first = world.ask(*more, prompt=prompt, inside=False)
    if way == "sending":
        ledger = store.Ledger(str(world.own))
        ledger.record(ledger.newest(1)[0].key, "killed with the POST out", outcome="sending")
        ledger.close()
    again = world.ask(*more, prompt=prompt)
    if way == "delivered":
        assert again.code == 0 and posts(world.sandbox) == 2
        return
    assert (again.code, again.result["error"], posts(world.sandbox)) == (27, "purchase_elsewhere", 1), again.events
    assert again.job == first.job
    assert ["--state-dir", str(world.own)] == again.result["next_argv"][4:6]
    script, words = os.path.basename(again.result["next_argv"][1]), again.result["next_argv"][2:]
    outside = world.run(script, *words, "--base-url", world.sandbox.url + "/api/v1", inside=False)
    assert outside.code == (0 if way == "accepted" else 12), outside.events


def test_what_was_bought_elsewhere_is_bought_again_only_on_purpose(world):
    world.ask("--no-wait", inside=False)
    assert world.ask("--no-wait", "--intent", "two").code == 0
    assert world.ask("--no-wait", "--allow-duplicate").code == 0
    assert posts(world.sandbox) == 3


def test_what_is_unknown_elsewhere_can_be_risked(world):
    prompt = "fault:create-500"
    world.ask(prompt=prompt, inside=False)
    assert world.ask(prompt=prompt).code == 27
    assert world.ask("--retry-unknown", prompt=prompt).code == 12 and posts(world.sandbox) == 2


def test_jobs_of_every_ledger_are_listed_shown_and_gone_on_with(world):
    inside = world.ask("--no-wait", prompt="inside").job
    outside = world.ask("--no-wait", prompt="outside", inside=False).job
    for is_inside in (True, False):
        listed = world.run("jobs.py", "list", inside=is_inside)
        assert [event["job"] for event in listed.events if event["event"] == "job"] == [outside, inside]
        assert listed.result["known"] == 2
        for key in (inside, outside):
            assert world.run("jobs.py", "show", key, inside=is_inside).job == key
    spent = world.run("jobs.py", "spend")
    assert spent.result["totals"][0]["jobs"] == 2
    run = world.run("jobs.py", "resume", "--all-undelivered", "--base-url", world.sandbox.url + "/api/v1", inside=False)
    assert run.code == 0 and run.result["succeeded"] == 2 and posts(world.sandbox) == 2


def test_a_cap_counts_what_every_ledger_has_spent(world):
    assert world.ask("--accept-unknown-cost", prompt="outside", inside=False).code == 0
    env = {"AI_MEDIA_HOME": "", "AI_MEDIA_MAX_SPEND": "20credits"}
    with read_only(world.scripts.home) as prefix:
        run = world.scripts.run(*flags(world.sandbox, prompt="inside"), env=env, cwd=world.project, prefix=prefix)
    assert (run.code, run.result["error"], posts(world.sandbox)) == (27, "spend_cap", 1)


def test_an_older_ledger_and_one_that_is_being_written_are_read_as_a_copy(world):
    """As the first versions kept it: what is new stands in a file beside it."""
    first = world.ask("--no-wait", inside=False)
    connection = sqlite3.connect(world.own / database.FILE)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("UPDATE job SET updated_at = updated_at + 1")
    connection.commit()
    assert (world.own / (database.FILE + "-wal")).stat().st_size > 0
    again = world.ask("--no-wait")
    assert (again.code, again.job) == (27, first.job)
    assert os.listdir(world.temporary) == []
    connection.close()


# -- planted -------------------------------------------------------------------------------------------


def planted(world: World) -> str:
    """A ledger that somebody else made, in which the same purchase is open."""
    other = world.scripts.folder / "other"
    run = world.scripts.run(*flags(world.sandbox, "--no-wait"), env={"AI_MEDIA_HOME": str(other)})
    shutil.copytree(other, world.project / ".ai-media")
    (world.project / ".ai-media").chmod(0o700)
    return run.job


def edit(world: World, *statements: str) -> None:
    connection = sqlite3.connect(world.project / ".ai-media" / database.FILE)
    connection.create_function("sealed", -1, schema.sealed)
    for statement in statements:
        connection.execute(statement)
    connection.execute(schema.RESEAL_ALL)
    connection.commit()
    connection.close()


# what is planted -> statements
PLANTED_CONTENT = {
    "a negative cost": ("UPDATE job SET cost = -1000000, cost_unit = 'credits'",),
    "a negative reservation": ("UPDATE job SET reserved = -1000000, reserved_unit = 'credits'",),
    "a key that is a path": ("UPDATE job SET key = '../../Cargo'",),
    "a purchase that is a path": ("UPDATE job SET purchase = '../../Cargo'",),
    "a trigger": ("CREATE TRIGGER t AFTER INSERT ON job BEGIN DELETE FROM job WHERE key = NEW.key; END",),
    "a view": ("CREATE VIEW v AS SELECT * FROM job",),
    "another table": ("CREATE TABLE t (x)",),
    "an index more": ("CREATE INDEX i ON job (status)",),
    "a column more": ("ALTER TABLE job ADD COLUMN x TEXT",),
    "an outcome of its own": ("UPDATE job SET outcome = 'free'",),
    "a blob for a text": ("UPDATE job SET service = x'00ff'",),
    "a text for a number": ("UPDATE job SET created_at = 'yesterday'",),
    "an infinite time": ("UPDATE job SET created_at = 9e999",),
    "a payload that is no JSON": ("UPDATE job SET payload = '{'",),
    "an address that is none": ("UPDATE job SET base_url = 'file:///etc/passwd'",),
    "a number beyond numbers": ("UPDATE job SET cost = 9223372036854775807, cost_unit = 'credits'",),
}


@pytest.mark.parametrize("kind", PLANTED_CONTENT)
def test_a_planted_ledger_is_refused_and_nothing_is_sent(world, kind):
    planted(world)
    edit(world, *PLANTED_CONTENT[kind])
    before = posts(world.sandbox)
    for inside in (True, False):
        run = world.ask("--no-wait", "--max-spend", "100credits", "--accept-unknown-cost", inside=inside)
        assert (run.code, run.result["error"], posts(world.sandbox)) == (27, "ledger_unusable", before), run.events
    for words in (("list",), ("spend",), ("resume", "--all-undelivered")):
        assert world.run("jobs.py", *words).code == 27


def swap(path, make) -> None:
    moved = path.parent.parent / "moved"
    path.rename(moved)
    make(path, moved)


def link(path, target) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


PLANTED_FILES = {
    "the ledger is a link": lambda state: swap(state / database.FILE, link),
    "the locks are a link": lambda state: swap(state / "owners", link),
    "the log beside it is a link": lambda state: link(state / (database.FILE + "-journal"), state.parent / "victim"),
    "the old log beside it is a link": lambda state: link(state / (database.FILE + "-wal"), state.parent / "victim"),
    "its shared memory is a link": lambda state: link(state / (database.FILE + "-shm"), state.parent / "victim"),
    "the folder is a link": lambda state: swap(state, link),
    "the folder is open to others": lambda state: state.chmod(0o777),
    "the ledger is open to others": lambda state: (state / database.FILE).chmod(0o666),
    "the ledger is a pipe": lambda state: swap(state / database.FILE, lambda path, _: os.mkfifo(path)),
    "the folder is another user's": lambda state: os.chown(state, 65534, 65534),
    "the ledger is another user's": lambda state: os.chown(state / database.FILE, 65534, 65534),
}


@pytest.mark.parametrize("kind", PLANTED_FILES)
def test_planted_files_are_not_followed(world, kind):
    if "another user" in kind and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    planted(world)
    (world.project / "victim").write_bytes(b"mine")
    PLANTED_FILES[kind](world.project / ".ai-media")
    before = posts(world.sandbox)
    inside = world.ask("--no-wait")
    assert (inside.code, inside.result["error"], posts(world.sandbox)) == (27, "ledger_unusable", before), inside.events
    outside = world.ask("--no-wait", inside=False)  # where the user's own ledger can be written, it is left aside
    assert outside.code == 0 and posts(world.sandbox) == before + 1
    assert any(event.get("code") == "state_folder" for event in outside.events), outside.events
    assert (world.project / "victim").read_bytes() == b"mine"


def test_a_planted_address_gets_no_request(world):
    planted(world)
    world.sandbox.requests.clear()
    run = world.run("jobs.py", "list", inside=True)
    key = run.first("job")["job"]
    world.run("jobs.py", "resume", key, "--timeout", "1", inside=True)
    assert list(world.sandbox.requests) == []


# -- the embedded sandbox, and the guide ---------------------------------------------------------------


def practise(world: World, place: str, *more: str) -> Run:
    cwd, inside = places(world)[place]
    arguments = ("--provider", "sandbox", "--task", "t2i", "--prompt", "a tin boat", *more)
    return world.run("create_and_wait.py", *arguments, cwd=cwd, inside=inside)


@pytest.mark.parametrize("first, second", [("inside", "outside"), ("in a subfolder", "inside")])
def test_what_the_embedded_sandbox_made_in_another_ledger_is_gone_on_with_there(world, first, second):
    bought = practise(world, first, "--no-wait")
    assert bought.result["event"] == "submitted", bought.events
    again = practise(world, second, "--output-dir", "out")
    assert again.code == 0 and "resumed" in again.names, again.events
    assert again.result["generation_id"] == bought.result["generation_id"]


def test_what_the_embedded_sandbox_made_in_the_own_ledger_is_refused_where_that_cannot_be_written(world):
    bought = practise(world, "outside", "--no-wait")
    again = practise(world, "inside")
    assert (again.code, again.result["error"]) == (27, "purchase_elsewhere"), again.events
    assert again.result["generation_id"] == bought.result["generation_id"]


def test_the_guide_settles_first_what_another_ledger_has_open(world):
    assert practise(world, "inside", "--no-wait").code == 0
    asked = ("--provider", "sandbox", "--task", "t2i", "--prompt", "another boat")
    guide = world.run("preflight.py", *asked, inside=False).result
    assert (guide["stage"], guide["effect"]) == ("settle_first", "no_spend"), guide
    way_on = guide["next_argv"]
    settled = world.run(os.path.basename(way_on[1]), *way_on[2:], inside=False)
    assert settled.code == 0, settled.events
    assert world.run("preflight.py", *asked, inside=False).result["stage"] == "ready"


def test_the_guide_prices_by_the_jobs_of_every_ledger(world):
    assert world.ask(inside=True).code == 0
    asked = ("--provider", "sandbox", "--task", "t2i", "--prompt", "another boat")
    cost = world.run("preflight.py", *asked, inside=False).result["cost"]
    assert cost == {"amount": 12, "unit": "credits", "source": "estimate"}, cost
