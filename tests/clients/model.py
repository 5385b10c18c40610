"""A scripted model on loopback, for real clients: answers each request with the next step of a script.

Speaks the streaming forms of Anthropic's /v1/messages and OpenAI's /v1/responses. Steps are JSON objects {"tool": NAME, "input": {...}} or
{"text": "..."}, from the file given; the port goes to standard output. A request that offers no tools gets a text.
"""
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STEPS = json.load(open(sys.argv[1]))
DONE = 0


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, kind, body):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.reply("application/json", b"")

    def do_GET(self):
        self.reply("application/json", b"{}")

    def do_POST(self):
        global DONE
        asked = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        if self.path.endswith("/responses"):
            return self.response()
        if "/messages" not in self.path or "count_tokens" in self.path:
            return self.reply("application/json", b'{"input_tokens": 1}')
        step = {"text": "ok"}
        if asked.get("tools") and DONE < len(STEPS):
            step = STEPS[DONE]
            DONE += 1
        if "tool" in step:
            block = {"type": "tool_use", "id": f"toolu_{DONE:04}", "name": step["tool"], "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(step["input"])}
            stop = "tool_use"
        else:
            block = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": step["text"]}
            stop = "end_turn"
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": f"msg_{DONE}", "type": "message", "role": "assistant", "model": asked.get("model", "m"),
                   "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
        if not asked.get("stream"):
            whole = dict(block, **({"input": step["input"]} if "tool" in step else {"text": step["text"]}))
            return self.reply("application/json", json.dumps(dict(message, content=[whole], stop_reason=stop)).encode())
        events = [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ]
        self.reply("text/event-stream",
                   b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events))

    def response(self):
        global DONE
        step = STEPS[DONE] if DONE < len(STEPS) else {"text": "ok"}
        DONE += 1
        item = {"type": "message", "id": f"m{DONE}", "role": "assistant",
                "content": [{"type": "output_text", "text": step.get("text", "")}]}
        if "tool" in step:
            item = {"type": "function_call", "id": f"fc{DONE}", "call_id": f"call_{DONE}", "name": step["tool"],
                    "arguments": json.dumps(step["input"])}
        usage = {"input_tokens": 1, "input_tokens_details": None, "output_tokens": 1, "output_tokens_details": None,
                 "total_tokens": 2}
        events = [
            {"type": "response.created", "response": {"id": f"r{DONE}"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {"id": f"r{DONE}", "usage": usage}},
        ]
        self.reply("text/event-stream",
                   b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events))


server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
print(server.server_port, flush=True)
server.serve_forever()
