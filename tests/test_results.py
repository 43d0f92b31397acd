"""Results on disk: whole, checked, under our own names, whatever the host that serves them does."""

import hashlib
import queue

from fake_service import PNG, FakeService, answer
from mediakit import names, results

PICTURE = answer(200, PNG, media_type="image/png")


def saved(service, folder, outputs, **options) -> list:
    """What a Saver reports, in order, the last one `saved` or `unsaved`."""
    inbox = queue.SimpleQueue()
    name = names.FileName("stem-{n}", 0.0)
    results.Saver(str(folder), name, service.base_url, inbox, **options).start(outputs)
    seen = [inbox.get(timeout=60)]
    while seen[-1].kind == "asset":
        seen.append(inbox.get(timeout=60))
    return seen


def test_what_is_finished_before_a_file_gets_its_name_is_what_is_told(tmp_path):
    calls = []

    def finishing(staging, media_type, number, output):
        calls.append((media_type, number, output["type"]))
        assert list(tmp_path.glob("stem*")) == []
        with open(staging, "ab") as file:
            file.write(b"more")

    with FakeService(media=PICTURE) as service:
        output = {"url": f"{service.origin}/media/1.png", "type": "image"}
        asset = saved(service, tmp_path, [output], finishing=finishing)[0].value
    content = PNG + b"more"
    assert calls == [("image/png", 1, "image")]
    assert (asset["bytes"], asset["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    with open(asset["path"], "rb") as file:
        assert file.read() == content
