"""A Python client with stubs generated from the .proto files sees a change that it makes.

Usage: watch.py ADDRESS FOLDER_OF_STUBS

With DESKPLANE_CA, a PEM file, it speaks TLS; with DESKPLANE_GZIP it compresses what it sends.
"""

import os
import queue
import sys
import threading
import uuid

address, stubs = sys.argv[1], sys.argv[2]
sys.path.insert(0, stubs)

import grpc  # noqa: E402
from deskplane.v1 import (  # noqa: E402
    agent_service_pb2,
    agent_service_pb2_grpc,
    directory_service_pb2,
    directory_service_pb2_grpc,
    profile_service_pb2,
    profile_service_pb2_grpc,
)
from grpc_status import rpc_status  # noqa: E402
from google.rpc import error_details_pb2  # noqa: E402

WAIT = 10

options = {"options": [("grpc.default_authority", "localhost")] if address.startswith("unix:") else []}
if os.environ.get("DESKPLANE_GZIP"):
    options["compression"] = grpc.Compression.Gzip
if authority := os.environ.get("DESKPLANE_CA"):
    with open(authority, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    channel = grpc.secure_channel(address, credentials, **options)
else:
    channel = grpc.insecure_channel(address, **options)
directory = directory_service_pb2_grpc.DirectoryServiceStub(channel)
profiles = profile_service_pb2_grpc.ProfileServiceStub(channel)
agents = agent_service_pb2_grpc.AgentServiceStub(channel)

user = f"python.{uuid.uuid4().hex[:8]}"
name = f"python_{uuid.uuid4().hex[:8]}"

request = directory_service_pb2.UpsertUserRequest()
request.user.id = user
directory.UpsertUser(request, timeout=WAIT)

events = queue.Queue()


def watch():
    try:
        for event in agents.WatchProfile(
            agent_service_pb2.WatchProfileRequest(user=user, client_id="python")
        ):
            events.put(event)
    except grpc.RpcError as error:
        events.put(error)


threading.Thread(target=watch, daemon=True).start()

first = events.get(timeout=WAIT)
assert first.WhichOneof("event") == "snapshot", first
before = first.snapshot.profile
assert before.content.profile.unique_name != name, before
assert before.content.limits.max_tabs == 10, before

request = profile_service_pb2.CreateProfileRequest(request_id=str(uuid.uuid4()))
request.profile.unique_name = name
request.profile.display_name = "Made from Python"
created = profiles.CreateProfile(request, timeout=WAIT)
again = profiles.CreateProfile(request, timeout=WAIT)
assert again.write.revision == created.write.revision, "a repetition got another answer"

added = profiles.AddUsers(
    profile_service_pb2.AddUsersRequest(name=created.profile.name, users=[user]), timeout=WAIT
)
assert [change.to for change in added.write.affected.users] == [name], added

second = events.get(timeout=WAIT)
assert second.WhichOneof("event") == "snapshot", second
after = second.snapshot.profile
assert after.content.profile.unique_name == name, after
assert after.revision == added.write.revision, (after.revision, added.write.revision)
assert after.digest != before.digest

resolved = agents.ResolveProfile(
    agent_service_pb2.ResolveProfileRequest(user=user), timeout=WAIT
)
assert resolved.profile.digest == after.digest

try:
    profiles.GetProfile(profile_service_pb2.GetProfileRequest(name="nobody_knows"), timeout=WAIT)
    raise SystemExit("a profile that does not exist was found")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.NOT_FOUND, error
    info = error_details_pb2.ErrorInfo()
    assert rpc_status.from_call(error).details[0].Unpack(info)
    assert (info.domain, info.reason) == ("deskplane", "PROFILE_NOT_FOUND"), info

print(f"python: the watcher of {user} went from {before.content.profile.unique_name} to {name}")
