"""The account of a service: its keys, what it holds, and what can be done with it."""

from __future__ import annotations

import json

from ...base.pointer import put
from .. import faults
from . import history, kept, queries, spoiling
from .answering import Answering
from .asked import Path

# What is asked beside jobs, by the descriptor's key and the example of the same name.
QUESTIONS = ("balance", "key_check", "models", "price", "estimate", "contract")


class Accounts(Answering):
    """The accounts of one service; every key is another one's, and they all hold the same.

    reader  what its creates ask for, as asked.Reader
    """

    reader = None

    def _key_of(self, http) -> str:
        key = self.provider.key
        return http.headers.get(key["header"], "").removeprefix(key["prefix"]) if key else ""

    def refuses_key(self, sandbox, http) -> bool:
        """No key is needed; one that starts with `bad` plays the part of a wrong one."""
        return sandbox.fault == "key-refused" or self._key_of(http).startswith("bad")

    def _is_public(self, known: Path) -> bool:
        """Whether a path needs no key, or tells in its answer whether that is good."""
        if known.action:
            return known.action.key == "unneeded"
        rules = self.provider.says(known.name) if known.name in QUESTIONS else None
        return isinstance(rules, dict) and (rules.get("key") == "unneeded" or "valid" in rules)

    def change_of_question(self, sandbox, http, name: str):
        """What the account has, and whether the key is good, in place of what the example says."""
        rules = self.provider.says(name) or {}
        if name == "key_check" and "valid" in rules:
            is_good = bool(self._key_of(http)) and not self.refuses_key(sandbox, http)
            return lambda body: put(body, rules["valid"], is_good)
        if name != "balance" or sandbox.balance is None:
            return None

        def change(body):
            for at, amount in zip(rules.get("amounts", ()), (sandbox.balance, 0, 0, 0)):
                put(body, at, amount)

        return change

    def _act(self, sandbox, http, content: bytes, known: Path, found: dict) -> None:
        """Answer an action of the account; one that is charged for is a job."""
        action = known.action
        given = action.given(found, queries.query(http), http.json_of(content) or {})
        flaw = action.flaw_of(given)
        if flaw:
            return self.error(http, "invalid", flaw)
        told = kept.fitting(self.provider.examples["actions"][known.name], given)
        if told is None:
            return self.error(http, "invalid")
        if action.effect != "spends":
            words = {**self.told.words(http), "input": given}
            if "happened" in self.provider.examples and "{history}" in json.dumps(told):
                words["history"] = history.of(self, http, given)
                if found and not words["history"]:  # what a path names must be there
                    return self.error(http, 404)
            try:
                words.update(kept.words(sandbox.store, told, given, words))
            except kept.Missing:
                return self.error(http, 404)
            except kept.Conflict as conflict:
                return self.error(http, conflict.args[0])
            return self.tell(http, known.name, words, told=told)
        fault = spoiling.create_fault(sandbox, self.reader.cost()) or faults.asked_for(
            content.decode("utf-8", "replace")
        )
        if spoiling.refuse(sandbox, http, fault, given, self.error):
            return None
        facts, kind = {"given": given, "task": None}, action.output_type or "image"
        job = sandbox.store.add(known.name, kind, given, fault, None, self.new_id(), facts)
        spoiling.lose(http, fault)
        words = self.told.words_of(http, job)
        return self.tell(http, known.name, words, fault, told=told)
