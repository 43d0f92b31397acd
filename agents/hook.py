#!/usr/bin/env python3
"""A hook that guards money, for agents that have hooks. Off by default; references/hooks.md says how to switch it on.

    python3 hook.py --settings          # hooks.json with this folder's path, as settings take it
    python3 hook.py --settings --deny   # the same for an agent that cannot ask: it is refused, and tells its user

PreToolUse  before a shell command that would really buy: the agent's own question, with model and price
Stop        once for each set of jobs that are paid for and not saved, or of unknown outcome: how to save or settle them

Reads one event as JSON from standard input, and writes one answer, or nothing. Where anything fails it says nothing and
ends with 0: it is never in the way. What an agent's command says is never run: only our own script's --dry-run.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

SKILL = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
SCRIPTS = os.path.join(SKILL, "scripts")
BUYING = ("create_and_wait.py", "create_batch.py")
# With one of them nothing is bought.
HARMLESS = frozenset(("--dry-run", "--expand-only", "--help", "-h", "--version"))
DENY = "--deny"
SECONDS = 12
_ENDS = ";&|()\n"
REDIRECTION = re.compile(r"\s(?:\d?>&\d|&?\d?>{1,2}\s*[^\s;&|]+)")
_MOST_JOBS = 5


def main() -> None:
    if "--settings" in sys.argv[1:]:
        sys.stdout.write(settings())
        return
    told = json.loads(sys.stdin.buffer.read(1 << 20))
    answer = {"PreToolUse": before_command, "Stop": at_end}[told["hook_event_name"]](told)
    if answer:
        sys.stdout.write(json.dumps(answer) + "\n")


def settings() -> str:
    with open(os.path.join(SKILL, "agents", "hooks.json"), encoding="utf-8") as file:
        text = file.read().replace("{baseDir}", json.dumps(SKILL)[1:-1])
    return text.replace('hook.py\\""', f'hook.py\\" {DENY}"') if DENY in sys.argv[1:] else text


# -- before a command ---------------------------------------------------------------------------------


def before_command(told: dict) -> dict | None:
    """The answer that lets the agent ask its user; None for a command that buys nothing."""
    text = REDIRECTION.sub(" ", told["tool_input"]["command"].replace("\\\n", " "))
    reasons = [question(*call, told.get("cwd"), is_plain(text)) for call in calls(text)]
    asked = "; ".join(reason for reason in reasons if reason)
    if not asked:
        return None
    verdict = {"permissionDecision": "ask", "permissionDecisionReason": f"ai-media: {asked}"}
    if DENY in sys.argv[1:]:
        reason = f"ai-media: {asked}. Tell your user, who can run it: {told['tool_input']['command']}"
        verdict = {"permissionDecision": "deny", "permissionDecisionReason": reason}
    return {"hookSpecificOutput": {"hookEventName": "PreToolUse", **verdict}}


def calls(text: str) -> list[tuple[str, list[str]]]:
    """`(script, arguments)` of each call of a script that can buy; where it cannot be read, without arguments."""
    try:
        words = list(_lexer(text))
    except ValueError:  # an open quote: perhaps a document within the command
        return [(name, []) for name in (*BUYING, "account.py") if name in text and not HARMLESS & set(text.split())]
    found, call = [], None
    for word in words:
        name = os.path.basename(word)
        if word and set(word) <= set(_ENDS):
            call = None
        elif call is not None:
            call.append(word)
        elif name in (*BUYING, "account.py"):
            call = []
            found.append((name, call))
    return found


def _lexer(text: str) -> shlex.shlex:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_ENDS)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    return lexer


def is_plain(text: str) -> bool:
    """Whether a command is one call, whatever reads its output, so that what it comes to is known before it runs."""
    call, _, readers = text.partition("|")
    first = text.split()[:1]
    is_one = not set(call) & set("$`<&;\n") and not any(name in readers for name in BUYING)
    return is_one and bool(first) and "=" not in first[0]


def question(script: str, arguments: list[str], folder: str | None, plain: bool) -> str | None:
    """What to ask the user; None where the call buys nothing."""
    if HARMLESS & set(arguments):
        return None
    if script == "create_and_wait.py" and _is_practice(_provider(arguments)):
        return None
    if script == "account.py":
        return _of_account(arguments)
    told = None if "--key-stdin" in arguments else dry_run(script, arguments, folder)
    if told and told.get("practice"):
        return None
    if told and told["event"] == "plan":
        return f"this buys {_what(told)}"
    # The real one would be refused likewise, before anything is sent.
    is_refused = bool(told) and told.get("exit_code") in (2, 21, 22, 27)
    return None if plain and is_refused else f"{script} may buy something; model and price are not known beforehand"


def _of_account(arguments: list[str]) -> str | None:
    words = [word for word in arguments if not word.startswith("-")]
    if "--confirm" not in arguments or len(words) < 2 or _is_practice(words[0]):
        return None
    return f"account.py does {words[1]} at {words[0]}, which pays, buys or deletes"


def dry_run(script: str, arguments: list[str], folder: str | None) -> dict | None:
    """The result of our own script's --dry-run; None where there is none in time."""
    try:
        command = [sys.executable, os.path.join(SCRIPTS, script), *without_trace(arguments), "--dry-run"]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder,
            timeout=SECONDS,
        )  # fmt: skip
        return json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
        return None


def without_trace(arguments: list[str]) -> list[str]:
    """What is asked about leaves no file."""
    kept, skips = [], False
    for word in arguments:
        if not skips and not word.startswith("--trace="):
            kept += [] if word == "--trace" else [word]
        skips = word == "--trace"
    return kept


def _what(plan: dict) -> str:
    if "models" in plan:  # of a batch
        models = ", ".join(f"{one['jobs']} × {one['model']} ({one['provider']})" for one in plan["models"])
        prices = [_money(one) for one in plan.get("cost", [])]
        return f"{models}, {' + '.join(prices) or 'price unknown'}{_unknown(plan) if prices else ''}"
    copies = plan.get("copies", 1)
    price = f"{_money(plan['price'])} each" if "price" in plan else "price unknown"
    return f"{copies} × {plan.get('model', 'a model')} at {plan['provider']}, {price}"


def _unknown(plan: dict) -> str:
    return f" and {plan['cost_unknown']} of unknown price" if plan.get("cost_unknown") else ""


def _money(price: dict) -> str:
    return f"{price['amount']:g} {price['unit']}"


# -- at the end ---------------------------------------------------------------------------------------


def at_end(told: dict) -> dict | None:
    """What is paid for and not saved, told once a session for the same jobs."""
    jobs = [job for job in open_jobs() if not _is_practice(job["provider"])]
    if not jobs or not is_news(str(told.get("session_id")), [job["job"] for job in jobs]):
        return None
    lines = [f"{job['job']} ({job['provider']}, {job.get('model', '?')}): {_state(job)}" for job in jobs[:_MOST_JOBS]]
    more = [f"and {len(jobs) - _MOST_JOBS} more"] if len(jobs) > _MOST_JOBS else []
    ways = dict.fromkeys(_way(job) for job in jobs)
    return {"systemMessage": "\n".join([f"ai-media: paid jobs that are open: {len(jobs)}", *lines, *more, *ways])}


def _state(job: dict) -> str:
    return "paid for, not saved" if job["outcome"] == "accepted" else "nobody knows whether it was bought"


def _way(job: dict) -> str:
    words = "resume --all-undelivered --output-dir out" if job["outcome"] == "accepted" else "reconcile --all-unknown"
    return f"{shlex.quote(sys.executable)} {shlex.quote(os.path.join(SCRIPTS, 'jobs.py'))} {words}"


def open_jobs() -> list[dict]:
    """The ledger's open jobs that are paid for, or may be, newest first."""
    command = [sys.executable, os.path.join(SCRIPTS, "jobs.py"), "list", "--undelivered", "--limit", "100"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in lines if line["event"] == "job" and line["outcome"] in ("accepted", "unknown")]


def is_news(session: str, jobs: list[str]) -> bool:
    """Whether this session has not been told of these jobs yet; remembered in the state folder."""
    import hashlib

    from mediakit.base import atomic, paths

    folder, _ = paths.state_folder()
    if folder is None:
        return True
    path = os.path.join(folder, "told-at-end.json")
    now = hashlib.sha256(json.dumps([session, sorted(jobs)]).encode()).hexdigest()
    if paths.small_file(path) == now:
        return False
    atomic.write(path, now.encode())
    return True


def _provider(arguments: list[str]) -> str:
    """The service that is named; of a batch the lines may name others, which only its dry run knows."""
    joined = [word.partition("=")[2] for word in arguments if word.startswith("--provider=")]
    return next(iter(joined), dict(zip(arguments, arguments[1:])).get("--provider", ""))


def _is_practice(service: str) -> bool:
    from mediakit.services import providers

    return service in providers.names() and providers.load(service).embedded


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(0, SCRIPTS)
    try:
        main()
    except Exception:  # never in the way
        if os.environ.get("AI_MEDIA_DEBUG") == "1":
            raise
    sys.exit(0)
