"""A server on the loopback interface that answers as an agent's model: one command to run, then a last word.

with StubModel(command) as model:
    …                    # an agent with ANTHROPIC_BASE_URL=model.url
model.requests           # the bodies of what it was asked, in order
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LAST_WORD = "Done."


class StubModel:
    """command  what the agent is to run in its shell, on the first turn that offers it a shell"""

    def __init__(self, command: str):
        self.command = command
        self.requests: list[dict] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> StubModel:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    def results(self) -> list[str]:
        """What the shell has answered, as the model was told."""
        found = []
        for request in self.requests:
            found += [one["output"] for one in request.get("input", []) if one["type"] == "function_call_output"]
            for message in request.get("messages", []):
                content = message["content"] if isinstance(message["content"], list) else []
                found += [json.dumps(part["content"]) for part in content if part.get("type") == "tool_result"]
        return list(dict.fromkeys(found))

    def answer(self, request: dict) -> list[dict]:
        """The parts of the answer to a request."""
        has_shell = any(tool.get("name") == "Bash" for tool in request.get("tools", []))
        if not has_shell or any("tool_result" in json.dumps(message) for message in request["messages"]):
            return [{"type": "text", "text": LAST_WORD}]
        call = {"command": self.command, "description": "make a picture"}
        return [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": call}]

    def item(self, request: dict) -> dict:
        """The one item of an answer in OpenAI's form."""
        if any(one["type"] == "function_call_output" for one in request["input"]):
            text = {"type": "output_text", "text": LAST_WORD}
            return {"type": "message", "role": "assistant", "id": "msg_1", "content": [text]}
        words = json.dumps({"cmd": self.command})
        return {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "exec_command", "arguments": words}

    def _handler(stub):
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self._end(b"{}", "application/json")

            do_GET = do_HEAD

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
                if self.path.endswith("/responses"):
                    stub.requests.append(body)
                    return self._end(b"".join(map(_line, _responses(stub.item(body)))), "text/event-stream")
                if not self.path.partition("?")[0].endswith("/messages"):
                    return self._end(b'{"input_tokens": 1}', "application/json")
                stub.requests.append(body)
                parts = stub.answer(body)
                if body.get("stream"):
                    return self._end(b"".join(map(_line, _events(body, parts))), "text/event-stream")
                return self._end(json.dumps(_message(body, parts)).encode(), "application/json")

            def _end(self, content, media_type):
                self.send_response(200)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

        return Handler


def _message(request: dict, parts: list[dict]) -> dict:
    reason = "tool_use" if parts and parts[0]["type"] == "tool_use" else "end_turn"
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": request.get("model", "stub"), "content": parts,
        "stop_reason": reason, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip


def _events(request: dict, parts: list[dict]):
    whole = _message(request, parts)
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    for index, part in enumerate(parts):
        if part["type"] == "text":
            begin, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": part["text"]}
        else:
            begin = {**part, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(part["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": begin}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    told = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": told, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


def _responses(item: dict):
    used = {"input_tokens": 1, "input_tokens_details": None, "output_tokens": 1, "output_tokens_details": None}
    yield {"type": "response.created", "response": {"id": "resp_1"}}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": {"id": "resp_1", "usage": {**used, "total_tokens": 2}}}


def _line(event: dict) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
