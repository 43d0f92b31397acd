"""The contracts of the services with what their documents do not tell: the services' habits, from their descriptors."""

from __future__ import annotations

import functools

from .. import contracts
from ..base import documents
from ..contracts.conventions import Conventions
from . import catalogue, providers


@functools.lru_cache(maxsize=None)
def document(service: str) -> contracts.Document:
    """The bundled document of a service, read once a process. Raises ContractError where there is none."""
    try:
        return contracts.from_data(documents.load(catalogue.contract_path(service)), of(service))
    except FileNotFoundError:
        raise contracts.ContractError("document_not_found", f"there is no contract of {service}") from None


@functools.lru_cache(maxsize=None)
def document_with(service: str, path: str) -> contracts.Document:
    """The same without the creates of other models, for one is asked for at a time."""
    habits = of(service)
    wanted = {path, habits.as_stream(path), habits.as_plain(path)}
    found = documents.part(catalogue.contract_path(service), "paths", wanted, '"x-model": ')
    return contracts.from_data(found, habits)


def read_all(service: str) -> None:
    """Read a service's document whole, for whoever looks at many of its models; nothing where there is none."""
    if catalogue.has_contracts(service):
        document(service)


def of(*services: str) -> Conventions:
    """The habits of these services; of all that there are contracts of, where none is named."""
    streams: dict[tuple[str, str], None] = {}
    reads: dict[str, None] = {}
    for service in services or catalogue.services():
        provider = providers.load(service)
        for route in provider.routes:
            if route.stream_path:
                streams[route.path.partition("{")[0], route.stream_path.partition("{")[0]] = None
        if provider.job.read:
            path = provider.job.read.path
            reads.update(dict.fromkeys((path, provider.base_path + path)))
    return Conventions(tuple(streams), tuple(reads))
