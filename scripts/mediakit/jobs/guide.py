"""The way from nothing to a saved file: what stands in the way now, and the one command that goes on.

Wish   what somebody wants, as far as it is known
guide  the stage, with the command, what it does, what it costs and what is still missing

The command works as it stands. It holds no prompt: that lies in a file of the user's own state.
"""

from __future__ import annotations

import os

from ..base import errors, paths
from ..base.record import record, replace
from ..console import dependencies
from ..console.commands import command_line
from ..services import catalogue, providers
from .connection import ConnectionFlags, address, chosen_flags
from .readiness import KEY_REFUSED, KEY_REQUIRED, UNREACHABLE, Readiness

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from ..base import amounts
    from .request import CheckedRequest

PACKAGES, CREDITS, PROMPT, SETTLE, READY = (
    "packages_required", "credits_required", "prompt_required", "settle_first", "ready",
)  # fmt: skip
# What ends preflight with which code, where no service is ready.
EXIT_CODES = {PACKAGES: 28, CREDITS: 20, UNREACHABLE: 24, KEY_REQUIRED: 21, KEY_REFUSED: 21}
# The nearer to a saved file, the later.
_ORDER = (UNREACHABLE, KEY_REQUIRED, KEY_REFUSED, CREDITS, PROMPT, READY)
# Tried in the sandbox, or planned, while nobody has said what to make.
_SAMPLE = "a tin boat at dusk"
_WAY_ON = ("next_command", "next_argv", "guidance")


@record
class Wish:
    """What somebody wants; None where it is not known.

    task, model  as create_and_wait.py takes them
    prompt       the words; prompt_file the file that holds them
    inputs       FIELD=PATH_OR_URL each
    max_spend    a job's limit
    """

    task: str | None = None
    model: str | None = None
    prompt: str | None = None
    prompt_file: str | None = None
    inputs: tuple[str, ...] = ()
    max_spend: amounts.Amount | None = None

    def task_at(self, service: str) -> str | None:
        """The task, else the first that the service has a default model for; None where a model is named."""
        return self.task or (None if self.model else next(iter(catalogue.defaults(service)), None))


def guide(wish: Wish, where: ConnectionFlags, services: list[Readiness], *, named: bool) -> tuple[int, dict]:
    """`(exit code, fields of the event)` of the way on.

    services  those that were asked about, the sandbox only where it was named
    """
    problem = dependencies.problem()
    if problem:
        told: dict = {"stage": PACKAGES, "message": problem.message}
        told.update({name: problem.fields[name] for name in _WAY_ON if name in problem.fields})
        return EXIT_CODES[PACKAGES], {**told, "effect": "no_spend", "needs_approval": False}
    fitting = [one for one in services if _fits(wish, one.provider)] or services
    plans = [_Plan(wish, where, one) for one in fitting]
    best = max(plans, key=lambda plan: (_ORDER.index(plan.stage), plan.signs_up))
    usable = [one.provider.name for one in services if one.blocked is None]
    told = best.told()
    open_job = _open_job(usable)
    if open_job:
        way = _settled(open_job, where if named else ConnectionFlags(), services)
        told = {"stage": SETTLE, "provider": open_job.service, **way, "effect": "no_spend"}
        told["needs_approval"] = False
    stage = told["stage"]
    return (0 if stage in (SETTLE, PROMPT, READY) else EXIT_CODES[stage]), told


def _fits(wish: Wish, provider: providers.Provider) -> bool:
    if wish.model is not None:
        return bool(catalogue.entry(provider.speaks, wish.model))
    return wish.task is None or wish.task in catalogue.defaults(provider.speaks)


# -- one service -------------------------------------------------------------------------------------------


class _Plan:
    """How one service would be used: its stage, and the command that goes on from there."""

    def __init__(self, wish: Wish, where: ConnectionFlags, service: Readiness):
        self._wish, self._where, self._service = wish, where, service
        self._provider = service.provider
        self._asked: CheckedRequest | None = None
        self._problem: errors.Failure | None = None
        if not service.blocked:
            self._asked, self._problem = self._request()
        self._price = self._priced()
        self.signs_up = self._signup() is not None
        self.stage = self._stage()

    def _stage(self) -> str:
        if self._service.blocked:
            return self._service.blocked
        if self._service.is_empty or self._costs_more_than_is_left():
            return CREDITS
        return PROMPT if self._missing() else READY

    def told(self) -> dict:
        """The fields of the event."""
        command, effect = self._way_on()
        found: dict = {"stage": self.stage, "provider": self._provider.name}
        model = self._asked.model if self._asked else self._wish.model
        if model is None:
            model = catalogue.defaults(self._provider.speaks).get(self._wish.task_at(self._provider.speaks) or "")
        found.update(model=model, cost=self._cost(), missing=self._missing() or None, **command, effect=effect)
        found["needs_approval"] = effect != "no_spend"
        if self.stage == READY and effect == "spends":
            found["no_spend_command"] = self._create("--dry-run")["next_command"]
        if self.stage == CREDITS:
            found["guidance"] = self._provider.advice.on("insufficient_credits")
        if self.stage == KEY_REFUSED:
            found["guidance"] = self._provider.advice.on("auth")
        if self.stage == PROMPT:
            found["guidance"] = [
                "Run preflight.py again with what is missing: it then gives the command that makes it."
            ]
        return {name: value for name, value in found.items() if value is not None}

    # -- the request -----------------------------------------------------------------------------------

    def _request(self) -> tuple[CheckedRequest | None, errors.Failure | None]:
        """`(CheckedRequest, None)`, or `(None, the Failure that it ends with)`."""
        from ..console import inputs
        from ..services.payloads import Content
        from . import request
        from .lifecycle.policy import WaitPolicy

        wish = self._wish
        prompt = wish.prompt if wish.prompt is not None else _SAMPLE
        pairs = tuple(inputs.read_pair("--input", pair) for pair in wish.inputs)
        content = Content(prompt=prompt, inputs=pairs)
        task = wish.task_at(self._provider.speaks)
        asked = request.CreateRequest(content, model=wish.model, task=task)
        try:
            return request.check(asked, self._flags(), WaitPolicy()), None
        except errors.Failure as failure:
            if failure.exit_code == 2:
                raise
            return None, failure

    def _flags(self) -> ConnectionFlags:
        return replace(self._where, provider=self._provider.name, key_stdin=False)

    def _missing(self) -> list[str]:
        if self._service.blocked:
            return list(self._service.report["missing"])
        found = []
        if self._wish.prompt is None and self._needs_prompt():
            found.append("--prompt or --prompt-file")
        if self._problem:
            found.append(self._problem.message)
        elif self._wish.max_spend is not None:
            found += self._over_the_cap()
        return found

    def _needs_prompt(self) -> bool:
        """Whether the sample prompt found a field to stand in."""
        return self._asked is None or _SAMPLE in map(str, _leaves(self._asked.payload))

    # -- money -----------------------------------------------------------------------------------------

    def _priced(self):
        if self._asked is None:
            return None
        from . import price

        return price.price_of(_ledgers(), self._asked)

    def _cost(self) -> dict | None:
        if self._price:
            return {**self._price.amount.shown, "source": self._price.source}
        if self._asked is None:
            return None
        return {"unknown": "no price of this model is known here; the service's own page tells it"}

    def _costs_more_than_is_left(self) -> bool:
        left = self._service.balance
        if not self._price or not left or "amount" not in left:
            return False
        from ..base import amounts

        try:
            have = amounts.in_unit(
                amounts.Amount.of(left["amount"], left["unit"]), self._price.amount.unit, self._provider.units
            )
        except errors.Failure:
            return False  # amounts that no rule of the service makes comparable
        return have.unit == self._price.amount.unit and have.micro < self._price.amount.micro

    def _over_the_cap(self) -> list[str]:
        from ..base import amounts

        cap = self._wish.max_spend
        assert cap is not None
        if not self._price:
            return ["--accept-unknown-cost: under a cap, what has no known price is not bought"]
        limit = amounts.in_unit(cap, self._price.amount.unit, self._provider.units)
        if limit.unit == self._price.amount.unit and limit.micro < self._price.amount.micro:
            return [f"a --max-spend of at least {self._price.amount}"]
        return []

    # -- commands --------------------------------------------------------------------------------------

    def _way_on(self) -> tuple[dict, str]:
        """`(next_command and next_argv, effect)`."""
        name, is_practice = self._provider.name, self._provider.embedded
        if self.stage == READY:
            return self._create(), "no_spend" if is_practice else "spends"
        if self.stage == PROMPT:
            return self._planned(), "no_spend"
        if self.stage == KEY_REQUIRED:
            signup = self._signup()
            return (signup, "creates_account") if signup else (self._practice(), "no_spend")
        if self.stage == KEY_REFUSED and self._service.source == "the user's own store":
            return command_line(
                "preflight.py", "--provider", name, *self._wished(self._wish.task), "--forget-key"
            ), "no_spend"
        return command_line("preflight.py", *self._place(), *self._wished(self._wish.task), "--online"), "no_spend"

    def _create(self, *more: str) -> dict:
        return command_line("create_and_wait.py", *self._words(), "--output-dir", paths.for_results("out"), *more)

    def _words(self) -> list[str]:
        return [*self._place(), *self._through(), *self._wished(self._wish.task_at(self._provider.speaks))]

    def _wished(self, task: str | None) -> list[str]:
        """What is wanted, as the flags that it was said with."""
        wish = self._wish
        words = [*(["--task", task] if task else []), *(["--model", wish.model] if wish.model else [])]
        if wish.prompt is not None:
            words += ["--prompt-file", wish.prompt_file or _kept_prompt(wish.prompt)]
        for pair in wish.inputs:
            words += ["--input", pair]
        return words + (["--max-spend", str(wish.max_spend).replace(" ", "")] if wish.max_spend is not None else [])

    def _planned(self) -> dict:
        """What would be sent, with our own words where there are none yet; it can only tell more of what is missing."""
        if self._problem:
            model = self._wish.model or catalogue.defaults(self._provider.speaks).get(self._wish.task or "")
            if model:
                return command_line(
                    "inspect_openapi.py", "--provider", self._provider.speaks, "--model", model, "--include-template"
                )
        words = self._words()
        if self._wish.prompt is None:
            words += ["--prompt", _SAMPLE]
        return command_line("create_and_wait.py", *words, "--dry-run")

    def _place(self) -> list[str]:
        words = chosen_flags(self._where, self._provider, address(self._where, self._provider))
        return [*words, *(["--trust-dotenv"] if self._where.trust_dotenv else [])]

    def _through(self) -> list[str]:
        """A login that only the service's program has is used at another address only where that is said."""
        return ["--transport", "cli"] if self._where.base_url is not None and self._service.is_programs_login else []

    def _practice(self) -> dict:
        task = self._wish.task_at(self._provider.speaks) or "t2i"
        spoken = ["--as", self._provider.speaks] if self._provider.speaks in _spoken() else []
        words = ["--provider", _sandbox(), *spoken, "--task", task, "--prompt", _SAMPLE]
        words += ["--output-dir", paths.for_results("out")]
        return command_line("create_and_wait.py", *words)

    def _signup(self) -> dict | None:
        """The action by which an agent gets a key by itself, with words of our own for what it has to say."""
        for name, description in self._provider.actions.items():
            if "issues_key" in description and description["key"] == "unneeded":
                words = [self._provider.name, name, *self._place()[2:]]
                for field, rule in description.get("fields", {}).items():
                    words += ["--param", f"{field}=ai-media"] if rule.get("required") else []
                return command_line("account.py", *words, "--persist-key")
        return None


def _leaves(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def _sandbox() -> str:
    return next(name for name in providers.names() if providers.spoken_by(name))


def _spoken() -> tuple[str, ...]:
    return providers.spoken_by(_sandbox())


def _kept_prompt(prompt: str) -> str:
    """The path of a file with the prompt: a command line is written down in places that a prompt must not be in."""
    import hashlib

    from ..base import atomic, redactor

    secrets = redactor.Redactor()
    secrets.protect_environment()
    if secrets.text(prompt) != prompt:
        raise errors.bad_argument("--prompt", "expected without a key: the next command would be written down with it")
    folder = paths.state().folder
    if folder is None:
        raise errors.bad_argument("--prompt", "expected in a file (--prompt-file): no folder for state can be written")
    name = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    path = os.path.join(folder, "prompts", f"{name}.txt")
    try:
        paths.make_private_folder(os.path.dirname(path))
        atomic.write(path, prompt.encode("utf-8", "replace"))
    except OSError as problem:
        words = f"expected in a file (--prompt-file): it cannot be kept ({problem.strerror})"
        raise errors.bad_argument("--prompt", words) from None
    return path


# -- what was paid for -------------------------------------------------------------------------------------


def _ledgers():
    """fallbacks.looked_at; None, and nothing imported, where there is no ledger."""
    folders = [state.folder for state in (paths.state(), *paths.other_ledgers()[0]) if state.folder]
    if not any(os.path.exists(os.path.join(folder, paths.LEDGER)) for folder in folders):
        return None
    from ..ledger import fallbacks

    return fallbacks.looked_at()


def _open_job(services: list[str]):
    """The first job of these services that is paid for and undelivered, else one whose outcome is unknown."""
    found: dict[str, list] = {"accepted": [], "unknown": []}
    for ledger in (_ledgers() if services else None) or ():
        from ..ledger import store

        try:
            for entry in ledger.open_jobs():
                if entry.service in services:
                    found.setdefault(ledger.outcome_of(entry), []).append(entry)
        except store.Unusable:
            pass
    return next(iter(found["accepted"] + found["unknown"]), None)


def _settled(entry, where: ConnectionFlags, services: list[Readiness]) -> dict:
    # An address of this machine gets a key only where it is named.
    place = ["--base-url", where.base_url] if where.base_url else []
    place += ["--trust-base-url"] if where.base_url and where.trust_base_url else []
    usable = [one for one in services if one.blocked is None]
    if where.base_url and any(one.is_programs_login for one in usable):
        place += ["--transport", "cli"]
    into = ["--output-dir", paths.for_results("out")]
    if entry.generation_id:
        only = ["--provider", usable[0].provider.name] if len(usable) == 1 else []
        return command_line("jobs.py", "resume", "--all-undelivered", *only, *place, *into)
    asked = next((one.provider for one in usable if one.provider.name == entry.service), None)
    looking = asked.advice.looking if asked else []
    let_go = f"What cannot be settled stands in the way until jobs.py forget {entry.key} lets it go."
    return {**command_line("jobs.py", "reconcile", entry.key, *place, *into), "guidance": [*looking, let_go]}
