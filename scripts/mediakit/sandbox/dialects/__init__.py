"""How each service's contract is spoken: from the examples of its descriptor, and what one alone has by a module.

A module that knows one service is named as the service is, with `_` for `-`: fal, image_skill, modellix.

by_examples  any service, from the examples of its descriptor
jobs         what is told of a job
accounts     keys, what an account holds, and its actions
answering    answers as the service words them
asked        what a create asks for
history      what happened on an account
kept         what actions keep and find again
files        the files that a service is sent
menu         the list of models
unsaid       answers that no example has
filling      what stands for the placeholders of those examples
streaming    a create that is answered by an event stream
queries      what a query asks for
spoiling     how a fault changes what is answered
model_facts  what is known of the models
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os

from ...services import providers


def names() -> tuple[str, ...]:
    """The services whose contracts can be asked for; the first is the default."""
    return providers.spoken_by("sandbox")


def load(service: str):
    """The dialect of a service: a module, or an object of its Dialect or of by_examples.Dialect.

    handle(sandbox, http, content)  answers one request
    BASE                            the prefix of its paths
    drawn(job)                      what the files of a job are rendered from

    Raises Failure 2 for a service whose descriptor has no examples.
    """
    with open(os.path.join(providers.ASSETS, "providers", "sandbox.json"), encoding="utf-8") as file:
        is_listed = service in json.load(file)["speaks"]
    name = f"{__name__}.{service.replace('-', '_')}"
    if is_listed and importlib.util.find_spec(name):
        module = importlib.import_module(name)
        return module.Dialect(service) if hasattr(module, "Dialect") else module
    from . import by_examples

    return by_examples.Dialect(service)
