//! The operation `import` of the write cases: a bundle of profiles, and options by their names.

use deskplane_proto::v1::{self, transfer_service_client::TransferServiceClient};
use serde_json::{Map, Value, json};
use tonic::Status;

use crate::server::{As, Running};

/// A profile of a case as a bundle has it.
fn profile(given: &Value) -> Value {
    let mut profile = json!({
        "unique_name": given["unique_name"],
        "display_name": given["display_name"],
        "roles": given["roles"],
        "is_default": !given["default"].is_null(),
    });
    if !given["rank"].is_null() {
        profile["rank"] = given["rank"].clone();
    }
    profile
}

fn options(given: Option<&Value>) -> v1::ImportOptions {
    let mut options = v1::ImportOptions::default();
    for (name, value) in given.and_then(Value::as_object).into_iter().flatten() {
        let word = value.as_str().map(|word| format!("{}_{word}", name.to_uppercase()));
        let word = word.unwrap_or_default();
        match name.as_str() {
            "on_existing" => {
                options.on_existing = v1::OnExisting::from_str_name(&word).unwrap().into()
            }
            "on_rank_conflict" => {
                options.on_rank_conflict = v1::OnRankConflict::from_str_name(&word).unwrap().into();
            }
            "on_default_conflict" => {
                options.on_default_conflict =
                    v1::OnDefaultConflict::from_str_name(&word).unwrap().into();
            }
            "on_unknown_role" => {
                options.on_unknown_role = v1::OnUnknownRole::from_str_name(&word).unwrap().into();
            }
            "on_pinned_url" => {
                options.on_pinned_url = v1::OnPinnedUrl::from_str_name(&word).unwrap().into();
            }
            "managed" => options.managed = value.as_bool().unwrap(),
            "adopt_built_in" => options.adopt_built_in = value.as_bool().unwrap(),
            other => panic!("unknown option {other}"),
        }
    }
    options
}

/// Sends it as one message.
pub(super) async fn send(
    server: &Running,
    caller: As,
    op: &Map<String, Value>,
) -> Result<v1::ImportResponse, Status> {
    let profiles: Vec<_> =
        op["bundle"]["profiles"].as_array().unwrap().iter().map(profile).collect();
    let bundle = json!({
        "format_version": 1, "name": "case_bundle", "version": "1", "objects": {"profiles": profiles},
    });
    let request = v1::ImportRequest {
        options: Some(options(op.get("options"))),
        chunk: bundle.to_string().into_bytes().into(),
        validate_only: op.get("validate_only").and_then(Value::as_bool).unwrap_or_default(),
        ..Default::default()
    };
    let mut client = TransferServiceClient::new(server.channel(caller));
    Ok(client.import(futures_util::stream::iter([request])).await?.into_inner())
}
