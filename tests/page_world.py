"""Where the commands of pages run: each service is a sandbox, and what a page names is there."""

from __future__ import annotations

import json
import shlex

import requests

from conftest import KEY, ROOT, Scripts
from mediakit.sandbox import Sandbox
from mediakit.services import providers


class World:
    """A user of one service: a sandbox in its place, a key, files, and a job that was bought."""

    def __init__(self, folder, service: str):
        self.scripts = Scripts(folder)
        self.server = Sandbox(None, service)
        self.provider = providers.load(service)
        self.base_url = self.server.url + self.provider.base_path
        self._write_files(folder, service)
        arguments = ("--provider", service, "--task", "t2i", "--prompt", "an earlier boat", "--output-dir", "earlier")
        bought = self.run("create_and_wait.py", *arguments, "--verbose").result
        self.words = {"ID": bought["generation_id"], "JOB": bought["job"], **self._words_of(service, bought)}

    def _write_files(self, folder, service: str) -> None:
        from PIL import Image

        Image.new("RGB", (512, 512), "navy").save(folder / "boat.png")
        (folder / "body.json").write_text('{"prompt": "a tin boat"}')
        (folder / "lines.jsonl").write_text('{"prompt": "a tin boat"}\n{"prompt": "a red boat"}\n')
        (folder / "key.txt").write_text(KEY + "\n")
        contract = (ROOT / f"assets/contracts/{service}.json").read_text(encoding="utf-8")
        (folder / "openapi.json").write_text(contract, encoding="utf-8")
        pages = ["api-reference/POST /generation/kling-ai/kling-v2.6"]
        groups = {"navigation": {"groups": [{"group": "Videos", "pages": pages}]}}
        (folder / "docs.json").write_text(json.dumps(groups))

    def _words_of(self, service: str, bought: dict) -> dict[str, str]:
        """What stands for an id of the service in the page's commands -> one that there is."""
        if service == "modellix":
            with open(self.scripts.folder / "boat.png", "rb") as picture:
                return {"FILE": self.ask("/media/files", files={"file": picture})["file_id"]}
        if service == "image-skill":
            quote = self.ask("/credit-quotes", json={"pack_id": "starter-500", "payment_method": "stripe_checkout"})
            paying = {"quote_id": quote["quote_id"], "idempotency_key": "one"}
            made = bought["response"]["data"]
            return {
                "QUOTE": quote["quote_id"],
                "PAYMENT": self.ask("/credit-purchases/stripe-checkout-sessions", json=paying)["payment_attempt_id"],
                "ASSET": made["assets"][0]["asset_id"],
                "CAPABILITY": made["capability"]["id"],
            }
        return {}

    def ask(self, path: str, **body) -> dict:
        answer = requests.post(self.base_url + path, headers={"Authorization": f"Bearer {KEY}"}, timeout=60, **body)
        return answer.json()["data"]

    def run(self, script: str, *arguments: str, stdin: str | None = None):
        """A script with this service's key, and this sandbox as the service's address."""
        asks = script not in ("inspect_openapi.py", "preflight.py") or {"--refresh", "--online"} & set(arguments)
        address = ("--base-url", self.base_url) if asks else ()
        return self.scripts.run(
            script, *arguments, *address, env={self.provider.key["variable"]: KEY}, cwd=self.scripts.folder, stdin=stdin
        )

    def run_line(self, command: str):
        """A command as the page writes it."""
        command, _, source = command.partition(" < ")
        words = [self._filled(word) for word in shlex.split(command)]
        return self.run(*words, stdin=(self.scripts.folder / source).read_text() if source else None)

    def _filled(self, word: str) -> str:
        name, equals, value = word.rpartition("=")
        return name + equals + self.words.get(value, value)
