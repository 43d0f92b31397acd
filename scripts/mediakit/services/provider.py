"""One service: what its descriptor says, and who answers the questions about it.

What a question needs is loaded when it is first asked.
"""

from __future__ import annotations

from functools import cached_property

from .described import Described

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from .advice import Advice
    from .bills import Bills
    from .job_answers import JobAnswers
    from .job_list import JobList
    from .paths import Paths
    from .refusals import Refusals


class Provider(Described):
    """One service, as everybody shares it; nobody changes it.

    paths     where its requests go, below its base URL
    answers   what its answers say about jobs
    refusals  whether an answer says no, and why
    bills     what its answers say about money
    job_list  its own list of its jobs
    advice    what its users are told to do
    """

    @cached_property
    def paths(self) -> Paths:
        from .paths import Paths

        return Paths(self)

    @cached_property
    def answers(self) -> JobAnswers:
        from .job_answers import JobAnswers

        return JobAnswers(self, self.refusals)

    @cached_property
    def refusals(self) -> Refusals:
        from .refusals import Refusals

        return Refusals(self)

    @cached_property
    def bills(self) -> Bills:
        from .bills import Bills

        return Bills(self)

    @cached_property
    def job_list(self) -> JobList:
        from .job_list import JobList

        return JobList(self, self.answers)

    @cached_property
    def advice(self) -> Advice:
        from .advice import Advice

        return Advice(self)
