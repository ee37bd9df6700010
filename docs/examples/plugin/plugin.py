"""A plug-in for Deskplane in Python: a small voice vendor that lives in this process.

    plugin.py ADDRESS STUBS

ADDRESS is `127.0.0.1:7001` or `unix:/run/plugin.sock`; STUBS is the folder with the modules that
grpc_tools.protoc makes from proto/deskplane/provider/v1. PLUGIN_TOKEN is what callers must show,
PLUGIN_WEBHOOK_KEY signs webhooks. Everybody answers at once, but for sip:busy@example.com and
sip:nobody@example.com.
"""

import hashlib
import hmac
import json
import os
import queue
import sys
import threading
import time
import uuid
from concurrent import futures

sys.path.insert(0, sys.argv[2])

import grpc
from deskplane.provider.v1 import (
    call_pb2,
    capability_pb2,
    channel_provider_plugin_pb2 as pb,
    channel_provider_plugin_pb2_grpc as plugin_grpc,
    check_pb2,
    webhook_pb2,
)
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

BUSY, NOBODY = "sip:busy@example.com", "sip:nobody@example.com"
LONGEST_TTL = 86_400
SILENCE = 20  # seconds after which a sign of life is sent

TOKEN = os.environ.get("PLUGIN_TOKEN", "")
WEBHOOK_KEY = os.environ.get("PLUGIN_WEBHOOK_KEY", "").encode()


def refuse(context, code, message, reason=""):
    """Ends a request; with a reason Deskplane knows that nothing was carried out."""
    details = []
    if reason:
        info = error_details_pb2.ErrorInfo(reason=reason, domain="deskplane.provider")
        detail = any_pb2.Any()
        detail.Pack(info)
        details.append(detail)
    status = status_pb2.Status(code=code.value[0], message=message, details=details)
    context.abort_with_status(rpc_status.to_status(status))


class Vendor:
    """Calls in memory, by the caller's id. Parties answer at once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = {}
        self.listeners = set()

    def dial(self, request):
        """Starts a call, unless the caller's id is known: then it is the call that was started."""
        with self.lock:
            call = self.calls.get(request.call_id)
            if call is None:
                call = {
                    "id": f"example-{len(self.calls) + 1:06}",
                    "call_id": request.call_id,
                    "user": request.user,
                    "to": request.to,
                    "told": 0,
                }
                self.calls[request.call_id] = call
                self.move(call, call_pb2.CALL_STATE_DIALING)
                if request.to == BUSY:
                    self.move(call, call_pb2.CALL_STATE_ENDED, call_pb2.CAUSE_BUSY)
                else:
                    self.move(call, call_pb2.CALL_STATE_BRIDGED)
            return dict(call)

    def find(self, ref):
        """The call of that caller's id, or of that vendor's id."""
        with self.lock:
            known = self.calls.get(ref.call_id)
            by_id = (call for call in self.calls.values() if call["id"] == ref.provider_call_id)
            call = known or next(by_id, None)
            return call and dict(call)

    def change(self, call_id, state, cause=call_pb2.CAUSE_UNSPECIFIED):
        """Moves a call that is not over; true when it moved."""
        with self.lock:
            call = self.calls[call_id]
            if call["state"] in (call_pb2.CALL_STATE_ENDED, state):
                return False
            self.move(call, state, cause)
            return True

    def move(self, call, state, cause=call_pb2.CAUSE_UNSPECIFIED):
        call.update(state=state, cause=cause, told=call["told"] + 1)
        event = call_pb2.CallEvent(
            provider_call_id=call["id"],
            call_id=call["call_id"],
            key=str(call["told"]),
            state=state,
            cause=cause,
            direction=call_pb2.DIRECTION_OUTBOUND,
            to=call["to"],
            user=call["user"],
        )
        for listener in self.listeners:
            listener.put(event)


class Plugin(plugin_grpc.ChannelProviderPluginServicer):
    """The protocol in terms of the vendor."""

    def __init__(self):
        self.vendor = Vendor()

    def live(self, request, context):
        """The call of a request; ends it unless both parties are in the call."""
        call = self.vendor.find(request.call)
        if call is None:
            refuse(context, grpc.StatusCode.NOT_FOUND, "no such call")
        if call["state"] == call_pb2.CALL_STATE_ENDED:
            code = grpc.StatusCode.FAILED_PRECONDITION
            refuse(context, code, "the call is over", "CALL_OVER")
        return call

    def Info(self, request, context):
        return pb.InfoResponse(
            protocol_version=1, title="Example in Python", vendor="Nobody", version="1.0"
        )

    def Capabilities(self, request, context):
        names = ["CLIENT_TOKEN", "DIAL", "END", "HOLD", "TRANSFER_BLIND", "PRESENCE_SYNC"]
        numbers = [capability_pb2.Capability.Value(f"CAPABILITY_{name}") for name in names]
        return pb.CapabilitiesResponse(capabilities=numbers)

    def Check(self, request, context):
        check = check_pb2.Check(
            name="account",
            outcome=check_pb2.CHECK_OUTCOME_OK,
            detail="the vendor lives in this process",
        )
        return pb.CheckResponse(checks=[check])

    def MintToken(self, request, context):
        ttl = request.ttl.seconds if request.HasField("ttl") else 3600
        if not request.user or not 1 <= ttl <= LONGEST_TTL:
            message = "a user and a ttl of 1 to 86400 s are needed"
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, message)
        answer = pb.MintTokenResponse(token=str(uuid.uuid4()), parameters={"identity": request.user})
        answer.expire_time.FromNanoseconds(time.time_ns() + ttl * 1_000_000_000)
        return answer

    def StartCall(self, request, context):
        if request.to == NOBODY:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "nobody is there", "ADDRESS")
        call = self.vendor.dial(request)
        return pb.StartCallResponse(provider_call_id=call["id"], state=call["state"])

    def EndCall(self, request, context):
        call = self.vendor.find(request.call)
        end = (call_pb2.CALL_STATE_ENDED, call_pb2.CAUSE_NORMAL)
        return pb.EndCallResponse(ended=bool(call) and self.vendor.change(call["call_id"], *end))

    def Hold(self, request, context):
        call = self.live(request, context)
        self.vendor.change(call["call_id"], call_pb2.CALL_STATE_HELD)
        return pb.HoldResponse()

    def Resume(self, request, context):
        call = self.live(request, context)
        self.vendor.change(call["call_id"], call_pb2.CALL_STATE_BRIDGED)
        return pb.ResumeResponse()

    def Transfer(self, request, context):
        if not request.blind:
            refuse(context, grpc.StatusCode.UNIMPLEMENTED, "attended transfers are not offered")
        call = self.live(request, context)
        if request.to == NOBODY:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "nobody is there", "ADDRESS")
        self.vendor.change(call["call_id"], call_pb2.CALL_STATE_TRANSFERRING)
        return pb.TransferResponse()

    def SetPresence(self, request, context):
        return pb.SetPresenceResponse()

    def GetCall(self, request, context):
        call = self.vendor.find(request.call)
        if call is None:
            refuse(context, grpc.StatusCode.NOT_FOUND, "no such call")
        return pb.GetCallResponse(
            provider_call_id=call["id"], state=call["state"], cause=call["cause"]
        )

    def VerifyAndParseWebhook(self, request, context):
        answer = webhook_pb2.VerifyAndParseWebhookResponse
        headers = {header.name: header.value for header in request.headers}
        signature = headers.get("x-example-signature")
        if signature is None:
            return answer(verdict=webhook_pb2.VERDICT_UNSIGNED)
        right = hmac.new(WEBHOOK_KEY, request.body, hashlib.sha256).hexdigest().encode()
        if not WEBHOOK_KEY or not hmac.compare_digest(signature, right):
            return answer(verdict=webhook_pb2.VERDICT_BAD_SIGNATURE)
        try:
            told = json.loads(request.body)
            event = call_pb2.CallEvent(
                provider_call_id=told["call"],
                key=told["key"],
                state=call_pb2.CALL_STATE_ENDED,
                cause=call_pb2.CAUSE_OTHER,
                other_cause=told["why"],
                direction=call_pb2.DIRECTION_OUTBOUND,
            )
        except (KeyError, TypeError, ValueError):
            return answer(verdict=webhook_pb2.VERDICT_MALFORMED)
        return answer(verdict=webhook_pb2.VERDICT_ACCEPTED, events=[event])

    def StreamEvents(self, request, context):
        events = queue.Queue()
        with self.vendor.lock:
            self.vendor.listeners.add(events)
        # Whoever goes away wakes the thread that waits for it.
        context.add_callback(lambda: events.put(None))
        try:
            yield pb.StreamEventsResponse()
            while context.is_active():
                try:
                    event = events.get(timeout=SILENCE)
                except queue.Empty:
                    yield pb.StreamEventsResponse()
                    continue
                if event is not None:
                    yield pb.StreamEventsResponse(event=event)
        finally:
            with self.vendor.lock:
                self.vendor.listeners.discard(events)


class Admission(grpc.ServerInterceptor):
    """Turns away callers who do not show the token."""

    def __init__(self):
        def turn_away(request, context):
            refuse(context, grpc.StatusCode.UNAUTHENTICATED, "the token is missing or wrong")

        self.turned_away = grpc.unary_unary_rpc_method_handler(turn_away)

    def intercept_service(self, continuation, details):
        shown = dict(details.invocation_metadata).get("authorization", "")
        if TOKEN and not hmac.compare_digest(shown.encode(), f"Bearer {TOKEN}".encode()):
            return self.turned_away
        return continuation(details)


def main():
    address = sys.argv[1]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=40), interceptors=[Admission()])
    plugin_grpc.add_ChannelProviderPluginServicer_to_server(Plugin(), server)
    port = server.add_insecure_port(address)
    server.start()
    if address.startswith("unix:"):
        endpoint = address
    else:
        endpoint = f"http://{address.rsplit(':', 1)[0]}:{port}"
    print(f"listening on {endpoint}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
