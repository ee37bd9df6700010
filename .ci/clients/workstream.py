"""An administrator sets up a chat, from nothing to the session that opens, as grpcio sees it.

Usage: workstream.py ADDRESS FOLDER_OF_STUBS
"""

import sys

address, stubs = sys.argv[1], sys.argv[2]
sys.path.insert(0, stubs)

import grpc  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from google.rpc import error_details_pb2  # noqa: E402
from grpc_status import rpc_status  # noqa: E402

from deskplane.v1 import (  # noqa: E402
    agent_script_service_pb2 as scripts,
    agent_script_service_pb2_grpc as scripts_grpc,
    agent_service_pb2 as agent,
    agent_service_pb2_grpc as agent_grpc,
    application_tab_template_service_pb2 as tabs,
    application_tab_template_service_pb2_grpc as tabs_grpc,
    directory_service_pb2 as directory,
    directory_service_pb2_grpc as directory_grpc,
    macro_service_pb2 as macros,
    macro_service_pb2_grpc as macros_grpc,
    notification_template_service_pb2 as alerts,
    notification_template_service_pb2_grpc as alerts_grpc,
    profile_service_pb2 as profiles,
    profile_service_pb2_grpc as profiles_grpc,
    queue_service_pb2 as queues,
    queue_service_pb2_grpc as queues_grpc,
    render_pb2 as render,
    resolved_profile_pb2 as resolved,
    session_template_service_pb2 as sessions,
    session_template_service_pb2_grpc as sessions_grpc,
    smart_assist_bot_service_pb2 as bots,
    smart_assist_bot_service_pb2_grpc as bots_grpc,
    workstream_service_pb2 as workstreams,
    workstream_service_pb2_grpc as workstreams_grpc,
)

WAIT = 30
channel = grpc.insecure_channel(address)
AGENT = (("x-deskplane-user", "wanda.wright"), ("x-deskplane-scopes", "agent"))
TOOLS = (("x-deskplane-user", "tina.tools"),)


def make(stub, rpc, request, body, metadata=()):
    """Calls a write with the JSON form of its request."""
    message = json_format.ParseDict(body, request())
    return getattr(stub, rpc)(message, timeout=WAIT, metadata=metadata)


def refused(reason, *call, **options):
    """Calls a write that must be refused for a reason."""
    try:
        make(*call, **options)
    except grpc.RpcError as error:
        for detail in rpc_status.from_call(error).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                assert info.reason == reason, f"{info.reason}, not {reason}: {error.details()}"
                return error
    raise AssertionError(f"{call[1]} was not refused for {reason}")


# --- who works -------------------------------------------------------------------------------

people = directory_grpc.DirectoryServiceStub(channel)
role = {"unique_name": "fabrikam_desk", "display_name": "Desk", "grants": ["GRANT_AGENT"]}
make(people, "UpsertRole", directory.UpsertRoleRequest, {"role": role})
for user in [
    {"id": "wanda.wright", "roles": ["fabrikam_desk"]},
    {"id": "fabrikam.bot", "kind": "USER_KIND_APPLICATION", "roles": ["msdyn_oc_agent"]},
    {"id": "tina.tools", "roles": ["msdyn_productivity_administrator"]},
]:
    make(people, "UpsertUser", directory.UpsertUserRequest, {"user": user})

# --- what opens ------------------------------------------------------------------------------

orders = {
    "unique_name": "fabrikam_orders",
    "display_name": "Orders",
    "title": "Orders of {customerName}",
    "page_type": "PAGE_TYPE_THIRD_PARTY_WEBSITE",
    "parameters": [
        {"name": "url", "value": "https://orders.fabrikam.example/of/{customerRecordId}"},
        {"name": "data", "value": "name={customerName}"},
    ],
}
stub = tabs_grpc.ApplicationTabTemplateServiceStub(channel)
request = tabs.CreateApplicationTabTemplateRequest
make(stub, "CreateApplicationTabTemplate", request, {"application_tab_template": orders})

macro = {
    "unique_name": "fabrikam_search",
    "display_name": "Search",
    "actions": [
        {"connector": "MACRO_CONNECTOR_BUILT_IN", "operation": "start"},
        {
            "connector": "MACRO_CONNECTOR_PRODUCTIVITY",
            "operation": "search_knowledge",
            "inputs": {"phrase": "${topic}", "tab_label": "Answers"},
        },
    ],
}
script = {
    "unique_name": "fabrikam_hello",
    "display_name": "Hello",
    "language": 1033,
    "steps": [
        {"name": "Greet", "order": 1, "action": "SCRIPT_ACTION_TEXT", "text": "Hello ${customerName}"},
        {"name": "Search", "order": 2, "action": "SCRIPT_ACTION_MACRO", "macro": "fabrikam_search"},
    ],
}
macro_stub = macros_grpc.MacroServiceStub(channel)
script_stub = scripts_grpc.AgentScriptServiceStub(channel)
less = {**macro, "actions": [macro["actions"][0], {**macro["actions"][1], "inputs": {}}]}
create_macro = macros.CreateMacroRequest
refused("MACRO_INPUT_REQUIRED", macro_stub, "CreateMacro", create_macro, {"macro": less})
# Administrators of productivity tools write scripts and macros, and nothing else.
make(macro_stub, "CreateMacro", create_macro, {"macro": macro}, TOOLS)
create_script = scripts.CreateAgentScriptRequest
make(script_stub, "CreateAgentScript", create_script, {"agent_script": script}, TOOLS)

session = {
    "unique_name": "fabrikam_chat",
    "display_name": "Chat",
    "type": "SESSION_TEMPLATE_TYPE_GENERIC",
    "title": "{customerName} about {topic}",
    "anchor_tab": "msdyn_active_conversation",
    "additional_tabs": ["fabrikam_orders"],
    "scripts": ["fabrikam_hello"],
}
session_stub = sessions_grpc.SessionTemplateServiceStub(channel)
create_session = sessions.CreateSessionTemplateRequest
make(session_stub, "CreateSessionTemplate", create_session, {"session_template": session})
alert = {
    "unique_name": "fabrikam_alert",
    "display_name": "Alert",
    "title": "{customerName} waits",
    "auto_assign": True,
    "fields": [{"header": "Topic", "value": "{topic}"}],
}
alert_stub = alerts_grpc.NotificationTemplateServiceStub(channel)
create_alert = alerts.CreateNotificationTemplateRequest
made = make(alert_stub, "CreateNotificationTemplate", create_alert, {"notification_template": alert})
assert made.notification_template.countdown_seconds == 120, "the default"

queue = {"unique_name": "fabrikam_queue", "display_name": "Queue", "kind": "QUEUE_KIND_MESSAGING"}
make(queues_grpc.QueueServiceStub(channel), "CreateQueue", queues.CreateQueueRequest, {"queue": queue})
bot = {"unique_name": "fabrikam_bot", "display_name": "Bot", "user": "users/fabrikam.bot"}
bot_stub = bots_grpc.SmartAssistBotServiceStub(channel)
create_bot = bots.CreateSmartAssistBotRequest
clever = {"smart_assist_bot": {**bot, "knowledge": True}}
refused("FIELD_INVALID", bot_stub, "CreateSmartAssistBot", create_bot, clever)
make(bot_stub, "CreateSmartAssistBot", create_bot, {"smart_assist_bot": bot})

work = {
    "unique_name": "fabrikam_work",
    "display_name": "Chats",
    "channel": "channels/msdyn_channel_chat",
    "session_template": "fabrikam_chat",
    "incoming_authenticated": "fabrikam_alert",
    "smart_assist_bots": ["fabrikam_bot"],
    "queues": ["fabrikam_queue"],
}
work_stub = workstreams_grpc.WorkstreamServiceStub(channel)
create_work = workstreams.CreateWorkstreamRequest
refused("SCOPE_REQUIRED", work_stub, "CreateWorkstream", create_work, {"workstream": work}, metadata=TOOLS)

# --- who gets it, live -----------------------------------------------------------------------

profile = {
    "unique_name": "fabrikam_agent",
    "display_name": "Agent",
    "channels": {"all_active": True},
    "pane": {
        "on": True,
        "tools": [
            {"tool": "msdyn_tool_scripts", "enabled": True},
            {"tool": "msdyn_tool_smart_assist", "enabled": True},
        ],
    },
}
profile_stub = profiles_grpc.ProfileServiceStub(channel)
make(profile_stub, "CreateProfile", profiles.CreateProfileRequest, {"profile": profile})
link = {"name": "fabrikam_agent", "users": ["wanda.wright"]}
make(profile_stub, "AddUsers", profiles.AddUsersRequest, link)
agents = agent_grpc.AgentServiceStub(channel)
watch = agents.WatchProfile(agent.WatchProfileRequest(client_id="desk"), timeout=WAIT, metadata=AGENT)


def content():
    """The content of the next snapshot."""
    for message in watch:
        if message.WhichOneof("event") == "snapshot":
            return message.snapshot.profile.content, message.snapshot
    raise AssertionError("the stream ended")


def mine(found):
    return [stream for stream in found.workstreams if stream.unique_name == "fabrikam_work"]


before, _ = content()
assert not mine(before)
make(work_stub, "CreateWorkstream", create_work, {"workstream": work})
after, snapshot = content()
[stream] = mine(after)
assert isinstance(stream, resolved.ResolvedWorkstream)
assert stream.session_template == "fabrikam_chat", stream
assert stream.consult == "msdyn_chat_consult", "the built-in one of the channel"
assert [bot.unique_name for bot in stream.smart_assist_bots] == ["fabrikam_bot"]
hello = next(script for script in after.scripts if script.unique_name == "fabrikam_hello")
assert [step.macro for step in hello.steps] == ["", "fabrikam_search"]
assert after.macros[0].actions[1].inputs[0].name == "phrase"
causes = [agent.Cause.Name(cause.cause) for cause in snapshot.causes]
assert causes == ["CAUSE_WORKSTREAM_CHANGED"], causes

# --- a chat comes in -------------------------------------------------------------------------

event = render.RenderSessionRequest(workstream="fabrikam_work")
event.slot = render.NOTIFICATION_SLOT_INCOMING_AUTHENTICATED
event.context.update(
    {"customerName": "Ada {caseId} & Sons", "topic": "a refund", "customerRecordId": 4711, "x": None}
)
opened = agents.RenderSession(event, timeout=WAIT, metadata=AGENT)
assert opened.digest == snapshot.profile.digest
assert opened.session.title == "Ada {caseId} & Sons about a refund", opened.session
assert [tab.template for tab in opened.tabs] == ["msdyn_active_conversation", "fabrikam_orders"]
assert opened.tabs[0].anchor and not opened.tabs[0].can_close
[url] = opened.tabs[1].parameters
wanted = "https://orders.fabrikam.example/of/4711?name=Ada%20%7BcaseId%7D%20%26%20Sons"
assert url.value == wanted, url
assert opened.notification.title == "Ada {caseId} & Sons waits"
assert (opened.notification.accept_text, opened.notification.reject_text) == ("Open", "")
assert opened.default_script == "fabrikam_hello"
unresolved = [(slug.where, slug.slug) for slug in opened.unresolved]
assert unresolved == [("tabs[0].parameters[0].value", "{LiveWorkItemId}")], unresolved

# --- and is changed, and goes ----------------------------------------------------------------

change = {"macro": {"name": "fabrikam_search", "display_name": "Look for answers"}}
make(macro_stub, "UpdateMacro", macros.UpdateMacroRequest, change, TOOLS)
changed, snapshot = content()
assert changed.macros[0].display_name == "Look for answers"
assert list(snapshot.changed_sections) == ["macros"], snapshot.changed_sections
delete = {"name": "fabrikam_search"}
refused("OBJECT_IN_USE", macro_stub, "DeleteMacro", macros.DeleteMacroRequest, delete)
make(macro_stub, "DeleteMacro", macros.DeleteMacroRequest, {**delete, "force": True}, TOOLS)
gone, _ = content()
hello = next(script for script in gone.scripts if script.unique_name == "fabrikam_hello")
assert not gone.macros and [step.name for step in hello.steps] == ["Greet"]
make(work_stub, "DeactivateWorkstream", workstreams.DeactivateWorkstreamRequest, {"name": "fabrikam_work"})
assert not mine(content()[0])
watch.cancel()
for stub, rpc, request, name in [
    (work_stub, "DeleteWorkstream", workstreams.DeleteWorkstreamRequest, "fabrikam_work"),
    (profile_stub, "DeleteProfile", profiles.DeleteProfileRequest, "fabrikam_agent"),
]:
    make(stub, rpc, request, {"name": name, "force": True})
print("grpcio: a chat from nothing to its session, live, by two administrators")
