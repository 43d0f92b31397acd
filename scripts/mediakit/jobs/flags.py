"""Flags that several scripts have, and what they come to: read once, here, into frozen dataclasses.

add_connection_flags, add_request_flags, add_spending_flags, add_creating_flags, add_waiting_flags, add_reading_flags
                                                                                 definitions, for a parser
add_address_flags, add_purchase_flags, add_saving_flags                          parts of them
connection, spending, saving, action, wait_policy, existing_wait_policy, create_request, content, model
                                                                                 what the parsed flags mean

Only this room and the scripts know argparse.
"""

from __future__ import annotations

import argparse
import time

from ..base.times import time_left
from ..console.flags import folder, one_of, seconds, size, whole, word
from ..services import providers

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from ..media.saving import Saving
    from ..services.payloads import Content
    from .acting import ActionFlags
    from .connection import ConnectionFlags
    from .lifecycle.policy import WaitPolicy
    from .price import Spending
    from .request import CreateRequest

# -- definitions ---------------------------------------------------------------------------------------


def add_connection_flags(parser) -> None:
    names = providers.known()
    parser.about = _about
    group = parser.add_argument_group("service")
    group.add_argument(
        "--provider", type=providers.one_named(*names), metavar="{" + ",".join(names) + "}", help="which service"
    )
    add_address_flags(group)
    ways = ("auto", "cli", "rest")
    group.add_argument("--transport", type=one_of(*ways), default="auto", metavar="{" + ",".join(ways) + "}",
        help="through the service's own command-line program or not; auto: if it is there and no --base-url is given",
    )  # fmt: skip


def _about(given: argparse.Namespace) -> dict:
    """Nothing that the sandbox makes is what was asked for, and a refusal of it is none of a service."""
    return {"practice": True} if given.provider and providers.load(given.provider).embedded else {}


def add_address_flags(group) -> None:
    """Where a service is, and its key: for scripts that name the service in another way than --provider."""
    spoken = sorted({service for name in providers.names() for service in providers.spoken_by(name)})
    group.add_argument(
        "--as",
        dest="speaks",
        type=providers.one_named(*spoken),
        metavar="{" + ",".join(spoken) + "}",
        help="the service whose contract the sandbox speaks",
    )
    group.add_argument("--base-url", metavar="URL", help="another address of the service, with its prefix")
    group.add_argument("--trust-base-url", action="store_true", help="send the key to the host of --base-url")
    group.add_argument("--key-stdin", action="store_true", help="read the key from standard input, for this run only")
    group.add_argument(
        "--trust-dotenv", action="store_true", help="take keys also from a ./.env that came with its repository"
    )


def _field_names(given: argparse.Namespace) -> set[str]:
    """The fields of the named service's models; of all services' where none is named."""
    from ..services import model_contract

    names = [given.provider] if given.provider else providers.names()
    if given.provider and given.speaks and providers.load(given.provider).embedded:
        names = [given.speaks]
    return {field for name in names for field in model_contract.names_of_fields(providers.load(name))}


def add_spending_flags(parser) -> None:
    group = parser.add_argument_group("spending")
    group.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    group.add_argument("--copies", type=whole(1, 100), default=1, metavar="N", help="buy N of them on purpose")
    add_purchase_flags(group)
    add_privacy_flag(group)


def add_privacy_flag(group) -> None:
    group.add_argument("--no-store-payload", action="store_true", help="do not keep what was asked for")


def add_purchase_flags(group, cap: bool = True) -> None:
    """What a purchase is called, and what it may cost; `cap` for a limit of a single job."""
    group.add_argument("--intent", type=word(200), metavar="KEY", help="this purchase's own name")
    group.add_argument("--allow-duplicate", action="store_true", help="buy one more, whatever was bought before")
    group.add_argument("--retry-unknown", action="store_true", help="risk paying twice for an unknown outcome")
    if cap:
        add_cap_flag(group)
    group.add_argument("--accept-unknown-cost", action="store_true", help="buy under a cap what has no known price")
    group.add_argument("--require-ledger", action="store_true", help="refuse to buy where nothing can be remembered")


def add_cap_flag(group) -> None:
    group.add_argument("--max-spend", type=amount, metavar="AMOUNT", help="a job's limit, such as 200credits or 5usd")


def amount(text: str):
    """An argparse type: an amount with its unit."""
    return providers.amount("--max-spend", text)


def add_request_flags(parser) -> None:
    """What is asked for; `create_request` reads them."""
    what = parser.add_argument_group("what to make")
    what.add_argument("--from", dest="source", metavar="FILE", help="the same again: the JSON file beside a result")
    what.add_argument("--sse-endpoint", metavar="PATH", help="the create endpoint, in place of a model")
    add_content_flags(parser, what)


def add_content_flags(parser, what) -> None:
    """The parts of it that can be said of many requests at once; `content` reads them."""
    parser.field_names = _field_names
    tasks = ",".join(providers.TASKS)
    what.add_argument("--model", metavar="OWNER/NAME", help="the model")
    what.add_argument("--model-slug", metavar="OWNER/NAME", help="the same, and means Modellix")
    what.add_argument(
        "--task",
        type=one_of(*providers.TASKS),
        metavar=f"{{{tasks}}}",
        help="what is made from what, as text to image; without --model its default model",
    )
    what.add_argument("--prompt", metavar="TEXT", help="what to make, to change or to say")
    what.add_argument("--prompt-file", metavar="PATH", help="a file with the prompt; - for standard input")
    what.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a field of the request; the value may be JSON",
    )
    what.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="FIELD=PATH_OR_URL",
        help="a picture, video or sound: a file, - for standard input, an address, job:KEY",
    )
    what.add_argument("--payload", "--body", metavar="JSON", help="the request's fields as a JSON object")
    what.add_argument("--payload-file", "--body-file", metavar="PATH", help="a file with them; - for standard input")
    what.add_argument("--no-validate", action="store_true", help="send the fields as they are, unchecked")


def add_creating_flags(parser) -> None:
    """How to wait for a job that is created; `wait_policy` reads them."""
    how = parser.add_argument_group("how to wait")
    how.add_argument("--stream", type=one_of("auto", "never"), default="auto", metavar="{auto,never}",
        help="never: poll from the start")  # fmt: skip
    how.add_argument("--no-wait", action="store_true", help="stop once the service has accepted the job")
    _add_deadline_flag(how)
    how.add_argument("--sse-request-timeout", type=seconds(above=True), default=120.0, metavar="SECONDS",
        help="for the answer to the create, and how long its stream may be silent, default 120")  # fmt: skip
    how.add_argument("--stream-timeout", type=seconds(above=True), default=3600.0, metavar="SECONDS",
        help="for a stream in all; then the job is polled, default 3600")  # fmt: skip
    how.add_argument("--poll-timeout", type=seconds(), default=900.0, metavar="SECONDS",
        help="for polling, from when it begins, default 900")  # fmt: skip
    how.add_argument("--poll-interval", type=seconds(above=True), default=3.0, metavar="SECONDS",
        help="between two polls at most, default 3")  # fmt: skip
    how.add_argument("--poll-request-timeout", type=seconds(above=True), default=20.0, metavar="SECONDS",
        help="for one poll, default 20")  # fmt: skip


def _add_deadline_flag(group) -> None:
    group.add_argument("--deadline", type=seconds(above=True), metavar="SECONDS",
        help="end before so much time has gone by since the start, with the command that goes on")  # fmt: skip


def add_waiting_flags(parser) -> None:
    """For a job that exists; `existing_wait_policy` reads them."""
    group = parser.add_argument_group("how to wait")
    wait, request = seconds(), seconds(above=True)
    group.add_argument(
        "--interval", type=request, default=3.0, metavar="SECONDS", help="between two polls at most, default 3"
    )
    group.add_argument("--timeout", type=wait, default=600.0, metavar="SECONDS", help="for the job to end, default 600")
    group.add_argument(
        "--request-timeout", type=request, default=20.0, metavar="SECONDS", help="for one poll, default 20"
    )
    _add_deadline_flag(group)


def add_reading_flags(parser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--output-dir", type=folder, metavar="DIR", help="save the results there")
    add_saving_flags(group)
    group.add_argument("--embed-metadata", action="store_true", help="also write into each file how it was made")
    group.add_argument("--show", action="store_true", help="show the pictures on the terminal, where it can")
    group.add_argument("--trace", metavar="FILE", help="append every request and answer, without keys")
    group.add_argument("--verbose", action="store_true", help="write each event with the service's own payload")


def add_saving_flags(group) -> None:
    """How results are saved, with the limits of media.saving.LIMITS; `saving` reads them."""
    group.add_argument(
        "--output-name",
        type=_template,
        metavar="TEMPLATE",
        help="their names, such as {date}-{model}-{n}; also {service} {task} {job} {line} {time}",
    )
    group.add_argument("--max-file-size", type=size, metavar="SIZE", help="of one result, default 4GiB")
    group.add_argument("--max-total-size", type=size, metavar="SIZE", help="of all results, default 20GiB")
    group.add_argument("--max-files", type=whole(1, 10_000), metavar="N", help="so many results, default 100")
    group.add_argument(
        "--download-timeout", type=seconds(above=True), metavar="SECONDS", help="for a job's results, default 1800"
    )
    group.add_argument(
        "--max-pixels",
        type=whole(1, 10**12),
        metavar="N",
        help="of a picture that is taken for whole, default 500 million",
    )
    group.add_argument(
        "--allow-private-network",
        action="store_true",
        help="also fetch results from private addresses, for a VPN with fake addresses; RISK: a result's link "
        "can then reach into this machine's own network",
    )


def _template(text: str) -> str:
    from ..media import names

    try:
        return names.check(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


# -- what they come to -----------------------------------------------------------------------------------


def _of_same_name(cls, given: argparse.Namespace):
    """A record whose fields are called as the flags are; a flag that a script does not have keeps its default."""
    from ..base.record import fields

    return cls(**{name: getattr(given, name) for name in fields(cls) if hasattr(given, name)})


def connection(given: argparse.Namespace) -> ConnectionFlags:
    from .connection import ConnectionFlags

    return _of_same_name(ConnectionFlags, given)


def spending(given: argparse.Namespace) -> Spending:
    from .price import Spending

    return _of_same_name(Spending, given)


def wait_policy(given: argparse.Namespace) -> WaitPolicy:
    """How long to wait for a job that is created, and in what way."""
    from .lifecycle.policy import WaitPolicy

    return WaitPolicy(
        stream=given.stream == "auto",
        wait=not given.no_wait,
        create_timeout=given.sse_request_timeout,
        stream_timeout=given.stream_timeout,
        poll_timeout=given.poll_timeout,
        poll_interval=given.poll_interval,
        poll_request_timeout=given.poll_request_timeout,
        deadline=_deadline(given),
        within=given.deadline,
        verbose=given.verbose,
    )


def existing_wait_policy(given: argparse.Namespace) -> WaitPolicy:
    """The same for a job that exists, from the flags of add_waiting_flags."""
    from .lifecycle.policy import WaitPolicy

    return WaitPolicy(
        stream=False,
        poll_timeout=given.timeout,
        poll_interval=given.interval,
        poll_request_timeout=given.request_timeout,
        deadline=_deadline(given),
        within=given.deadline,
        verbose=given.verbose,
    )


def _deadline(given: argparse.Namespace) -> float:
    left = time_left(given.deadline)
    return float("inf") if left is None else time.monotonic() + left


def action(given: argparse.Namespace) -> ActionFlags:
    from .acting import ActionFlags

    return _of_same_name(ActionFlags, given)


def saving(given: argparse.Namespace, jobs: int = 1, template: str | None = None) -> Saving:
    """How results are saved; one for a whole command, whose files it counts.

    jobs      how many it has at most
    template  the names where none are given
    """
    from ..base.record import replace
    from ..media import names
    from ..media.saving import LIMITS, MOST_PIXELS, Budget, Saving

    usual = replace(LIMITS, total_bytes=LIMITS.total_bytes * jobs, files=LIMITS.files * jobs)
    limits = {
        "file_bytes": given.max_file_size,
        "total_bytes": given.max_total_size,
        "files": given.max_files,
        "seconds": given.download_timeout,
    }
    limits = {name: value for name, value in limits.items() if value is not None}
    return Saving(
        folder=given.output_dir,
        template=given.output_name or template or names.DEFAULT,
        task=getattr(given, "task", None),
        budget=Budget(replace(usual, **limits)),
        most_pixels=given.max_pixels or MOST_PIXELS,
        accepts_unverified=getattr(given, "accept_unverified", False),
        allows_private=given.allow_private_network,
        embeds=given.embed_metadata,
        shows=given.show,
        stores=not getattr(given, "no_store_payload", False),
        flags=_saving_flags(given),
    )


def _saving_flags(given: argparse.Namespace) -> tuple[str, ...]:
    """The flags that say the same about saving to another command, but for the folder."""
    words = []
    for name in ("output_name", "max_file_size", "max_total_size", "max_files", "download_timeout", "max_pixels"):
        if getattr(given, name) is not None:
            words += [_flag(name), str(getattr(given, name))]
    switches = ("allow_private_network", "embed_metadata", "show")
    return (*words, *(_flag(name) for name in switches if getattr(given, name)))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def create_request(given: argparse.Namespace) -> CreateRequest:
    """What create_and_wait.py is asked for. Files and standard input are read here; raises Failure 2."""
    from ..base import errors
    from .request import CreateRequest

    if given.source is not None and not (given.payload is None and given.payload_file is None):
        raise errors.bad_argument("--from", "expected without --payload and --payload-file")
    found = content(given)
    return CreateRequest(
        found,
        model=model(given),
        task=given.task,
        endpoint=given.sse_endpoint or None,
        implies="skills-video" if given.sse_endpoint else implied(given),
        source=given.source,
    )


def content(given: argparse.Namespace, *, also_reads: tuple[str, bool] = ("", False)) -> Content:
    """What the flags of add_content_flags put into a request. Files and standard input are read; raises Failure 2.

    also_reads  another flag of the script, and whether it reads standard input
    """
    from ..console import inputs
    from ..services.payloads import Content

    inputs.one_standard_input(
        also_reads,
        ("--key-stdin", given.key_stdin),
        ("--payload-file", given.payload_file == "-"),
        ("--prompt-file", given.prompt_file == "-"),
        *(("--input", one.partition("=")[2] == "-") for one in given.input),
    )
    return Content(
        payload=_payload(given),
        prompt=prompt(given),
        parameters=_parameters(given.param),
        inputs=tuple(inputs.read_pair("--input", pair) for pair in given.input),
        validates=not given.no_validate,
    )


def model(given: argparse.Namespace) -> str | None:
    """The model, by either of its flags; raises Failure 2."""
    from ..base import errors

    if given.model_slug is not None and given.model is not None:
        raise errors.bad_argument("--model-slug", "expected without --model: it says the same")
    return given.model if given.model_slug is None else given.model_slug


def implied(given: argparse.Namespace) -> str | None:
    """The service that is meant where none is named."""
    return "modellix" if given.model_slug else None


def _payload(given: argparse.Namespace) -> dict | None:
    from ..base import errors
    from ..console import inputs

    if given.payload is not None and given.payload_file is not None:
        raise errors.bad_argument("--payload-file", "expected without --payload")
    if given.payload is not None:
        return inputs.read_object("--payload", given.payload)
    if given.payload_file is not None:
        return inputs.read_object("--payload-file", inputs.read_text("--payload-file", given.payload_file))
    return None


def prompt(given: argparse.Namespace) -> str | None:
    """What --prompt or --prompt-file says; raises Failure 2 for both and for no words."""
    from ..base import errors
    from ..console import inputs

    if given.prompt is not None and given.prompt_file is not None:
        raise errors.bad_argument("--prompt-file", "expected without --prompt")
    flag, words = "--prompt", given.prompt
    if given.prompt_file is not None:
        flag, words = "--prompt-file", inputs.read_text("--prompt-file", given.prompt_file).strip()
    if words is not None and not words.strip():
        raise errors.bad_argument(flag, "expected words; it is empty", "Nothing was sent and nothing was bought.")
    return words


def _parameters(pairs: list[str]) -> dict:
    from ..base import errors
    from ..base.text import plain
    from ..console import inputs

    found: dict = {}
    for pair in pairs:
        name, value = inputs.read_pair("--param", pair)
        if name in found:
            raise errors.bad_argument("--param", f"{plain(name, 60)} is given twice")
        found[name] = inputs.read_json_or_text("--param", value)
    return found
