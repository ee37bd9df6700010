"""A Python client watches with tokens of the issuer, and goes on with a new one when one has ended.

Usage: watch.py ADDRESS STUBS ISSUER USER SCOPE ENDS

It watches until ENDS streams have ended with TOKEN_EXPIRED, prints a line for each, gets another
token each time, and must find itself in sync with what it holds.
"""

import base64
import json
import sys
import urllib.parse
import urllib.request

address, stubs, issuer, user, scope, ends = sys.argv[1:7]
sys.path.insert(0, stubs)

import grpc  # noqa: E402
from deskplane.v1 import agent_service_pb2, agent_service_pb2_grpc  # noqa: E402
from google.rpc import error_details_pb2  # noqa: E402
from grpc_status import rpc_status  # noqa: E402


def token():
    form = {"grant_type": "client_credentials", "resource": "urn:deskplane", "scope": scope}
    request = urllib.request.Request(
        f"{issuer}/token",
        data=urllib.parse.urlencode(form).encode(),
        headers={
            "authorization": "Basic "
            + base64.b64encode(f"{user}:secret-of-{user}".encode()).decode()
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["access_token"]


def reason(error):
    for detail in rpc_status.from_call(error).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


agents = agent_service_pb2_grpc.AgentServiceStub(grpc.insecure_channel(address))
resume, seen = "", 0
while seen < int(ends):
    metadata = [("authorization", f"Bearer {token()}")]
    request = agent_service_pb2.WatchProfileRequest(resume_token=resume, client_id="python")
    try:
        for event in agents.WatchProfile(request, metadata=metadata, timeout=120):
            kind = event.WhichOneof("event")
            held = getattr(event, kind)
            if seen and kind not in ("in_sync", "bookmark"):
                sys.exit(f"a renewed stream began with {kind}")
            resume = getattr(held, "resume_token", resume)
            print(f"{kind}", flush=True)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAUTHENTICATED or reason(error) != "TOKEN_EXPIRED":
            raise
        seen += 1
        print("TOKEN_EXPIRED", flush=True)
