"""The registry: exit codes, error codes and warning codes, each with its meaning and its way out. Pure.

EXIT_CODES           code -> Exit
ERRORS               what `error` of an `error` event, and `error.code` of a `terminal`, can be -> Error
WARNINGS             what `code` of a `warning` event can be -> Warn
OUTCOMES             what can have become of a paid request

Codes are added, never renamed or reused. references/events.md and the enumerations in
assets/schemas/event.schema.json are written from here: python tests/generate_references.py.
"""

from __future__ import annotations

from collections import namedtuple

# way_out is what to do about it, one line; empty where there is nothing to do.
Exit = namedtuple("Exit", "meaning way_out")
# category is a key of errors.CATEGORY_EXIT_CODES, or BY_ANSWER.
Error = namedtuple("Error", "category meaning way_out")
# concern is what is at stake: money, files, inputs, network, service, settings.
Warn = namedtuple("Warn", "concern meaning way_out")

# The category of what a service said: credits, auth, validation, …
BY_ANSWER = "by answer"

EXIT_CODES = {
    0: Exit("success", ""),
    1: Exit("internal error (a bug)", "report it; `AI_MEDIA_DEBUG=1` shows where"),
    2: Exit("bad arguments", "the event names the flag"),
    10: Exit("the job itself ended failed or canceled", "look at `error`; change the request"),
    11: Exit("time used up; the job is still running and can be resumed", "run `next_command`"),
    12: Exit(
        "a paid request was sent and its outcome is unknown",
        "do not send it again; run `next_command`, see [spending](spending.md)",
    ),
    20: Exit("insufficient_credits", "recharge"),
    21: Exit("auth (missing or refused key)", "`preflight.py` shows how to set one"),
    22: Exit("validation (rejected here or by the service)", "change the field that is named"),
    23: Exit("not_found", "check model and id"),
    24: Exit(
        "transient (rate limit, network, 5xx on a read; nothing was accepted)", "wait, then run the same command again"
    ),
    25: Exit("unknown (any other API error)", "look at `message`"),
    26: Exit(
        "the job succeeded, but saving its results failed",
        "run `next_command` soon, see [results](results.md); `assets[]` was saved",
    ),
    27: Exit("refused by a guard (duplicate, spend cap, untrusted destination)", "the event says which and why"),
    28: Exit("Python or a package is missing or too old", "run `next_command`, which installs it"),
    130: Exit("interrupted by SIGINT", "run `next_command` where there is one"),
    141: Exit("nobody reads stdout any more", "`jobs.py list` shows what was under way"),
    143: Exit("interrupted by SIGTERM", "run `next_command` where there is one"),
}

OUTCOMES = ("not_sent", "rejected", "accepted", "unknown")

ERRORS = {
    # this program and its flags
    "internal_error": Error("internal", "a bug in this program", "report it; `AI_MEDIA_DEBUG=1` shows where"),
    "invalid_arguments": Error(
        "bad_arguments", "a flag or its value cannot be used", "change the flag that `field` names; see `--help`"
    ),
    "python_too_old": Error(
        "dependency", "this Python is older than the scripts need", "use a newer one, as `guidance[]` says"
    ),
    "package_too_old": Error("dependency", "a Python package is older than the scripts need", "run `next_command`"),
    "missing_dependency": Error(
        "dependency", "a Python package is not installed, or cannot be imported", "run `next_command`"
    ),
    # keys and trust
    "missing_api_key": Error("auth", "no key was found for the service", "set one; `preflight.py` says how"),
    "invalid_api_key": Error("auth", "the key that was found cannot be sent in a header", "copy the key again"),
    "api_key_refused": Error("auth", "the service refused the key", "make a new key and set it"),
    "key_not_checked": Error(
        BY_ANSWER, "a stored key would be replaced by one that could not be tried", "try again later, or `--no-check`"
    ),
    "key_exists": Error(
        "guard",
        "the user's own store holds a key already, which would be lost",
        "use it, or `--replace-key` to give it up",
    ),
    "service_disabled": Error(
        "guard",
        "a service of your own was changed since it was added, was removed, or could be somebody else's",
        "`services.py check FILE`, then `services.py add FILE --confirm`",
    ),
    "invalid_descriptor": Error(
        "validation", "a descriptor cannot be added as it is", "mend what `problems[]` names, by path and line"
    ),
    "untrusted_destination": Error(
        "guard",
        "the key would have gone to a host that is not its service's",
        "use the service's own address; `--trust-base-url` if it is meant",
    ),
    # a create and what became of it
    "request_rejected": Error(
        BY_ANSWER, "the service refused the request; nothing was bought", "change what `message` names"
    ),
    "request_not_sent": Error(
        "transient", "no byte of the request reached the service", "check the network, then run the same again"
    ),
    "network_forbidden": Error(
        "transient",
        "this process may not open network connections, not even to this machine",
        "ask whoever runs it, such as an agent's sandbox, to allow it",
    ),
    "request_redirected": Error(
        "unknown",
        "the service answered with a redirect, which is never followed with a key",
        "name the address that answers as `--base-url`",
    ),
    "missing_generation_id": Error(
        "outcome_unknown",
        "the service accepted the request but its answer holds no id",
        "do not send it again; run `next_command`",
    ),
    "outcome_unknown": Error(
        "outcome_unknown",
        "a paid request was sent and no answer tells what became of it",
        "do not send it again; run `next_command`",
    ),
    "read_failed": Error(
        BY_ANSWER, "the job exists, but the service refuses to tell about it", "mend the cause, then `next_command`"
    ),
    "saving_failed": Error("saving", "the job succeeded, and a result could not be saved", "run `next_command` soon"),
    "no_output": Error(
        "unknown",
        "the service calls the job done, and has no result of it",
        "look at the service's own page of the job",
    ),
    "no_answer": Error(
        BY_ANSWER, "the service gave no answer that can be read", "nothing was spent unless `outcome` says unknown"
    ),
    "cannot_cancel": Error(
        "guard", "the service has no way to cancel a job", "it runs on and is paid for; wait for it"
    ),
    "job_over": Error("guard", "there is nothing to cancel: the job is over", "run `next_command` for its result"),
    # what is asked for
    "payload_invalid": Error(
        "validation",
        "the request does not follow the model's contract; nothing was sent",
        "change the fields that `problems[]` names",
    ),
    "payload_unfilled": Error(
        "validation",
        "the request holds a value of a template that was never filled in; nothing was sent",
        "fill in what `problems[]` names",
    ),
    "model_not_found": Error(
        "not_found",
        "the service's catalogue does not have that model, or has no contract of it",
        "`inspect_openapi.py --list-endpoints` lists the models",
    ),
    "input_refused": Error(
        "validation",
        "a file is not what its field or the service takes; nothing was sent",
        "convert the file, or choose another one or another model",
    ),
    "input_changed": Error(
        "validation",
        "a file was changed after it was checked; nothing was sent",
        "run the same again when it is complete",
    ),
    "input_gone": Error(
        BY_ANSWER,
        "the output of an earlier job can be had neither from its service nor from disk, or not yet",
        "wait for that job, or give a file of your own",
    ),
    "upload_failed": Error(
        BY_ANSWER, "an input could not be brought to the service; nothing was bought", "run the same again"
    ),
    # money
    "duplicate_unknown": Error(
        "guard",
        "the same was asked for before, and it is not known whether that was accepted",
        "run `next_command`; `--retry-unknown` accepts the risk of paying twice",
    ),
    "purchase_under_way": Error("guard", "another process is buying the same at this moment", "wait for it"),
    "purchase_elsewhere": Error(
        "guard", "the same is open in a ledger that cannot be written from here", "run `next_command` where it can"
    ),
    "job_undelivered": Error(
        "guard", "a job that is paid for and not delivered would be forgotten", "run `next_command`, or `--accept-loss`"
    ),
    "ledger_unusable": Error("guard", "the ledger cannot be trusted or written", "mend it as `guidance[]` says"),
    "ledger_required": Error(
        "guard", "there is no ledger, and one is asked for", "set `AI_MEDIA_HOME` to a writable folder"
    ),
    "spend_cap": Error("guard", "a cap on spending would be overdrawn", "raise the cap, or ask for less"),
    "unknown_cost": Error(
        "guard",
        "a cap on spending is set, and the cost is not known beforehand",
        "`--accept-unknown-cost`, or a model with a price",
    ),
    # many jobs
    "lines_invalid": Error(
        "validation", "lines of a batch cannot be used; nothing was sent", "change what `problems[]` names, all at once"
    ),
    "too_many_jobs": Error(
        "guard", "a batch would buy more jobs than `--max-jobs` allows", "look with `--dry-run`, then `--max-jobs N`"
    ),
    "balance_too_low": Error(
        "insufficient_credits", "a batch would cost more than its service says is left", "add credits, or ask for less"
    ),
    "held_back": Error(
        "guard",
        "a line was not bought, for the outcome of another one at its service is unknown",
        "run the same again, or `--continue-on-unknown`",
    ),
    "parent_failed": Error("validation", "a line takes the output of a line that has none", "see what that line says"),
    "job_not_found": Error("not_found", "the ledger has no such job", "`jobs.py list` shows what it has"),
    # documents
    "source_invalid": Error("bad_arguments", "a document is named in a way that is not read", "a path or a URL"),
    "variant_not_found": Error("bad_arguments", "the body has no variant of that name", "choose one that is listed"),
    "document_not_found": Error("not_found", "there is no such document", "check the path or address"),
    "document_refused": Error(
        "auth",
        "the document's address wants a login, and is sent none",
        "save the document where you are logged in, and name the file",
    ),
    "document_unreachable": Error("transient", "the document's address does not answer", "try again later"),
    "document_unreadable": Error(
        "validation", "the document is not complete, valid JSON or YAML", "get it again, as a whole"
    ),
    "document_not_openapi": Error("validation", "the document is something else than OpenAPI", "name another"),
    "document_too_large": Error("validation", "the document is larger than is read", "cut it to what is needed"),
    "document_too_deep": Error("validation", "the document is nested deeper than is read", "name another"),
    "endpoint_not_found": Error(
        "not_found", "the document does not have that operation", "`--list-endpoints` lists what it has"
    ),
    "reference_broken": Error("validation", "a $ref leads nowhere", "mend the document"),
    "reference_circular": Error(
        "validation", "a $ref leads in a circle that never reaches a value", "mend the document"
    ),
    "reference_forbidden": Error(
        "guard", "a $ref leads out of the document's own folder or origin", "put the files beside each other"
    ),
}

WARNINGS = {
    "replayed": Warn(
        "money",
        "the service answered with what was bought with the same key before and charged nothing again",
        "nothing",
    ),
    "same_id": Warn("money", "the service gave two jobs the same id: both are waited for under it", "`jobs.py show`"),
    "ledger_unavailable": Warn(
        "money", "no ledger can be kept: the same command again buys again", "set `AI_MEDIA_HOME`"
    ),
    "ledger_write_failed": Warn(
        "money", "something of this job could not be recorded", "keep its id; free the disk or mend the folder"
    ),
    "state_folder": Warn(
        "settings", "state is kept in another folder than the user's own, or nowhere", "set `AI_MEDIA_HOME`"
    ),
    "service_disabled": Warn(
        "settings",
        "a service of your own is not used: it was changed since it was added, or could be somebody else's",
        "`services.py check FILE`, then `services.py add FILE --confirm`",
    ),
    "key_hidden": Warn(
        "settings", "another key comes before the stored one and is used", "unset the variable that is named"
    ),
    "key_not_checked": Warn("settings", "the new key is stored, and could not be tried", "`preflight.py --online`"),
    "cli_unusable": Warn("service", "the service's own program is there and cannot be used; REST is", "see `message`"),
    "no_service_plan": Warn("service", "the service made no plan of its own", ""),
    "model_not_listed": Warn("service", "no list of the service's models has this one; it may be new", ""),
    "model_off_sale": Warn("service", "the model was no longer on sale; whether it still answers is not known", ""),
    "contract_missing": Warn(
        "service", "no contract of the model is known; its fields are sent unchecked", "`--dry-run` shows what is sent"
    ),
    "contract_incomplete": Warn(
        "service", "the model's contract cannot vouch for every field", "look at the service's own page of the model"
    ),
    "balance_low": Warn(
        "money", "a batch may cost more than its service says is left, as far as earlier jobs tell", "add credits"
    ),
    "unknown_status": Warn("service", "the service reports a status that is not known here; waiting goes on", ""),
    "consent_left_out": Warn(
        "settings",
        "fields of a record or list that only whoever pays may set (consents, limits, callbacks) are left out",
        "give them by flags where they are meant",
    ),
    "document_elsewhere": Warn(
        "service",
        "a document or list comes from another host than it was asked of; it is not kept",
        "check the address",
    ),
    "unlisted_status": Warn(
        "service", "the job is done by a word that the service does not document; its results are there", ""
    ),
    "told_elsewhere": Warn(
        "network", "the service told an address that is not its own; the documented one is asked instead", ""
    ),
    "foreign_event": Warn("service", "the stream told of another job; that was ignored", ""),
    "type_differs": Warn(
        "files", "a result is another kind of file than the service said; it is saved as what it is", ""
    ),
    "unknown_format": Warn("files", "a file is of no format that is known here; it is kept, or sent, as it is", ""),
    "result_expired": Warn("files", "the service's time of keeping this result is over", "it is tried all the same"),
    "private_network_allowed": Warn(
        "network", "a result's link can reach into this machine's own network", "leave out `--allow-private-network`"
    ),
    "results_not_written": Warn(
        "files", "the results of a batch could not be written; the ledger has them", "run the same again"
    ),
    "metadata_not_embedded": Warn("files", "a result is saved as it came, without its record inside", ""),
    "provenance_not_written": Warn("files", "the record beside a result could not be written", "see `message`"),
}


def exit_code_table() -> str:
    """The exit codes as text, for every script's --help."""
    return "\n".join(f"  {code:>3}  {found.meaning}" for code, found in EXIT_CODES.items())
