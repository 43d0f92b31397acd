"""The official clients of five services, each led to a sandbox: what a user of theirs would write."""

from __future__ import annotations

import importlib.util
import json
import time

KEY = "your_api_key_here"
PROMPT = "a tin boat"
# service -> (package, the class that speaks to it)
CLIENTS: dict[str, tuple[str, type]] = {}


def client_of(service: str, package: str):
    """Declare the client of a service; `package` is what has to be installed for it."""

    def keep(found: type) -> type:
        CLIENTS[service] = package, found
        return found

    return keep


def is_installed(service: str) -> bool:
    package = CLIENTS[service][0]
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


class Client:
    """One official client.

    create    make the service's default picture (or video) and wait for it; the results, as the client gives them
    cancel    end a job before its time; the client's word for it
    upload    send a file; what names it afterwards
    listed    what the client lists: jobs, else models
    download  the bytes of a result
    """

    def __init__(self, url: str, base_path: str):
        self.url, self.base_path = url, base_path

    def cancel(self):
        return None

    def upload(self, path: str):
        return None

    def listed(self):
        return None

    def download(self, result) -> bytes:
        import urllib.request

        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(result) as answer:
            return answer.read()


@client_of("fal", "fal_client")
class Fal(Client):
    model = "fal-ai/flux/schnell"

    def __init__(self, url: str, base_path: str):
        super().__init__(url, base_path)
        import fal_client.client as module

        # Its addresses are built with https; only these names of the module lead elsewhere.
        for name in ("QUEUE_URL_FORMAT", "RUN_URL_FORMAT"):
            setattr(module, name, url + "/")
        module.REST_URL = module.CDN_URL = url
        self.sdk = module.SyncClient(key=KEY)

    def create(self, prompt: str = PROMPT):
        handle = self.sdk.submit(self.model, arguments={"prompt": prompt})
        for _ in handle.iter_events(with_logs=True, interval=0.1):
            pass
        return handle.get()["images"][0]["url"]

    def cancel(self):
        handle = self.sdk.submit(self.model, arguments={"prompt": PROMPT})
        handle.cancel()
        return self.sdk.status(self.model, handle.request_id).error_type

    def upload(self, path: str):
        return self.sdk.upload_file(path)


@client_of("replicate", "replicate")
class Replicate(Client):
    model = "black-forest-labs/flux-schnell"

    def __init__(self, url: str, base_path: str):
        super().__init__(url, base_path)
        import replicate

        self.sdk = replicate.Client(api_token=KEY, base_url=url)

    def create(self, prompt: str = PROMPT):
        made = self.sdk.models.predictions.create(model=tuple(self.model.split("/")), input={"prompt": prompt})
        made.wait()
        assert made.status == "succeeded", made
        return made.output[0]

    def cancel(self):
        made = self.sdk.models.predictions.create(model=tuple(self.model.split("/")), input={"prompt": PROMPT})
        self.sdk.predictions.cancel(made.id)
        made.reload()
        return made.status

    def upload(self, path: str):
        with open(path, "rb") as file:
            return self.sdk.files.create(file).urls["get"]

    def listed(self):
        return [one.id for one in self.sdk.predictions.list()]


@client_of("openai", "openai")
class OpenAI(Client):
    def __init__(self, url: str, base_path: str):
        super().__init__(url, base_path)
        import openai

        self.sdk = openai.OpenAI(api_key=KEY, base_url=url + base_path, max_retries=0)

    def create(self, prompt: str = PROMPT):
        return self.sdk.images.generate(model="gpt-image-2", prompt=prompt, quality="low").data[0].b64_json

    def upload(self, path: str):
        """An edit brings its picture with it."""
        with open(path, "rb") as file:
            made = self.sdk.images.edit(model="gpt-image-2", prompt=PROMPT, image=[file])
        return made.data[0].b64_json

    def listed(self):
        return [one.id for one in self.sdk.models.list()]

    def speak(self) -> bytes:
        return self.sdk.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input=PROMPT).read()

    def hear(self, path: str) -> str:
        with open(path, "rb") as file:
            return self.sdk.audio.transcriptions.create(model="gpt-transcribe", file=file).text

    def download(self, result) -> bytes:
        import base64

        return base64.b64decode(result)


@client_of("gemini", "google.genai")
class Gemini(Client):
    model = "gemini-omni-1.2-flash"
    task = "t2v"

    def __init__(self, url: str, base_path: str):
        super().__init__(url, base_path)
        from google import genai

        options = {"base_url": url, "api_version": base_path.strip("/")}
        self.sdk = genai.Client(api_key=KEY, http_options=options)

    def _begin(self, prompt: str):
        return self.sdk.interactions.create(
            model=self.model, background=True, store=True,
            input=[{"type": "text", "text": prompt}],
            response_format={"type": "video", "duration": "5s", "resolution": "720p"},
        )  # fmt: skip

    def create(self, prompt: str = PROMPT):
        made = self._begin(prompt)
        while made.status in ("queued", "in_progress"):
            time.sleep(0.1)
            made = self.sdk.interactions.get(id=made.id)
        assert made.status == "completed", made
        return made.output_video.data

    def picture(self) -> bytes:
        made = self.sdk.models.generate_content(model="gemini-3.1-flash-image", contents=PROMPT)
        return next(part.inline_data.data for part in made.candidates[0].content.parts if part.inline_data)

    def cancel(self):
        made = self._begin(PROMPT)
        self.sdk.interactions.cancel(id=made.id)
        return self.sdk.interactions.get(id=made.id).status

    def upload(self, path: str):
        return self.sdk.files.upload(file=path).uri

    def listed(self):
        return [one.name for one in self.sdk.models.list()]

    def download(self, result) -> bytes:
        import base64

        return result if isinstance(result, bytes) else base64.b64decode(result)


@client_of("runway", "runwayml")
class Runway(Client):
    def __init__(self, url: str, base_path: str):
        super().__init__(url, base_path)
        import runwayml

        self.sdk = runwayml.RunwayML(api_key=KEY, base_url=url, max_retries=0)

    def _begin(self, prompt: str):
        return self.sdk.text_to_image.create(model="gen4_image", prompt_text=prompt, ratio="1280:720")

    def create(self, prompt: str = PROMPT):
        made = self._begin(prompt)
        while True:
            task = self.sdk.tasks.retrieve(made.id)
            if task.status not in ("PENDING", "THROTTLED", "RUNNING"):
                assert task.status == "SUCCEEDED", task
                return task.output[0]
            time.sleep(0.1)

    def cancel(self):
        made = self._begin(PROMPT)
        self.sdk.tasks.delete(made.id)
        return self.sdk.tasks.retrieve(made.id).status

    def upload(self, path: str):
        with open(path, "rb") as file:
            made = self.sdk.uploads.create_ephemeral(file=file)
        return json.loads(made.to_json())["uri"]

    def listed(self):
        return list(self.sdk.organization.retrieve().tier.models)
