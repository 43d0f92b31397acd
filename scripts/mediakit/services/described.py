"""What the descriptor of a service says, read once; its parts when they are first asked for."""

from __future__ import annotations

from functools import cached_property

from ..base.pointer import tokens

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import Any

    from . import descriptor as rules


class Described:
    """One service.

    name       the word for --provider
    title      what people call it
    embedded   whether it runs inside this process and needs neither key nor network
    speaks     the service whose contract it has
    origins    name -> origin, the first one the default; empty for an embedded service
    base_path  the prefix of the paths at the default origin
    headers    what every request to it carries besides
    key        how it is authorised; None for a service without a key
    cli        how its own command-line program is run; None for a service without one
    longest_work  seconds that a create may take which is answered with the result itself; 0 where none is said
    renews_outputs  whether a read gives fresh links to results whose links have expired
    """

    def __init__(self, data: dict, speaks: str | None = None):
        self._data = data
        self.name: str = data["id"]
        self.title: str = data["name"]
        self.embedded: bool = data.get("embedded", False)
        self.speaks: str = speaks or self.name
        self.origins: dict[str, str] = data.get("origins", {})
        self.base_path: str = data.get("base_path", "")
        self.headers: dict[str, str] = data.get("headers", {})
        self.optional_headers: dict[str, str] = data.get("optional_headers", {})
        key = data.get("key")
        self.key: dict | None = {"prefix": "", **key} if isinstance(key, dict) else None
        self.cli: dict | None = data.get("cli")
        self.links: dict = data.get("links", {})
        self.defaults: dict[str, str] = data.get("defaults", {})
        self.key_check: dict | None = data.get("key_check")
        self.actions: dict = data.get("actions", {})
        self.idempotency: dict | None = data.get("idempotency")
        self.plan: dict | None = data.get("plan")
        self.guard: dict | None = data.get("guard")
        self.units: dict = data.get("money", {}).get("units", {})
        self.unit: str | None = data.get("money", {}).get("unit")
        self.names: dict = data.get("names", {})
        self.longest_work: float = data.get("synchronous", {}).get("seconds", 0.0)
        self.ending_events = frozenset(data.get("stream", {}).get("ending_events", ()))
        self.limits: dict = data.get("limits", {})
        self.result_lifetime: float | None = data.get("result_lifetime")
        self.final_statuses = frozenset(data.get("final_statuses", ()))
        self.result_at: str | None = data.get("result")
        self.renews_outputs: bool = data.get("outputs_renewed_by_read", True)

    def says(self, name: str, default: Any = None) -> Any:
        """What the descriptor itself says under a key, as JSON; all of it under the empty name."""
        return self._data.get(name, default) if name else self._data

    @cached_property
    def _rules(self):
        from . import descriptor

        return descriptor

    @cached_property
    def examples(self) -> dict:
        """Documented answers, see examples.normal."""
        from . import examples

        return examples.normal(self._data)

    @cached_property
    def routes(self) -> tuple[rules.Route, ...]:
        return self._rules.routes(self._data)

    @cached_property
    def job(self) -> rules.JobRules:
        return self._rules.job(self._data)

    @cached_property
    def ways(self) -> tuple[rules.Way, ...]:
        """How files reach the service, in order; empty where that is not known."""
        return self._rules.ways(self._data)

    @cached_property
    def state_rules(self) -> tuple[rules.StateRule, ...]:
        return self._rules.state_rules(self._data)

    @cached_property
    def output_rules(self) -> tuple[rules.OutputRule, ...]:
        return self._rules.output_rules(self._data)

    @cached_property
    def cost_rules(self) -> tuple[rules.CostRule, ...]:
        return self._rules.cost_rules(self._data.get("cost", []))

    @cached_property
    def error_rules(self) -> rules.ErrorRules:
        return self._rules.error_rules(self._data.get("errors", self._data.get("failure", {})))

    @cached_property
    def failure_rules(self) -> rules.ErrorRules:
        return self._rules.error_rules(self._data.get("failure", self._data.get("errors", {})))

    @property
    def prompt_fields(self) -> list[str]:
        """The fields that --prompt can mean: the first that the model's contract has."""
        named = [tokens(at)[-1] for one in self.routes for at in one.prompt]
        return list(dict.fromkeys(named)) or ["prompt"]

    @property
    def model_field(self) -> str | None:
        """The field that names the model; None where the path does."""
        at = next((one.model for one in self.routes if one.model), None)
        return at and tokens(at)[-1]

    @property
    def streams(self) -> bool:
        return any(one.stream_path for one in self.routes)

    @property
    def answers_when_done(self) -> bool:
        """Whether a create is answered with the result itself."""
        return bool(self.routes) and all(one.answers != "job" for one in self.routes)

    @cached_property
    def roles(self) -> dict:
        """References that --input names by their role; empty for a service that has none."""
        return next((data["roles"] for data in self._rules.listed(self._data.get("inputs")) if "roles" in data), {})

    @cached_property
    def file_rules(self):
        """What the service says about files, as media.inputs.Rules."""
        from ..media import inputs

        first_way = next(iter(self.ways), None)
        if first_way is None:
            return inputs.Rules(is_known=False)
        takes = [data.get("addresses", True) for data in self._rules.listed(self._data["inputs"])]
        usual = inputs.Rules()
        kinds = first_way.kinds if len(self.ways) == 1 else {}
        return inputs.Rules(
            takes_addresses=all(takes),
            reference=None if all(takes) else next((way.like for way in self.ways if way.like), None),
            stand_in=first_way.stand_in or usual.stand_in,
            kinds=kinds,
        )

    @property
    def repeat_pauses(self) -> tuple[float, float]:
        """Seconds before the same is sent again under its key at the least: after an answer, and after none."""
        if self.embedded or self.idempotency is None:  # nobody waits for a network that is not there
            return 0.0, 0.0
        pauses = self.idempotency.get("pauses", {})
        return pauses.get("answer", 0.0), pauses.get("no_answer", 0.0)

    @property
    def default_origin(self) -> str | None:
        """The name of the origin that paths without another one belong to."""
        return next(iter(self.origins), None)

    @property
    def origin(self) -> str | None:
        """The default origin; None for an embedded service."""
        return next(iter(self.origins.values()), None)

    @property
    def base_url(self) -> str | None:
        """Where requests go unless the user says otherwise; None for an embedded service."""
        return self.origin and self.origin + self.base_path
