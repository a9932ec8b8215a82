"""A webhook receiver for Python without packages: WEBHOOK_SECRET=... PORT=9000 python3 receiver.py"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300


def key_of(secret):
    if secret.startswith("whsec_"):
        return base64.b64decode(secret[len("whsec_"):])
    return secret.encode()


if not os.environ.get("WEBHOOK_SECRET"):
    print("WEBHOOK_SECRET is not set: it is the secret that POST /webhook responded with.", file=sys.stderr)
    sys.exit(2)

# While a secret is being changed: the new one and the old one, separated by a comma.
KEYS = [key_of(secret) for secret in os.environ["WEBHOOK_SECRET"].split(",")]


def verified(headers, body):
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent_at.isdigit() or abs(time.time() - int(sent_at)) > TOLERANCE_SECONDS:
        return False
    for key in KEYS:
        digest = hmac.new(key, f"{message_id}.{sent_at}.".encode() + body, hashlib.sha256).digest()
        want = "v1," + base64.b64encode(digest).decode()
        if any(hmac.compare_digest(want, got) for got in headers.get("webhook-signature", "").split(" ")):
            return True
    return False


# Remember what was handled. A receiver with a database does it in the transaction that stores the records, and so
# survives its own crash as well.
handled, sequences = set(), {}


def is_new(message_id, meta):
    run = meta.get("sync_job_run_id")
    return message_id not in handled and not (run and sequences.get(run, 0) >= meta["sequence"])


def handle(event, payload):
    print(event, len(payload.get("records", [])), flush=True)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        # The bytes as they came: a parsed and printed body has another signature.
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not verified(self.headers, body):
            return self.respond(401)
        message_id = self.headers["webhook-id"]
        try:
            delivery = json.loads(body)
            meta = delivery["payload"].get("meta", {})
            if is_new(message_id, meta):
                handle(delivery["event"], delivery["payload"])
                handled.add(message_id)
                if meta.get("sync_job_run_id"):
                    sequences[meta["sync_job_run_id"]] = meta["sequence"]
        except Exception as error:  # it comes again
            print("error:", error, flush=True)
            return self.respond(500)
        return self.respond(200)

    def respond(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Receiver)
    print("listening on", server.server_port, flush=True)
    server.serve_forever()
