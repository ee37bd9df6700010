//! Operations of the write cases as calls of the generated clients.

use std::collections::BTreeMap;

use deskplane_proto::v1;
use serde_json::{Map, Value};
use tonic::{Code, Status};

use crate::server::{As, Running};

pub(super) fn text<'a>(op: &'a Map<String, Value>, key: &str) -> &'a str {
    op.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{key} is missing in {op:?}"))
}

pub(super) fn flag(op: &Map<String, Value>, key: &str) -> bool {
    op.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn texts(op: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = op.get(key).and_then(Value::as_array).unwrap_or_else(|| panic!("{key} in {op:?}"));
    list.iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// One accepted write: its result, and the resource that it answered.
pub(super) struct Written {
    pub(super) write: v1::WriteResult,
    pub(super) etag: String,
}

macro_rules! sent {
    ($call:expr) => {{
        let answer = $call.await?.into_inner();
        let etag = String::new();
        Ok(Written { write: answer.write.unwrap(), etag })
    }};
}

/// Makes what an operation names and what does not exist yet (README of the cases).
pub(super) async fn prepare(server: &Running, op: &Map<String, Value>) {
    if text(op, "op") == "add_entity_template" {
        let generic = op.get("type").is_some_and(|kind| kind == "GENERIC");
        let name = text(op, "template").to_owned();
        let mut template = v1::SessionTemplate {
            unique_name: name.clone(),
            display_name: name,
            ..Default::default()
        };
        if generic {
            template.set_type(v1::SessionTemplateType::Generic);
            template.anchor_tab = "msdyn_active_conversation".into();
        } else {
            template.entity = text(op, "entity").into();
        }
        let session_template = Some(template);
        let q = v1::GetSessionTemplateRequest { name: text(op, "template").into() };
        if server.session_templates().get_session_template(q).await.is_err() {
            let q = v1::CreateSessionTemplateRequest { session_template, ..Default::default() };
            server.session_templates().create_session_template(q).await.unwrap();
        }
    }
    for provider in op.get("providers").and_then(Value::as_array).into_iter().flatten() {
        let name = provider["unique_name"].as_str().unwrap();
        let channel_provider = Some(v1::ChannelProvider {
            unique_name: name.into(),
            display_name: name.into(),
            label: name.into(),
            channel_url: "https://voice.example/".into(),
            channel_order: i32::try_from(provider["order"].as_i64().unwrap()).unwrap(),
            ..Default::default()
        });
        let q = v1::CreateChannelProviderRequest { channel_provider, ..Default::default() };
        if let Err(status) = server.providers().create_channel_provider(q).await {
            assert_eq!(status.code(), Code::AlreadyExists, "{status}");
        }
    }
}

fn setting(text: &str) -> i32 {
    v1::CopilotSetting::from_str_name(&format!("COPILOT_SETTING_{text}")).unwrap().into()
}

fn caller(op: &Map<String, Value>) -> As {
    let Some(caller) = op.get("caller") else { return As::default() };
    let scopes: Vec<_> =
        caller["scopes"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    As::new(caller["user"].as_str(), Some(&scopes.join(",").to_lowercase()))
}

/// Sends one operation.
pub(super) async fn send(
    server: &Running,
    op: &Map<String, Value>,
    etags: &BTreeMap<String, String>,
) -> Result<Written, Status> {
    let profiles =
        || v1::profile_service_client::ProfileServiceClient::new(server.channel(caller(op)));
    let directory =
        || v1::directory_service_client::DirectoryServiceClient::new(server.channel(caller(op)));
    let name = op.get("profile").and_then(Value::as_str).unwrap_or_default().to_owned();
    let user = op.get("user").and_then(Value::as_str).unwrap_or_default().to_owned();
    let request_id = op.get("request_id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let validate_only = flag(op, "validate_only");
    let etag =
        op.get("if_etag").map_or(String::new(), |saved| etags[saved.as_str().unwrap()].clone());
    macro_rules! call {
        ($client:expr, $method:ident, $request:ident { $($field:ident $(: $value:expr)?),* $(,)? }) => {
            sent!($client.$method(v1::$request {
                $($field $(: $value)?,)* request_id, validate_only, ..Default::default()
            }))
        };
    }
    match text(op, "op") {
        "create_profile" => {
            let profile = Some(v1::Profile {
                unique_name: text(op, "unique_name").into(),
                display_name: text(op, "display_name").into(),
                description: op.get("description").map_or("", |d| d.as_str().unwrap()).into(),
                ..Default::default()
            });
            call!(profiles(), create_profile, CreateProfileRequest { profile })
        }
        "clone_profile" => call!(
            profiles(),
            clone_profile,
            CloneProfileRequest {
                name: text(op, "source").into(),
                unique_name: text(op, "unique_name").into(),
                display_name: text(op, "display_name").into(),
            }
        ),
        "update_profile" => {
            let mut profile =
                v1::Profile { name: format!("profiles/{name}"), etag, ..Default::default() };
            let set = op["set"].as_object().unwrap();
            for (field, value) in set {
                let value = value.as_str().unwrap().to_owned();
                match field.as_str() {
                    "display_name" => profile.display_name = value,
                    "description" => profile.description = value,
                    "unique_name" => profile.unique_name = value,
                    other => panic!("unknown field {other}"),
                }
            }
            call!(profiles(), update_profile, UpdateProfileRequest { profile: Some(profile) })
        }
        "get_profile" => {
            let got = profiles().get_profile(v1::GetProfileRequest { name }).await?;
            assert!(got.metadata().contains_key("deskplane-revision"));
            Ok(Written { write: v1::WriteResult::default(), etag: got.into_inner().etag })
        }
        "delete_profile" => {
            call!(
                profiles(),
                delete_profile,
                DeleteProfileRequest { name, etag, force: flag(op, "force") }
            )
        }
        "activate_profile" => {
            call!(profiles(), activate_profile, ActivateProfileRequest { name, etag })
        }
        "deactivate_profile" => {
            call!(profiles(), deactivate_profile, DeactivateProfileRequest { name, etag })
        }
        "set_default" => call!(
            profiles(),
            set_default,
            SetDefaultRequest {
                name,
                etag,
                replace_current: flag(op, "replace_current"),
                drop_rank_and_roles: flag(op, "drop_rank_and_roles"),
            }
        ),
        "remove_default" => call!(profiles(), remove_default, RemoveDefaultRequest { name, etag }),
        "set_rank_and_roles" => call!(
            profiles(),
            set_rank_and_roles,
            SetRankAndRolesRequest {
                name,
                etag,
                rank: op
                    .get("rank")
                    .and_then(Value::as_i64)
                    .map(|rank| i32::try_from(rank).unwrap()),
                roles: texts(op, "roles"),
                displace: op.get("displace").map_or(0, |displace| {
                    let name = format!("DISPLACE_{}", displace.as_str().unwrap());
                    v1::Displace::from_str_name(&name).unwrap().into()
                }),
                override_managed: flag(op, "override_managed"),
            }
        ),
        "remove_rank_and_roles" => {
            call!(
                profiles(),
                remove_rank_and_roles,
                RemoveRankAndRolesRequest {
                    name,
                    etag,
                    override_managed: flag(op, "override_managed"),
                }
            )
        }
        "add_users" => call!(
            profiles(),
            add_users,
            AddUsersRequest { name, etag, users: texts(op, "users"), r#move: flag(op, "move") }
        ),
        "remove_users" => {
            call!(
                profiles(),
                remove_users,
                RemoveUsersRequest { name, etag, users: texts(op, "users") }
            )
        }
        "set_user_roles" => {
            call!(
                directory(),
                set_user_roles,
                SetUserRolesRequest { name: user, roles: texts(op, "roles") }
            )
        }
        "disable_user" => call!(directory(), disable_user, DisableUserRequest { name: user }),
        "enable_user" => call!(directory(), enable_user, EnableUserRequest { name: user }),
        "delete_user" => call!(directory(), delete_user, DeleteUserRequest { name: user }),
        "delete_role" => {
            call!(directory(), delete_role, DeleteRoleRequest { name: text(op, "role").into() })
        }
        "add_entity_template" => call!(
            profiles(),
            add_session_template,
            AddSessionTemplateRequest { name, etag, session_template: text(op, "template").into() }
        ),
        "link_providers" => call!(
            profiles(),
            link_providers,
            LinkProvidersRequest {
                name,
                etag,
                providers: op["providers"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|provider| provider["unique_name"].as_str().unwrap().to_owned())
                    .collect(),
            }
        ),
        "set_inbox" => call!(
            profiles(),
            set_inbox,
            SetInboxRequest {
                name,
                etag,
                enabled: Some(flag(op, "enabled")),
                views: Some(v1::InboxViews {
                    views: op["views"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|view| v1::InboxView {
                            name: view["name"].as_str().unwrap().into(),
                            visible: view["visible"].as_bool().unwrap(),
                            record_types: serde_json::from_value(view["record_types"].clone())
                                .unwrap(),
                            ..Default::default()
                        })
                        .collect(),
                }),
            }
        ),
        "set_channels" => call!(
            profiles(),
            set_channels,
            SetChannelsRequest { name, etag, all_active: Some(flag(op, "all_active_channels")) }
        ),
        "set_pane" => call!(
            profiles(),
            set_pane,
            SetPaneRequest {
                name,
                etag,
                on: op.get("pane_on").map(|on| on.as_bool().unwrap()),
                tools: op.contains_key("tools").then(|| v1::PaneTools {
                    tools: (0..)
                        .zip(texts(op, "tools"))
                        .map(|(order, tool)| v1::PaneTool {
                            tool: format!("productivityTools/msdyn_tool_{tool}"),
                            enabled: true,
                            order,
                            ..Default::default()
                        })
                        .collect(),
                }),
            }
        ),
        "set_copilot" => call!(
            profiles(),
            set_copilot,
            SetCopilotRequest {
                name,
                etag,
                features: op["features"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(feature, value)| (feature.clone(), setting(value.as_str().unwrap())))
                    .collect(),
            }
        ),
        "import" => {
            let answer = super::import::send(server, caller(op), op).await?;
            Ok(Written { write: answer.write.unwrap(), etag })
        }
        "resolve" => {
            let q = v1::ResolveProfileRequest { user, ..Default::default() };
            let mut agents =
                v1::agent_service_client::AgentServiceClient::new(server.channel(caller(op)));
            agents.resolve_profile(q).await?;
            Ok(Written { write: v1::WriteResult::default(), etag })
        }
        other => panic!("unknown operation {other}"),
    }
}
