"""One administrator's day, in Python with stubs generated from the .proto files.

Clone a built-in profile, edit the copy, preview, apply, watch the fleet converge, find the client
that rejected, roll back, read in the audit who did what, and ask what an agent saw at a given time.

Usage: day.py ADDRESS FOLDER_OF_STUBS
"""

import importlib
import pathlib
import queue
import sys
import threading
import time
import uuid

address, stubs = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, str(stubs))

import grpc  # noqa: E402
from google.protobuf import descriptor_pool, json_format, message_factory  # noqa: E402

for part in stubs.glob("deskplane/v1/*_service_pb2.py"):
    importlib.import_module(f"deskplane.v1.{part.stem}")

WAIT = 20
ADMIN = [("x-deskplane-user", "day.admin"), ("x-deskplane-scopes", "admin")]
channel = grpc.insecure_channel(address, compression=grpc.Compression.Gzip)


def start(method, request, metadata):
    """Begins a call; `method` is `Service/Method`, `request` the JSON of its message."""
    service, name = method.split("/")
    found = descriptor_pool.Default().FindServiceByName(f"deskplane.v1.{service}")
    rpc = found.methods_by_name[name]
    message = json_format.ParseDict(request, message_factory.GetMessageClass(rpc.input_type)())
    kind = channel.unary_stream if rpc.server_streaming else channel.unary_unary
    call = kind(
        f"/deskplane.v1.{method}",
        request_serializer=lambda sent: sent.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(rpc.output_type).FromString,
    )
    if rpc.server_streaming:
        return call(message, metadata=metadata)
    return call(message, timeout=WAIT, metadata=metadata)


def ask(method, request, metadata=ADMIN):
    return start(method, request, metadata)


def until(what, poll):
    """Polls until something is true; what changes in the background changes within seconds."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if found := poll():
            return found
        time.sleep(0.05)
    raise SystemExit(f"not within {WAIT} s: {what}")


class Desk:
    """The client of one agent, which says what it does with every profile that it gets."""

    def __init__(self, user, refuses):
        self.user, self.refuses = user, refuses
        self.own = [("x-deskplane-user", user), ("x-deskplane-scopes", "agent")]
        self.seen = queue.Queue()
        threading.Thread(target=self.work, daemon=True).start()

    def report(self, profile, status, **more):
        ask(
            "AgentService/ReportProfileStatus",
            {
                "client_id": "desk-1",
                "revision": profile.revision,
                "digest": profile.digest,
                "status": f"REPORTED_STATUS_{status}",
                **more,
            },
            self.own,
        )

    def work(self):
        for event in start("AgentService/WatchProfile", {"client_id": "desk-1"}, self.own):
            if event.WhichOneof("event") != "snapshot":
                continue
            profile = event.snapshot.profile
            name = profile.content.profile.unique_name
            self.report(profile, "RECEIVED")
            if name == self.refuses:
                why = {"reason": "REJECT_REASON_PROVIDER_FAILED", "detail": "no microphone"}
                self.report(profile, "REJECTED", **why)
            else:
                self.report(profile, "APPLIED")
            self.seen.put((name, profile))

    def gets(self, name):
        """The next profile of that name that the client works with, or refuses."""
        while True:
            seen, profile = self.seen.get(timeout=WAIT)
            if seen == name:
                return profile


part = uuid.uuid4().hex[:8]
night, ann, bob = f"day_{part}", f"ann.{part}", f"bob.{part}"
began = ask("SettingsService/GetSettings", {})
rows = [{"user": {"id": user, "roles": ["msdyn_csr"]}} for user in (ann, bob)]
ask("DirectoryService/BatchUpsertUsers", {"rows": rows})
desks = {ann: Desk(ann, refuses=None), bob: Desk(bob, refuses=night)}
old = {user: desk.seen.get(timeout=WAIT)[0] for user, desk in desks.items()}

# Clone and edit.
clone = {"name": "msdyn_csw_default_profile", "unique_name": night, "display_name": "Night shift"}
ask("ProfileService/CloneProfile", clone)
profile = {"name": f"profiles/{night}", "owner": "Operations"}
before = ask("ProfileService/UpdateProfile", {"profile": profile}).write.revision

# Preview, then do what was previewed.
operations = [
    {"update_profile": {"profile": {"name": f"profiles/{night}", "description": "From ten to six"}}},
    {"add_users": {"name": night, "users": [ann, bob]}},
]
preview = ask("ChangeService/PreviewChanges", {"operations": operations})
assert preview.total_count == 2, preview
moves = {(getattr(move, "from"), move.to): move.user_count for move in preview.moves}
assert moves == {(old[ann], night): 2}, preview
applied = ask(
    "ChangeService/ApplyChanges",
    {
        "operations": operations,
        "expected_revision": preview.revision,
        "reason": "the night shift starts",
    },
).write
assert applied.affected.total_count == 2 and applied.revision > before, applied

# Both get it at once, and the fleet shows who works with it.
got = {user: desk.gets(night) for user, desk in desks.items()}
assert got[ann].digest == got[bob].digest, got
fleet = {"filter": f'profile = "{night}"'}


def states():
    clients = ask("FleetService/ListFleetStatus", fleet).clients
    return {client.user.removeprefix("users/"): client for client in clients}


CURRENT, REJECTED = 3, 2
found = until(
    "the fleet converges",
    lambda: (now := states())
    and {user: client.state for user, client in now.items()} == {ann: CURRENT, bob: REJECTED}
    and now,
)
assert found[bob].reject_detail == "no microphone", found[bob]
assert found[bob].applied.profile == old[bob], found[bob]
summary = ask("FleetService/GetFleetSummary", {**fleet, "on_revision": applied.revision})
assert (summary.all.current, summary.all.rejected) == (1, 1), summary
assert not summary.all_on_revision, summary

# What changed, and back again with one call.
history = ask("HistoryService/ListRevisions", {"name": f"profiles/{night}"})
assert [entry.revision for entry in history.revisions][:2] == [applied.revision, before], history
between = {"name": f"profiles/{night}", "old_revision": before, "new_revision": applied.revision}
diff = ask("HistoryService/DiffRevisions", between)
assert [found.field for found in diff.differences] == ["description"], diff
names = [f"profiles/{night}", f"users/{ann}", f"users/{bob}"]
back = ask(
    "HistoryService/Rollback",
    {"names": names, "revision": before, "reason": "bob has no microphone"},
).write
assert back.affected.total_count == 2, back
for user, desk in desks.items():
    desk.gets(old[user])
ask("ProfileService/GetProfile", {"name": night})
until(
    "everybody is current again",
    lambda: all(
        client.state == CURRENT
        for user in (ann, bob)
        for client in ask("FleetService/ListFleetStatus", {"filter": f'user = "{user}"'}).clients
    ),
)

# Who did what, and what did bob see meanwhile?
entries = ask("AuditService/ListAuditEntries", {"actor": "day.admin", "page_size": 50}).entries
done = {entry.operation: entry for entry in entries if entry.revision > 0}
assert done["ApplyChanges"].reason == "the night shift starts", entries
assert done["Rollback"].reason == "bob has no microphone", entries
assert done["Rollback"].revision == back.revision, entries
until(
    "the preview is in the audit",
    lambda: any(
        "PreviewChanges" in entry.operation
        for entry in ask("AuditService/ListAuditEntries", {"actor": "day.admin"}).entries
    ),
)


def log():
    answer = ask("AuditService/ListResolutionLog", {"user": bob, "page_size": 50})
    return len(answer.entries) >= 3 and answer.entries


entries = until("the resolution log has all three", log)
assert [entry.profile for entry in entries[:3]] == [old[bob], night, old[bob]], entries
seen = entries[1]
assert (seen.digest, seen.revision) == (got[bob].digest, got[bob].revision), seen
at = json_format.MessageToDict(seen)["time"]
answer = ask("AuditService/ListResolutionLog", {"user": bob, "as_of_time": at})
assert answer.entries[0].profile == night, answer
print(f"Python: a day of an administrator, revisions {before} to {back.revision}")
