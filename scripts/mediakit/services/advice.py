"""What a person is told to do: about an error, about a job without an id, about a key. Pure."""

from __future__ import annotations

import json

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from .described import Described

_GUIDANCE = {
    "insufficient_credits": "Nothing was bought: the account has too few credits for this request.",
    "auth": "The service refused the key.",
    "validation": "The service refused the request: compare it with the model's contract and change it.",
    "not_found": "Check the model, the endpoint and the id.",
    "transient": "A rate limit or a passing fault: a read can simply be repeated. A create that was answered "
    "with 429 bought nothing; one that was answered with 5xx may have been accepted: do not send it again.",
    "unknown": "No rule fits this answer: look at its message.",
    "outcome_unknown": "Do not send it again before you know: it may have been accepted and billed.",
}


class Advice:
    """What one service's users are told to do."""

    def __init__(self, described: Described):
        self._described = described

    def on(self, category: str) -> list[str]:
        """What to do about an error of a category, in words."""
        own = self._described.says("guidance", {}).get(category, ())
        lines = [_GUIDANCE[category], *own]
        # Not every service's dashboard is where its bills are paid.
        if category == "insufficient_credits" and not own and "dashboard_url" in self._described.links:
            lines.append(f"Recharge at {self._described.links['dashboard_url']}, then run the same again.")
        if category == "auth" and self._described.key:
            where = (
                f"; a new key comes from {self._described.key['create_url']}"
                if "create_url" in self._described.key
                else ""
            )
            lines.append(f"Check {self._described.key['variable']}{where}")
        return lines

    @property
    def looking(self) -> list[str]:
        """Where a person can look for a job that has no id here."""
        own = self._described.says("guidance", {}).get("looking")
        if own:
            return own
        if "dashboard_url" not in self._described.links:
            return ["Look at the service itself for a job made at this time."]
        return [f"Look at {self._described.links['dashboard_url']} for a job made at this time."]

    @property
    def setting_key(self) -> list[str]:
        """Where to get a key and how to set it, for each kind of shell and host."""
        variable = self._described.key["variable"]
        settings = {"skills": {"entries": {"ai-media": {"env": {variable: "your_api_key_here"}}}}}
        return [
            *self._described.key.get("steps", ()),
            f"In a shell: export {variable}='your_api_key_here'",
            f"In PowerShell: $env:{variable} = 'your_api_key_here'",
            f"In OpenClaw, in ~/.openclaw/openclaw.json: {json.dumps(settings)}",
            f"To keep it: preflight.py --provider {self._described.name} --persist-key, with the key on standard input",
        ]
