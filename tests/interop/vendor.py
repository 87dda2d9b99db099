"""A service for short messages at 127.0.0.1:9090, as `azure`, `twilio` or `webhook` (the argument). What is signed is checked, and what is
sent is signed, by the vendors' own packages: azure-communication-sms and twilio. Each thing that happens is a line of JSON on standard
error; orders are lines of JSON on standard input:
  {"answer": 202}                         what messages are answered from now on; 0 is nothing at all; "rest" seconds go into Retry-After
  {"write": {...}}, {"receipt": {...}}    somebody writes; what has become of a message
  {"post": {...}}                         calls the webhook with just this
  {"crowd": N}                            N people at a time, each from a number of its own, write until told to stop; {"tally": true}
"""

import base64
import hashlib
import hmac
import json
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

KIND = sys.argv[1]
PORT = 9090
HOOK = "http://127.0.0.1:8080/webhooks/sms/demo"
OWN = "+12025550100"
ACCOUNT, TOKEN = "AC00000000000000000000000000000000", "a token of twilio"
KEY = base64.b64encode(b"the access key of a resource").decode()
SECRET = "a secret of sixteen and more"
GRID_KEY = "the key of the subscription"

lock = threading.Lock()
answer, rest = {"azure": 202, "twilio": 201, "webhook": 200}[KIND], None
taken = {}


def say(**what):
    with lock:
        print(json.dumps(what), file=sys.stderr, flush=True)


def azure_signs(method, path, host, date, body):
    """What the package itself would have sent."""
    from azure.communication.sms._shared import policy

    policy.get_current_utc_time = lambda: date
    request = SimpleNamespace(method=method, url=f"http://{host}{path}", body=body, headers={})
    policy.HMACCredentialsPolicy(f"http://{host}", KEY)._sign_request(SimpleNamespace(http_request=request, context=SimpleNamespace(transport=None)))
    return request.headers


def webhook_signs(body, at=None):
    at = str(int(time.time()) if at is None else at)
    return f"t={at},v1=" + hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = getattr(self, KIND)(body)
        message["again"] = message["reference"] in taken
        with lock:
            # Twice under one reference must be twice the same, or it is another request to a service that knows repeats.
            changed.extend([message["reference"]] * (bodies.setdefault(message["reference"], body) != body))
        say(event="submitted", **message)
        if answer == 0:
            self.close_connection = True
            return
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, message["reference"]))
        if 200 <= answer < 300:
            with lock:
                taken.setdefault(message["reference"], []).append(message["to"])
        reply = {
            "azure": {"value": [{"to": message["to"], "messageId": name, "httpStatusCode": answer, "successful": True}]},
            "twilio": {"sid": name, "status": "queued"} if answer < 300 else {"code": 21610, "message": "no"},
            "webhook": {"id": name},
        }[KIND]
        reply = json.dumps(reply).encode()
        self.send_response(answer)
        if rest is not None:
            self.send_header("Retry-After", str(rest))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)
        say(event="answered", name=name, to=message["to"], status=answer)

    def azure(self, body):
        date, host = self.headers["x-ms-date"], self.headers["Host"]
        own = azure_signs("POST", self.path, host, date, body.decode())
        signed = all(self.headers[name] == own[name] for name in ("x-ms-content-sha256", "Authorization"))
        sent = json.loads(body)
        to = sent["smsRecipients"][0]
        shape = {"message": sorted(sent), "recipient": sorted(to), "options": sorted(sent["smsSendOptions"]), "path": self.path}
        return {"signed": signed, "from": sent["from"], "to": to["to"], "text": sent["message"],
                "reference": to["repeatabilityRequestId"], "shape": shape}

    def twilio(self, body):
        sent = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        login = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        signed = self.headers["Authorization"] == login and self.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        return {"signed": signed, "from": sent["From"], "to": sent["To"], "text": sent["Body"], "reference": str(uuid.uuid4()),
                "callback": sent.get("StatusCallback")}

    def webhook(self, body):
        sent = json.loads(body)
        at = self.headers["Roomgate-Signature"].split(",")[0].removeprefix("t=")
        signed = self.headers["Roomgate-Signature"] == webhook_signs(body, at) and self.headers["Idempotency-Key"] == sent["id"]
        return {"signed": signed, "from": sent["from"], "to": sent["to"], "text": sent["text"], "reference": sent["id"]}


def post(url, body, headers, method="POST"):
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)
    except OSError as error:
        return 0, str(error), {}


def twilio_calls(fields, form):
    from twilio.request_validator import RequestValidator, compare

    validator = RequestValidator(TOKEN)
    if form:
        body, url, kind = urllib.parse.urlencode(fields).encode(), HOOK, "application/x-www-form-urlencoded"
        signature = validator.compute_signature(url, fields)
        assert validator.validate(url, fields, signature)
    else:
        body, kind = json.dumps(fields).encode(), "application/json"
        url = f"{HOOK}?bodySHA256={hashlib.sha256(body).hexdigest()}"
        signature = validator.compute_signature(url, {})
        assert validator.validate(url, body.decode(), signature) and compare(signature, signature)
    return url, body, {"Content-Type": kind, "X-Twilio-Signature": signature}


def azure_calls(kind, data, cloud):
    kind = "Microsoft.Communication." + kind
    common = {"id": str(uuid.uuid4()), "data": data, "subject": "/phonenumber/12025550100"}
    event = {**common, "type": kind, "source": "/subscriptions/x", "specversion": "1.0", "time": "2026-11-26T00:00:00Z"}
    if not cloud:
        event = [{**common, "eventType": kind, "topic": "/subscriptions/x", "dataVersion": "1.0", "eventTime": "2026-11-26T00:00:00Z"}]
    return HOOK + "?" + urllib.parse.urlencode({"key": GRID_KEY}), json.dumps(event).encode(), {"Content-Type": "application/json"}


def write(id, sender, text, other=False):
    """Somebody writes; `other`: by JSON (twilio) or as a cloud event (azure)."""
    if KIND == "twilio":
        return twilio_calls({"MessageSid": id, "From": sender, "To": OWN, "Body": text, "NumMedia": "0", "SmsStatus": "received"}, not other)
    if KIND == "azure":
        data = {"messageId": id, "from": sender, "to": OWN, "message": text, "receivedTimestamp": "2026-11-26T00:00:00Z"}
        return azure_calls("SMSReceived", data, other)
    body = json.dumps({"type": "message", "id": id, "from": sender, "text": text}).encode()
    return HOOK, body, {"Roomgate-Signature": webhook_signs(body)}


def receipt(id, other=False):
    if KIND == "twilio":
        return twilio_calls({"MessageSid": id, "MessageStatus": "delivered", "To": "+49", "From": OWN}, not other)
    if KIND == "azure":
        data = {"messageId": id, "from": OWN, "to": "+49", "deliveryStatus": "Delivered"}
        return azure_calls("SMSDeliveryReportReceived", data, other)
    body = json.dumps({"type": "receipt", "id": id, "state": "delivered"}).encode()
    return HOOK, body, {"Roomgate-Signature": webhook_signs(body)}


crowd, people, believed, bodies, changed = 0, 0, {}, {}, []


def one_of_the_crowd():
    """Writes, and again until it is believed."""
    global people
    while crowd:
        with lock:
            people += 1
            sender = f"+4917{people:08}"
        tries = 0
        while True:
            tries += 1
            if post(*write(f"in-{sender}", sender, f"I am {sender}"))[0] == 200:
                break
            time.sleep(0.02)
        with lock:
            believed[sender] = tries
        # An outbox is bounded: nobody writes while many wait for their answer.
        while len(believed) > len(taken) + 200 and crowd:
            time.sleep(0.02)


def order(what):
    global answer, rest, crowd
    if "answer" in what:
        answer, rest = what["answer"], what.get("rest")
    for name, make in (("write", write), ("receipt", receipt)):
        if name in what:
            url, body, headers = make(**what[name])
            status, text, _ = post(url, body, headers)
            say(event="called", what=name, status=status, body=text)
            if what.get("forged"):
                status, _, _ = post(url, body.replace(b"e", b"3"), {**headers, "X-Twilio-Signature": "bm8="})
                say(event="forged", status=status)
    if "post" in what:
        call = what["post"]
        status, text, headers = post(call["url"], call["body"].encode(), call["headers"], call.get("method", "POST"))
        say(event="called", what="post", status=status, body=text, headers={name.lower(): value for name, value in headers.items()})
    if "sdk" in what:
        from azure.communication.sms import SmsClient

        from azure.core.pipeline.transport import RequestsTransport

        class Plain(RequestsTransport):
            """The package knows nothing but https."""

            def send(self, request, **settings):
                request.url = request.url.replace("https://", "http://", 1)
                return super().send(request, **settings)

        client = SmsClient.from_connection_string(f"endpoint=https://127.0.0.1:{PORT}/;accesskey={KEY}", transport=Plain())
        sent = client.send(from_=OWN, to=["+491715550199"], message="by the package", enable_delivery_report=True)
        say(event="sdk", successful=sent[0].successful)
    if "crowd" in what:
        crowd = what["crowd"]
        for _ in range(crowd):
            threading.Thread(target=one_of_the_crowd, daemon=True).start()
    if "tally" in what:
        with lock:
            tally = {"people": people, "believed": dict(believed), "taken": {key: value for key, value in taken.items()},
                     "changed": len(changed)}
        say(event="tally", **tally)


server = ThreadingHTTPServer(("127.0.0.1", PORT), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()
say(event="listening")
for line in sys.stdin:
    order(json.loads(line))
