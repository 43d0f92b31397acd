"""Where a service is: which address each of its requests goes to. Pure.

JobRef   a job, as the addresses about it need it
Site     a service at its own origins, or at another address in place of all of them
"""

from __future__ import annotations

from ..base import errors
from ..base.pointer import first, point
from ..base.record import field, record
from ..http.addresses import above, origin_of
from . import descriptor
from .descriptor import Listing, Step
from .provider import Provider

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Mapping

# The steps of a job whose address an answer can tell.
TOLD_STEPS = ("read", "result", "cancel")
_LONGEST_CURSOR = 2048


@record
class JobRef:
    """A job: its id, the model that makes it, and the addresses that the answer to its create told."""

    id: str
    model: str | None = None
    told: Mapping[str, str] = field(default_factory=dict)


@record
class Site:
    """A service, and where it is now.

    base_url  of the default origin, with its prefix: the service's own, or the one that takes the place of all
    """

    provider: Provider
    base_url: str

    @property
    def is_own(self) -> bool:
        """Whether it is the service itself, so that its further origins are its own too."""
        if self.base_url == self.provider.base_url:
            return True
        own = self.provider.origin
        return own is not None and origin_of(self.base_url) == origin_of(own)

    @property
    def origins(self) -> tuple[str, ...]:
        """The addresses that get the key: scheme, host and port of each."""
        from urllib.parse import urlsplit, urlunsplit

        parts = urlsplit(self.base_url)
        here = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        return (here, *(self.provider.origins.values() if self.is_own else ()))

    def _told(self, value) -> str | None:
        """An address that an answer told; None for what is none, or is at none of the origins."""
        from . import trust

        return trust.told_address(value, self.origins)

    def url(self, step: Step, path: str) -> str:
        """The address of a step whose path is filled in."""
        is_default = step.origin in (None, self.provider.default_origin)
        if not is_default and self.is_own:
            return self.provider.origins[step.origin or ""] + path
        if is_default and not step.from_root:
            return self.base_url + path
        return above(self.base_url, self.provider.base_path) + path

    def of_create(self, origin: str | None, path: str) -> str:
        """Where a create goes whose route is at `origin`: a path below the base URL, or else the whole address."""
        is_default = origin in (None, self.provider.default_origin)
        return path if is_default else self.url(Step(path, origin=origin), path)

    def outputs(self, body, job: JobRef | None) -> list[dict]:
        """JobAnswers.outputs, those included whose address is made from a job's id and told by nobody."""

        def made(path: str, relative_to: str | None = None) -> str | None:
            if relative_to:
                from urllib.parse import urljoin

                return urljoin(self._beginning(relative_to, job), path)
            try:
                return self.url(Step(path), self.provider.paths.filled(path, job.model, job.id)) if job else None
            except ValueError:
                return None  # it needs the model too, and that is not known

        return self.provider.answers.outputs(body, made)

    def _beginning(self, relative_to: str, job: JobRef | None) -> str:
        """What an address without its beginning follows: `answer` is that of a read, and the base of a create."""
        if relative_to == "answer" and job and self.provider.job.read:
            return self.of_job("result" if self.provider.job.result else "read", job)
        return (above(self.base_url, self.provider.base_path) if relative_to == "origin" else self.base_url) + "/"

    def of_account(self, name: str) -> str | None:
        """The address of `key_check` or `balance`; None for one that the descriptor does not have."""
        found = descriptor.step(self.provider.says(name))
        return found and self.url(found, found.path)

    def of_list(self, model: str | None) -> str:
        """Where the list of jobs is: a path below the base URL, or else the whole address."""
        step = self.provider.job.listing.step
        path = self.provider.paths.filled(step.path, model or "")
        return path if step.origin is None and not step.from_root else self.url(step, path)

    def following(self, listing: Listing, body, at: str) -> str | None:
        """The address of the page after one of a list; None where that is the last one.

        at  the address of the first page
        """
        if listing.next_told:
            return self._told(point(body, listing.next_told))
        cursor = point(body, listing.next_at) if listing.next_at else None
        is_cursor = isinstance(cursor, (str, int)) and not isinstance(cursor, bool)
        if not is_cursor or not 0 < len(str(cursor)) <= _LONGEST_CURSOR:
            return None
        from urllib.parse import urlencode

        return f"{at}{'&' if '?' in at else '?'}{urlencode({listing.next_query or 'cursor': cursor})}"

    def of_job(self, name: str, job: JobRef) -> str:
        """The address of a step about a job: the told one while it is at one of the origins, else the descriptor's.

        Raises Failure 2 for an id that may not stand in a path.
        """
        step: Step = getattr(self.provider.job, name)
        told = self._told(job.told.get(name))
        if told is not None:
            return told
        try:
            return self.url(step, self.provider.paths.filled(step.path, job.model, job.id))
        except ValueError as problem:
            raise errors.bad_argument("--generation-id", str(problem)) from None

    def told_by(self, body) -> dict[str, str]:
        """The addresses that the answer to a create tells, as far as they are at one of the origins."""
        found = {}
        for name in TOLD_STEPS:
            step: Step | None = getattr(self.provider.job, name)
            if step is not None and step.told:
                address = self._told(first(body, step.told))
                if address is not None:
                    found[name] = address
        return found

    def tells_elsewhere(self, body) -> bool:
        """Whether an answer tells an address that would take the key to somebody else."""
        steps = (getattr(self.provider.job, name) for name in TOLD_STEPS)
        told = [first(body, step.told) for step in steps if step is not None and step.told]
        return any(value is not None and self._told(value) is None for value in told)
