"""Whether a job of ours is in its service's list of jobs: the look that answers an outcome nobody knows."""

from __future__ import annotations

from ..base.record import record
from ..http.answers import Answer
from ..http.documents import read_json
from ..http.exchange import Exchange
from ..ledger import entries
from ..services.job_list import SAME_JOB_WITHIN
from ..services.site import Site
from .lifecycle.reconciling import RECONCILE_TIMEOUT
from .start import Start

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from ..http.wire import Wire
    from ..services.program import ProgramWire

# Seconds by which a service's clock and ours may differ.
_CLOCKS_APART = 60.0
# Most pages of the list to read: the job that we look for is among the newest.
_MOST_PAGES = 10


@record
class Seen:
    """ids       of the jobs that could be ours and are no other's; None where the list could not be read
    is_whole  whether all of it was read that there is time for
    """

    ids: list[str] | None
    is_whole: bool = True


class Looking:
    """One look after another, each through the list page by page.

    begin     ask for the first page
    take      what a page comes to
    exchange  the request that is out; None without one
    """

    def __init__(self, lister: Wire | ProgramWire, site: Site, writer: entries.Writer, start: Start, asked_at: float):
        self.exchange: Exchange | None = None
        self._lister = lister
        self._site = site
        self._writer = writer
        self._start = start
        self._asked_at = asked_at
        self._pages: list[str] = []
        self._until = 0.0
        self._found: list[str] = []

    def begin(self, now: float) -> None:
        self._pages, self._found = [], []
        self._until = now + RECONCILE_TIMEOUT / 2
        self._ask(self._site.of_list(self._start.model))

    def take(self, now: float, listed) -> Seen | None:
        """None while another page is awaited."""
        provider, writer = self._site.provider, self._writer
        is_read = isinstance(listed, Answer) and 200 <= listed.status < 300
        body = read_json(listed.content)[0] if is_read else None
        since = (writer.entry.created_at if writer.entry else self._asked_at) - _CLOCKS_APART
        found = provider.job_list.matches(body, self._start.sought or {}, since, self._start.model)
        if found is None:
            return Seen(self._found or None, False)
        self._found += [one for one in found if one not in self._found]
        rules = provider.job.listing
        following = self._site.following(rules, body, self._pages[0]) if rules else None
        has_time = len(self._pages) < _MOST_PAGES and now < self._until
        is_next = following not in self._pages and has_time and not provider.job_list.is_past(body, since)
        if following is not None and is_next:
            self._ask(following)
            return None
        if not self._found:
            return Seen(self._found)
        return Seen(writer.attach(self._found, None if provider.job_list.tells_input else SAME_JOB_WITHIN))

    def close(self) -> None:
        self._lister.close()

    def _ask(self, place: str) -> None:
        self._pages.append(place)
        self.exchange = self._lister.read(self._site.provider.job_list.method, place, RECONCILE_TIMEOUT)
