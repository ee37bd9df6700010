//! Requests are read whole, and what opens is found in hand-made contents.

use prost_types::{Struct, Value as ProtoValue, value::Kind as ValueKind};

use super::*;
use crate::{
    catalog::builtin,
    domain::{
        Common, Object, Stamp, State, Time, UniqueName, channel::ChannelKind, field::Choice as _,
        rules::Rules as _, workstream::Workstream,
    },
    service::convert::Reader,
};

/// The built-in objects, and the work streams of the contents below.
fn objects() -> Vec<Object> {
    let stamp = || Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test");
    let mut objects = builtin::objects(1, Time::default());
    objects.extend(["con_chat", "con_voice", "con_a", "con_b", "con_c"].map(|name| {
        let common = Common::custom(UniqueName::known(name), name);
        Object::Workstream(Workstream::empty(common, stamp()).into())
    }));
    objects
}

fn catalog() -> Catalog {
    Catalog::from_objects(objects(), 1, Time::default())
}

/// The same objects with one channel switched off.
fn without_channel(name: &str) -> Catalog {
    let objects = objects().into_iter().map(|object| match object {
        Object::Channel(channel) if channel.common.unique_name.as_str() == name => {
            let mut channel = channel.as_ref().clone();
            channel.common.state = State::Inactive;
            Object::Channel(channel.into())
        }
        other => other,
    });
    Catalog::from_objects(objects, 1, Time::default())
}

fn structure(entries: &[(&str, ValueKind)]) -> Option<Struct> {
    let entry = |(key, kind): &(&str, ValueKind)| {
        ((*key).to_owned(), ProtoValue { kind: Some(kind.clone()) })
    };
    Some(Struct { fields: entries.iter().map(entry).collect() })
}

fn text(text: &str) -> ValueKind {
    ValueKind::StringValue(text.to_owned())
}

/// The bad fields of a request.
fn bad(q: &v1::RenderSessionRequest) -> Vec<String> {
    let catalog = catalog();
    let mut reader = Reader::new(&catalog);
    session_event(q, &mut reader);
    let refusal = reader.v.finish().err();
    let violations = refusal.into_iter().flat_map(|refusal| refusal.violations);
    violations.map(|violation| violation.field).collect()
}

fn of_entity() -> v1::RenderSessionRequest {
    v1::RenderSessionRequest { entity: "incident".to_owned(), ..Default::default() }
}

#[test]
fn exactly_one_thing_opens_a_session() {
    let q = |entity: &str, workstream: &str, channel: &str, slot: i32| v1::RenderSessionRequest {
        entity: entity.to_owned(),
        workstream: workstream.to_owned(),
        channel: channel.to_owned(),
        slot,
        ..Default::default()
    };
    for (q, expected) in [
        (q("incident", "", "", 0), &[][..]),
        (q("", "workstreams/con_chat", "", 1), &[]),
        (q("", "", "channels/msdyn_channel_chat", 5), &[]),
        (q("", "", "", 0), &["entity"]),
        (q("incident", "con_chat", "", 0), &["workstream"]),
        (q("incident", "con_chat", "con_channel", 0), &["workstream", "channel"]),
        (q("", "con_chat", "con_channel", 0), &["channel"]),
        (q("incident", "", "", 1), &["slot"]),
        (q("", "con_chat", "", 99), &["slot"]),
        (q("a\nb", "", "", 0), &["entity"]),
        (q("", "channels/con_chat", "", 0), &["workstream"]),
        (q("", "no name", "", 0), &["workstream"]),
        (q("", "", "workstreams/con_chat", 0), &["channel"]),
    ] {
        assert_eq!(bad(&q), expected, "{q:?}");
    }
}

#[test]
fn values_are_scalars_under_keys_of_one_spelling() {
    let list = ValueKind::ListValue(prost_types::ListValue::default());
    let nested = ValueKind::StructValue(Struct::default());
    let mut context = structure(&[
        ("list", list),
        ("nested", nested),
        ("nan", ValueKind::NumberValue(f64::NAN)),
        ("infinite", ValueKind::NumberValue(f64::NEG_INFINITY)),
        ("Key", text("a")),
        ("key", text("b")),
        ("good", ValueKind::NullValue(0)),
        ("", text("a")),
        ("line\nbreak", text("a")),
        (&"k".repeat(200), text("a")),
        (&"l".repeat(201), text("a")),
    ]);
    let none = ProtoValue { kind: None };
    context.as_mut().unwrap().fields.insert("none".to_owned(), none);
    let anchor = v1::AnchorRecord {
        entity: "account".to_owned(),
        id: "x".repeat(201),
        attributes: structure(&[("Title", text("a")), ("TITLE", text("b"))]),
    };
    let q = v1::RenderSessionRequest { context, anchor: Some(anchor), ..of_entity() };
    let long = format!("context[{}]", "l".repeat(60));
    assert_eq!(
        bad(&q),
        [
            "anchor.id",
            "anchor.entity",
            "context[]",
            "context[infinite]",
            "context[key]",
            "context[line\nbreak]",
            "context[list]",
            &long,
            "context[nan]",
            "context[nested]",
            "context[none]",
            "anchor.attributes[Title]",
        ]
    );
}

#[test]
fn entries_and_bytes_are_limited_together() {
    let q = |keys: usize, attributes: usize, bytes: usize| {
        let names: Vec<_> = (0..keys.max(attributes)).map(|index| format!("k{index:03}")).collect();
        let of = |count: usize| {
            let entries = names[..count].iter().map(|name| (name.as_str(), text("")));
            structure(&entries.collect::<Vec<_>>())
        };
        let mut context = of(keys);
        let value = ProtoValue { kind: Some(text(&"x".repeat(bytes))) };
        context.as_mut().unwrap().fields.insert("k000".to_owned(), value);
        let anchor = v1::AnchorRecord { attributes: of(attributes), ..Default::default() };
        v1::RenderSessionRequest { context, anchor: Some(anchor), ..of_entity() }
    };
    assert_eq!(bad(&q(300, 200, 0)), [""; 0]);
    assert_eq!(bad(&q(300, 201, 0)), ["context"]);
    assert_eq!(bad(&q(1, 1, 256 * 1024 - 8)), [""; 0]);
    assert_eq!(bad(&q(1, 1, 256 * 1024 - 7)), ["context"]);
}

fn session_template(name: &str, title: &str) -> v1::ResolvedSessionTemplate {
    v1::ResolvedSessionTemplate {
        unique_name: name.to_owned(),
        title: title.to_owned(),
        scripts: vec!["con_hidden".to_owned(), "con_shown".to_owned(), "con_second".to_owned()],
        panel_mode: v1::PanelMode::Docked.into(),
        icon: "chat.svg".to_owned(),
        tabs: vec![v1::ResolvedTab {
            template: "con_tab".to_owned(),
            page_type: v1::PageType::ThirdPartyWebsite.into(),
            can_close: true,
            parameters: vec![
                v1::ResolvedTabParameter { name: "data".to_owned(), value: "q={q}".to_owned() },
                v1::ResolvedTabParameter {
                    name: "url".to_owned(),
                    value: "https://h.example/".to_owned(),
                },
            ],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A profile with the work streams of the chat channel that are named.
fn content(streams: &[&str]) -> v1::ProfileContent {
    let stream = |name: &&str| v1::ResolvedWorkstream {
        unique_name: (*name).to_owned(),
        channel: "msdyn_channel_chat".to_owned(),
        session_template: "con_session".to_owned(),
        incoming_authenticated: "con_incoming".to_owned(),
        consult: "con_missing".to_owned(),
        ..Default::default()
    };
    let script =
        |name: &str| v1::ResolvedScript { unique_name: name.to_owned(), ..Default::default() };
    v1::ProfileContent {
        channels: Some(v1::ResolvedChannels { effective: true, ..Default::default() }),
        session_templates: vec![v1::ResolvedSessionTemplate {
            entity: "incident".to_owned(),
            title_on_anchor_tab: true,
            ..session_template("con_case", "{anchor.title}")
        }],
        workstreams: streams.iter().map(stream).collect(),
        generic_session_templates: vec![session_template("con_session", "{customerName}")],
        scripts: vec![script("con_second"), script("con_shown")],
        notification_templates: vec![v1::ResolvedNotification {
            unique_name: "con_incoming".to_owned(),
            title: "{customerName}".to_owned(),
            accept_text: "Take".to_owned(),
            reject_text: "Leave".to_owned(),
            countdown_seconds: 30,
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn event(q: &v1::RenderSessionRequest) -> Event {
    let catalog = catalog();
    let mut reader = Reader::new(&catalog);
    let event = session_event(q, &mut reader);
    reader.v.finish().unwrap();
    event
}

fn of_workstream(name: &str, slot: v1::NotificationSlot) -> v1::RenderSessionRequest {
    v1::RenderSessionRequest {
        workstream: name.to_owned(),
        slot: slot.into(),
        context: structure(&[("customername", text("Ann")), ("Q", text("a b"))]),
        ..Default::default()
    }
}

fn of_channel(name: &str, slot: v1::NotificationSlot) -> v1::RenderSessionRequest {
    let channel = name.to_owned();
    v1::RenderSessionRequest { channel, workstream: String::new(), ..of_workstream("", slot) }
}

fn render(
    q: &v1::RenderSessionRequest,
    content: &v1::ProfileContent,
) -> Result<v1::RenderSessionResponse, Refusal> {
    let event = event(q);
    let opened = source::find(&event.source, content, &catalog())?;
    Ok(answer::session(&event, &opened, content))
}

fn reason(q: &v1::RenderSessionRequest, content: &v1::ProfileContent) -> Reason {
    render(q, content).unwrap_err().reason
}

#[test]
fn a_work_stream_opens_its_templates() {
    let q = of_workstream("CON_chat", v1::NotificationSlot::IncomingAuthenticated);
    let answer = render(&q, &content(&["con_chat"])).unwrap();
    let session = answer.session.unwrap();
    assert_eq!((session.template.as_str(), session.title.as_str()), ("con_session", "Ann"));
    assert_eq!((session.panel_mode(), session.icon.as_str()), (v1::PanelMode::Docked, "chat.svg"));
    let [tab] = &answer.tabs[..] else { panic!("{:?}", answer.tabs) };
    assert!(tab.anchor && !tab.can_close);
    assert_eq!(
        (tab.template.as_str(), tab.page_type()),
        ("con_tab", v1::PageType::ThirdPartyWebsite)
    );
    assert_eq!(tab.parameters.len(), 1);
    assert_eq!(tab.parameters[0].value, "https://h.example/?q=a%20b");
    let notification = answer.notification.unwrap();
    assert_eq!((notification.title.as_str(), notification.countdown_seconds), ("Ann", 30));
    assert_eq!((&notification.accept_text[..], &notification.reject_text[..]), ("Take", ""));
    assert_eq!(answer.scripts, ["con_shown", "con_second"]);
    assert_eq!(answer.default_script, "con_shown");
}

#[test]
fn a_slot_without_a_notification_announces_nothing() {
    use v1::NotificationSlot::{Consult, Transfer, Unspecified};
    for slot in [Unspecified, Consult, Transfer] {
        let answer = render(&of_workstream("con_chat", slot), &content(&["con_chat"])).unwrap();
        assert_eq!(answer.notification, None, "{slot:?}");
    }
}

#[test]
fn a_record_opens_its_template_and_is_its_anchor() {
    let anchor = v1::AnchorRecord {
        entity: "incident".to_owned(),
        id: "42".to_owned(),
        attributes: structure(&[("title", text("Refund"))]),
    };
    let q = v1::RenderSessionRequest { anchor: Some(anchor), ..of_entity() };
    let answer = render(&q, &content(&[])).unwrap();
    assert_eq!(answer.session.unwrap().title, "Refund");
    let record = &answer.tabs[0];
    assert_eq!((record.title.as_str(), record.template.as_str()), ("Refund", ""));
    assert_eq!(record.page_type(), v1::PageType::EntityRecord);
    let parameters: Vec<_> =
        record.parameters.iter().map(|p| (p.name.as_str(), p.value.as_str())).collect();
    assert_eq!(parameters, [("entityName", "incident"), ("entityId", "42")]);
    assert_eq!((answer.tabs[1].template.as_str(), answer.tabs[1].can_close), ("con_tab", true));
    assert_eq!(answer.unresolved[0].r#where, "tabs[1].parameters[0].value");
}

#[test]
fn scripts_are_hidden_with_their_tool() {
    let hidden = v1::ProfileContent { scripts: Vec::new(), ..content(&[]) };
    let answer = render(&of_entity(), &hidden).unwrap();
    assert_eq!((answer.scripts, answer.default_script), (Vec::new(), String::new()));
}

#[test]
fn a_channel_stands_for_its_only_work_stream() {
    let slot = v1::NotificationSlot::IncomingAuthenticated;
    let q = of_channel("channels/MSDYN_channel_chat", slot);
    let mut one = content(&["con_chat", "con_voice"]);
    one.workstreams[1].channel = "msdyn_channel_voice".to_owned();
    assert_eq!(render(&q, &one), render(&of_workstream("con_chat", slot), &one));
    let refusal = render(&q, &content(&["con_a", "con_b", "con_c"])).unwrap_err();
    assert_eq!(refusal.reason, Reason::WorkstreamAmbiguous);
    assert_eq!(refusal.metadata["workstreams"], "con_a, con_b, con_c");
    assert_eq!(refusal.violations[0].field, "channel");
}

/// The names that §4.2 and §4.4 give, by channel: session, and notification of each slot.
#[test]
fn a_channel_without_a_work_stream_opens_what_is_built_in() {
    use v1::NotificationSlot as Slot;
    const SLOTS: [(Slot, &str); 5] = [
        (Slot::IncomingUnauthenticated, "incoming_unauthenticated"),
        (Slot::IncomingAuthenticated, "incoming_authenticated"),
        (Slot::Consult, "consult"),
        (Slot::Transfer, "transfer"),
        (Slot::SupervisorAssign, "supervisor_assign"),
    ];
    let open = content(&[]);
    for kind in ChannelKind::ALL {
        let word = kind.as_str().to_ascii_lowercase();
        let session = match kind {
            ChannelKind::Voice => "msdyn_voice_call_session".to_owned(),
            _ => format!("msdyn_{word}_session"),
        };
        for (slot, slot_word) in SLOTS {
            let wanted = match (kind, slot) {
                (
                    ChannelKind::EntityRecords,
                    Slot::IncomingUnauthenticated | Slot::IncomingAuthenticated,
                ) => Some("msdyn_cds_entity_assigned".to_owned()),
                (ChannelKind::EntityRecords, _) => None,
                (ChannelKind::Voice, _) => Some(format!("msdyn_voice_call_{slot_word}")),
                (_, Slot::SupervisorAssign) => None,
                (ChannelKind::Whatsapp, _) => Some(format!("msdyn_custom_messaging_{slot_word}")),
                _ => Some(format!("msdyn_{word}_{slot_word}")),
            };
            let q = of_channel(&format!("msdyn_channel_{word}"), slot);
            let answer = render(&q, &open).unwrap();
            assert_eq!(answer.session.unwrap().template, session);
            assert!(answer.tabs[0].anchor && !answer.tabs[0].can_close);
            let announced = answer.notification.map(|notification| notification.template);
            assert_eq!(announced, wanted, "{kind:?} {slot:?}");
        }
    }
}

#[test]
fn what_does_not_open_is_refused_by_reason() {
    let open = content(&["con_chat"]);
    let off = v1::ProfileContent { channels: None, ..open.clone() };
    let slot = v1::NotificationSlot::Unspecified;
    let stream = of_workstream("con_chat", slot);
    let other = v1::RenderSessionRequest { entity: "account".to_owned(), ..Default::default() };
    assert_eq!(reason(&other, &open), Reason::NoSessionTemplate);
    assert_eq!(reason(&of_workstream("con_other", slot), &open), Reason::ObjectNotFound);
    assert_eq!(reason(&of_channel("con_other", slot), &off), Reason::ObjectNotFound);
    assert_eq!(reason(&stream, &off), Reason::ChannelsOff);
    // A work stream that is stored and not delivered is inactive.
    assert_eq!(reason(&of_workstream("con_voice", slot), &open), Reason::ChannelsOff);
    assert_eq!(reason(&of_channel("msdyn_channel_chat", slot), &off), Reason::ChannelsOff);
    assert_eq!(render(&of_entity(), &off).unwrap().session.unwrap().template, "con_case");
    let without = without_channel("msdyn_channel_chat");
    let event = event(&of_channel("msdyn_channel_chat", slot));
    let refusal = source::find(&event.source, &content(&[]), &without).map(drop).unwrap_err();
    assert_eq!(refusal.reason, Reason::ChannelsOff);
    let refusal = rendered_session(&event, App::Mobile, None, &without).unwrap_err();
    assert_eq!(refusal.reason, Reason::AppNotApplicable);
    let mut left_out = open;
    left_out.workstreams[0].session_template.clear();
    assert_eq!(reason(&stream, &left_out), Reason::NoSessionTemplate);
}
