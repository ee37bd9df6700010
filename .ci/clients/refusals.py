"""The longest refusals that callers can provoke, and user ids of every form, as grpcio sees them.

Usage: refusals.py ADDRESS FOLDER_OF_STUBS TABLE

Makes what the refusals are about, provokes each of them on one connection with an open stream, and
writes them to TABLE as JSON, for a client in another language to provoke them again.
"""

import importlib
import json
import pathlib
import queue
import sys
import threading

address, stubs, table = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
sys.path.insert(0, str(stubs))

import grpc  # noqa: E402
from google.protobuf import descriptor_pool, json_format, message_factory  # noqa: E402
from google.rpc import error_details_pb2  # noqa: E402
from grpc_status import rpc_status  # noqa: E402

for part in stubs.glob("deskplane/v1/*_service_pb2.py"):
    importlib.import_module(f"deskplane.v1.{part.stem}")

WAIT = 30
GRIN = "\U0001f600"
AWKWARD = "#%|'\\"
# Ids as SPEC §3.2 shows them, and one that looks percent-encoded.
IDS = [
    "kim_fabrikam.example#EXT#@contoso.example",
    "o'brien@contoso.example",
    "auth0|64a1b2",
    "CONTOSO\\kim",
    "5b1f3c0e-8d0a-4f6e-9d59-0b9e3f6f4f11",
    "100%41",
]

# By default grpcio refuses headers of more than 8 KiB with a probability that rises to 1 at 16 KiB.
# Here the limit is a hard one, and leaves half a KiB to what proxies add.
LIMIT = 7_680
STRICT = [("grpc.max_metadata_size", LIMIT), ("grpc.absolute_max_metadata_size", LIMIT)]

channel = grpc.insecure_channel(address, STRICT)


def start(method, request, metadata=(), over=channel):
    """Begins a call; `method` is `Service/Method`, `request` the JSON of the message, or bytes."""
    service, name = method.split("/")
    found = descriptor_pool.Default().FindServiceByName(f"deskplane.v1.{service}")
    rpc = found.methods_by_name[name]
    if not isinstance(request, bytes):
        message = message_factory.GetMessageClass(rpc.input_type)()
        request = json_format.ParseDict(request, message).SerializeToString()
    answer = message_factory.GetMessageClass(rpc.output_type).FromString
    kind = over.unary_stream if rpc.server_streaming else over.unary_unary
    call = kind(f"/deskplane.v1.{method}", response_deserializer=answer)
    if rpc.server_streaming:
        return call(request, metadata=metadata)
    return call.with_call(request, timeout=WAIT, metadata=metadata)


def ok(method, request):
    return start(method, request)[0]


def reason(error):
    # Raises unless code and message in the details are those of the headers.
    for detail in rpc_status.from_call(error).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info
    raise AssertionError(f"no ErrorInfo in {error}")


def check(what, error, code, why):
    assert error.code().name == code, f"{what}: {error.code()} {error.details()[:300]}"
    info = reason(error)
    assert (info.domain, info.reason) == ("deskplane", why), f"{what}: {info}"


def provoke(what, method, request, code, why, metadata=(), says="", over=channel):
    try:
        answer = start(method, request, metadata, over)
        raise SystemExit(f"{what} is accepted: {next(answer) if hasattr(answer, 'next') else answer}")
    except grpc.RpcError as error:
        check(what, error, code, why)
        # Names compare without case, and some refusals say them in lower case.
        assert says.lower() in error.details().lower(), f"{what}: no {says} in {error.details()}"


def long_id(number):
    return f"u{number:04}" + (AWKWARD * 25)[:123]


def batch(rows):
    return {"rows": rows}


# --- user ids ---------------------------------------------------------------------------------

for user in IDS:
    given = ok("DirectoryService/UpsertUser", {"user": {"id": f"py-{user}"}}).user
    assert given.id == f"py-{user}", given
    encoded = "users/" + "".join(f"%{byte:02X}" for byte in given.id.encode())
    for name in [given.id, given.name, encoded]:
        found, call = start("DirectoryService/GetUser", {"name": name})
        assert found.uid == given.uid, f"{name} is {found.id}"
        headers = dict(call.initial_metadata())
        assert int(headers["deskplane-revision"]) > 0, headers
        resolved = ok("AgentService/ResolveProfile", {"user": name})
        assert resolved.profile.user == given.id, resolved
    own = [("x-deskplane-user", given.id), ("x-deskplane-scopes", "agent")]
    resolved, _ = start("AgentService/ResolveProfile", {}, own)
    assert resolved.profile.user == given.id, resolved
    literal = given.id.replace("\\", "\\\\")
    for text in {given.id, literal}:
        listed = ok("DirectoryService/ListUsers", {"filter": f'id = "{text}"'}).users
        assert [user.id for user in listed] == [given.id], f"{text}: {listed}"

# --- what the refusals are about --------------------------------------------------------------

for profile in ["longr_full", "longr_other"]:
    ok("ProfileService/CreateProfile", {"profile": {"unique_name": profile, "display_name": "L"}})
linked = [{"user": {"id": long_id(at)}, "profile": "longr_full"} for at in range(1000)]
ok("DirectoryService/BatchUpsertUsers", batch(linked))
template = {"unique_name": "longr_template", "display_name": "L", "entity": "incident"}
ok("SessionTemplateService/CreateSessionTemplate", {"session_template": template})
for at in range(100):
    name = f"longr_{at:03}{'x' * 100}"
    profile = {"unique_name": name, "display_name": "L", "session_templates": ["longr_template"]}
    ok("ProfileService/CreateProfile", {"profile": profile})

invalid, missing, unmet = "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"
agent = {"x-deskplane-user": f"py-{IDS[0]}", "x-deskplane-scopes": "agent"}
workers = {f"{at}{GRIN * 20}": "x" for at in range(150)}
config = {"account_sid": "x", "api_key_sid": "x", "caller_id": "x", "workers": workers}
provider = {
    "unique_name": "longr_twilio",
    "display_name": "L",
    "label": "L",
    "channel_url": "https://voice.example/",
    "adapter": "twilio",
    "config": json.dumps(config, ensure_ascii=False),
    "secrets": dict.fromkeys(["api_key_secret", "auth_token"], "env:DESKPLANE_SECRET_LONGR"),
}
rows = {
    "roles": [{"user": {"id": long_id(at), "roles": [f"gone_{at}"]}} for at in range(1000)],
    "profiles": [{"user": {"id": f"n{at}"}, "profile": f"gone_{'x' * 99}{at}"} for at in range(1000)],
    "ids": [{"user": {"id": GRIN * 150}} for _ in range(1000)],
    "names": [
        {"user": {"id": f"n{at}", "display_name": GRIN * 250, "email": "%" * 300, "business_unit": "\0"}}
        for at in range(1000)
    ],
}
upsert, filters = "DirectoryService/BatchUpsertUsers", "DirectoryService/ListUsers"
# What, method, request, code, reason, metadata, and what the message must hold.
refusals = [
    ["unknown roles", upsert, batch(rows["roles"]), missing, "ROLE_NOT_FOUND", {}, "gone_0"],
    ["unknown profiles", upsert, batch(rows["profiles"]), missing, "PROFILE_NOT_FOUND", {}, ""],
    ["bad ids", upsert, batch(rows["ids"]), invalid, "FIELD_INVALID", {}, "rows[0].user.id"],
    ["bad fields", upsert, batch(rows["names"]), invalid, "FIELD_INVALID", {}, "rows[0].user."],
    [
        "a profile in use",
        "ProfileService/DeleteProfile",
        {"name": "longr_full"},
        unmet,
        "PROFILE_IN_USE",
        {},
        "longr_full",
    ],
    [
        "a template in use",
        "SessionTemplateService/DeleteSessionTemplate",
        {"name": "longr_template"},
        unmet,
        "OBJECT_IN_USE",
        {},
        "longr_template",
    ],
    [
        "users of another profile",
        "ProfileService/AddUsers",
        {"name": "longr_other", "users": [long_id(at) for at in range(1000)]},
        unmet,
        "USER_ASSIGNED_ELSEWHERE",
        {},
        long_id(0),
    ],
    [
        "unknown users",
        "ProfileService/AddUsers",
        {"name": "longr_other", "users": [f"gone{at}{AWKWARD * 20}" for at in range(1000)]},
        missing,
        "USER_NOT_FOUND",
        {},
        f"gone0{AWKWARD}",
    ],
    ["a long filter", filters, {"filter": f'id = "{GRIN * 4096}"'}, invalid, "FILTER_INVALID", {}, ""],
    ["a long field", filters, {"filter": "f" * 2048}, invalid, "FILTER_INVALID", {}, ""],
    ["a long order", filters, {"order_by": "%" * 4096}, invalid, "FILTER_INVALID", {}, ""],
    ["a made-up token", filters, {"page_token": "%" * 9999}, invalid, "PAGE_TOKEN_INVALID", {}, ""],
    [
        "a long mask",
        "ProfileService/UpdateProfile",
        {"profile": {"name": "longr_full"}, "update_mask": ",".join(f"f{at}" for at in range(2000))},
        invalid,
        "UNKNOWN_FIELD",
        {},
        "",
    ],
    [
        "a configuration full of mistakes",
        "ProviderService/CreateChannelProvider",
        {"channel_provider": provider},
        invalid,
        "ADAPTER_CONFIG_INVALID",
        {},
        "",
    ],
    [
        "somebody else",
        "AgentService/ResolveProfile",
        {"user": GRIN * 100_000},
        "PERMISSION_DENIED",
        "SELF_ONLY",
        agent,
        "",
    ],
    ["scopes", filters, {}, invalid, "FIELD_INVALID", {"x-deskplane-scopes": "%," * 2000}, ""],
    [
        "a stream of an unknown user",
        "AgentService/WatchProfile",
        {"user": f"gone{AWKWARD * 24}"},
        missing,
        "USER_NOT_FOUND",
        {},
        f"gone{AWKWARD}",
    ],
    *(
        ["an unknown user", "DirectoryService/GetUser", {"name": f"x{user}"}, missing, "USER_NOT_FOUND", {}, f"x{user}"]
        for user in IDS
    ),
]
table.write_text(json.dumps(refusals))

# --- provoked on one connection, beside a stream ----------------------------------------------

watched = f"py-watched{AWKWARD}"
ok("DirectoryService/UpsertUser", {"user": {"id": watched}})
events = queue.Queue()


def watch():
    try:
        for event in start("AgentService/WatchProfile", {"user": watched}):
            events.put(event)
    except grpc.RpcError as error:
        events.put(error)


threading.Thread(target=watch, daemon=True).start()
assert events.get(timeout=WAIT).snapshot.profile.user == watched

for what, method, request, code, why, metadata, says in refusals:
    provoke(what, method, request, code, why, tuple(metadata.items()), says)
    ok("SettingsService/GetSettings", {})
provoke("bytes", upsert, b"\x0a\xff\xff\xff\xff\x0f" * 99, invalid, "REQUEST_MALFORMED")
authority = ("grpc.default_authority", f"{'foreign-' * 99}.example")
foreign = grpc.insecure_channel(address, [*STRICT, authority])
denied = "PERMISSION_DENIED"
provoke("authority", upsert, {}, denied, "AUTHORITY_REFUSED", over=foreign)
provoke("authority", upsert, {}, denied, "AUTHORITY_REFUSED", over=foreign)

# The stream is still there, and ends with a reason of its own.
ok("ProfileService/AddUsers", {"name": "longr_other", "users": [watched]})
changed = events.get(timeout=WAIT)
assert not isinstance(changed, grpc.RpcError), f"the connection did not survive: {changed}"
assert changed.snapshot.profile.content.profile.unique_name == "longr_other", changed
ok("DirectoryService/DeleteUser", {"name": watched})
check("the end of a stream", events.get(timeout=WAIT), missing, "USER_DELETED")

print(f"python: {len(refusals) + 4} long refusals and {len(IDS)} user ids, read as they are")
