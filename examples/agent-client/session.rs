//! Sessions for events: an event is the JSON form of `RenderSessionRequest`.

use deskplane_proto::v1;
use prost_types::{Struct, Value, value::Kind};
use serde_json::{Map, Value as Json};
use tonic_types::StatusExt as _;

use super::token::Client;

/// Opens the session of an event, and says what opens in one line.
pub(super) async fn open(mut client: Client, user: &str, line: &str) -> String {
    let request = match read(user, line) {
        Ok(request) => request,
        Err(why) => return format!("no event  {why}"),
    };
    match client.render_session(request).await {
        Ok(answer) => shown(&answer.into_inner()),
        Err(status) => match status.get_error_details().error_info() {
            // What the desktop has a plain way for.
            Some(info) if info.reason == "NO_SESSION_TEMPLATE" => {
                "plain     there is no session for it: its plain form opens".to_owned()
            }
            _ => format!("no session  {}", status.message()),
        },
    }
}

/// An event as a request for a user.
pub(super) fn read(user: &str, line: &str) -> Result<v1::RenderSessionRequest, String> {
    let event: Map<String, Json> = serde_json::from_str(line)
        .map_err(|error| format!("the line is no JSON object: {error}"))?;
    let mut request = v1::RenderSessionRequest { user: user.to_owned(), ..Default::default() };
    for (key, value) in event {
        let text = || value.as_str().map(str::to_owned).ok_or_else(|| format!("{key} is no text"));
        match key.as_str() {
            "entity" => request.entity = text()?,
            "workstream" => request.workstream = text()?,
            "channel" => request.channel = text()?,
            "slot" => {
                let word = text()?;
                let word = word.strip_prefix("NOTIFICATION_SLOT_").unwrap_or(&word);
                let slot =
                    v1::NotificationSlot::from_str_name(&format!("NOTIFICATION_SLOT_{word}"));
                request.slot = slot.ok_or_else(|| format!("there is no slot {word}"))?.into();
            }
            "context" => request.context = Some(values(&key, &value)?),
            "anchor" => request.anchor = Some(anchor(&value)?),
            _ => return Err(format!("there is no field {key}")),
        }
    }
    Ok(request)
}

fn anchor(value: &Json) -> Result<v1::AnchorRecord, String> {
    let fields = value.as_object().ok_or("anchor is no object")?;
    let mut anchor = v1::AnchorRecord::default();
    for (key, value) in fields {
        let text = || value.as_str().map(str::to_owned).ok_or_else(|| format!("{key} is no text"));
        match key.as_str() {
            "entity" => anchor.entity = text()?,
            "id" => anchor.id = text()?,
            "attributes" => anchor.attributes = Some(values(key, value)?),
            _ => return Err(format!("an anchor has no field {key}")),
        }
    }
    Ok(anchor)
}

fn values(name: &str, json: &Json) -> Result<Struct, String> {
    let entries = json.as_object().ok_or_else(|| format!("{name} is no object"))?;
    let entry = |(key, value): (&String, &Json)| {
        let kind = match value {
            Json::String(text) => Kind::StringValue(text.clone()),
            Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
            Json::Bool(truth) => Kind::BoolValue(*truth),
            Json::Null => Kind::NullValue(0),
            _ => return Err(format!("{name}.{key} is neither text, number, true, false nor null")),
        };
        Ok((key.clone(), Value { kind: Some(kind) }))
    };
    Ok(Struct { fields: entries.iter().map(entry).collect::<Result<_, _>>()? })
}

/// What opens, in one line.
fn shown(answer: &v1::RenderSessionResponse) -> String {
    let title = answer.session.as_ref().map(|session| session.title.as_str()).unwrap_or_default();
    let tabs: Vec<_> = answer
        .tabs
        .iter()
        .map(|tab| {
            let name =
                if tab.title.is_empty() { tab.page_type().as_str_name() } else { &tab.title };
            format!("[{name}]")
        })
        .collect();
    let mut line = format!("session   {title}: {}", tabs.join(" "));
    if let Some(alert) = &answer.notification {
        line += &format!("; announced as \"{}\"", alert.title);
    }
    if !answer.default_script.is_empty() {
        line += &format!("; begins with {}", answer.default_script);
    }
    line
}
