//! `render`: what opens for an event, with its texts.

use std::{
    io,
    path::{Path, PathBuf},
};

use deskplane_proto::v1;
use serde_json::{Map, Value, json};

use super::{
    Client, Error, Format, Io, Result,
    apply::input,
    output::{self, short, table},
    resolve::{Subject, choice},
    tree::{self, Mistake, Node},
};

/// Arguments of `render`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A file holds an event as YAML or JSON: `entity`, `workstream` or `channel`, and \
`slot`, `app`, `anchor` (`entity`, `id`, `attributes`) and `context`, as RenderSession takes them. \
Options add to the file, and win over it. Values of options are texts; in a file they may also be \
numbers, true, false and null."
)]
pub(super) struct Args {
    #[command(flatten)]
    subject: Subject,
    /// Record type that is opened, e.g. incident.
    #[arg(long, value_name = "NAME", group = "source")]
    entity: Option<String>,
    /// Work stream through which work arrives.
    #[arg(long, value_name = "NAME", group = "source")]
    workstream: Option<String>,
    /// Channel through which work arrives.
    #[arg(long, value_name = "NAME", group = "source")]
    channel: Option<String>,
    /// Event that is announced, e.g. incoming-authenticated or transfer.
    #[arg(long)]
    slot: Option<String>,
    /// Id of the record that the session is about.
    #[arg(long, value_name = "ID")]
    anchor_id: Option<String>,
    /// Attribute of that record; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    anchor: Vec<(String, String)>,
    /// Value of the event; may be given more than once.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    context: Vec<(String, String)>,
    /// File with the event, `-` for standard input.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("reads KEY=VALUE".to_owned()),
    }
}

/// Renders the session of one event.
pub(super) async fn run(
    client: &Client,
    args: Args,
    format: Format,
    io: &mut Io<'_>,
) -> Result<()> {
    let request = args.request(client)?;
    let answer = client.call("AgentService", "RenderSession", request).await?;
    if format != Format::Table {
        return io.value(format, &output::message(&answer)?);
    }
    show(&answer.transcode_to()?, io)
}

impl Args {
    fn request(&self, client: &Client) -> Result<Value> {
        let mut request = match &self.file {
            Some(file) => event(file, &mut io::stdin().lock())?,
            None => Map::new(),
        };
        for (field, message) in [("app", "ResolveProfileRequest"), ("slot", "RenderSessionRequest")]
        {
            if let Some(Value::String(word)) = request.get(field) {
                let word = choice(client, message, field, word)?;
                request.insert(field.to_owned(), json!(word));
            }
        }
        if let Value::Object(subject) = self.subject.request(client)? {
            request.extend(subject.into_iter().filter(|(_, value)| !value.is_null()));
        }
        let sources = ["entity", "workstream", "channel"];
        let given = [&self.entity, &self.workstream, &self.channel];
        if given.iter().any(|source| source.is_some()) {
            request.retain(|field, _| !sources.contains(&field.as_str()));
        }
        for (field, source) in sources.into_iter().zip(given) {
            request.extend(source.as_ref().map(|name| (field.to_owned(), json!(name))));
        }
        if let Some(slot) = &self.slot {
            let slot = choice(client, "RenderSessionRequest", "slot", slot)?;
            request.insert("slot".to_owned(), json!(slot));
        }
        extend(&mut request, "context", "--context", &self.context)?;
        if self.anchor_id.is_some() || !self.anchor.is_empty() {
            let anchor = request.entry("anchor").or_insert_with(|| json!({}));
            let anchor = anchor.as_object_mut().ok_or_else(|| no_map("anchor"))?;
            anchor.extend(self.anchor_id.as_ref().map(|id| ("id".to_owned(), json!(id))));
            extend(anchor, "attributes", "--anchor", &self.anchor)?;
        }
        Ok(Value::Object(request))
    }
}

/// Adds the values of options to those of the file.
fn extend(
    parent: &mut Map<String, Value>,
    field: &str,
    option: &str,
    pairs: &[(String, String)],
) -> Result<()> {
    for (at, (key, _)) in pairs.iter().enumerate() {
        if pairs[..at].iter().any(|(before, _)| before.eq_ignore_ascii_case(key)) {
            return Err(Error::Usage(format!("`{option}`: {key} is given twice")));
        }
    }
    if !pairs.is_empty() {
        let values = parent.entry(field).or_insert_with(|| json!({}));
        let values = values.as_object_mut().ok_or_else(|| no_map(field))?;
        for (key, value) in pairs {
            values.retain(|before, _| !before.eq_ignore_ascii_case(key));
            values.insert(key.clone(), json!(value));
        }
    }
    Ok(())
}

fn no_map(field: &str) -> Error {
    Error::Usage(format!("`{field}` of the file must be a map"))
}

/// Reads the event that a file describes.
fn event(file: &Path, stdin: &mut dyn io::Read) -> Result<Map<String, Value>> {
    let sources = input::read(&[file.to_owned()], stdin)?;
    let Some(source) = sources.first() else { return Ok(Map::new()) };
    let wrong = |mistake: Mistake| {
        Error::Usage(format!("{}:{}: {}", source.name, mistake.at, mistake.text))
    };
    let mut documents = tree::read(&source.text).map_err(wrong)?;
    let usage = |text: &str| Error::Usage(format!("{}: {text}", source.name));
    let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
        return Err(usage("must hold one event"));
    };
    once(&document).map_err(wrong)?;
    match serde_json::to_value(&document)? {
        Value::Object(event) => Ok(event),
        _ => Err(usage("must hold a map")),
    }
}

/// Refuses a map with a key that stands twice, at any depth.
fn once(document: &Node) -> Result<(), Mistake> {
    match &document.value {
        tree::Value::Scalar(_) => Ok(()),
        tree::Value::List(all) => all.iter().try_for_each(once),
        tree::Value::Map(entries) => {
            for (at, (key, _)) in entries.iter().enumerate() {
                let same =
                    |before: &&tree::Key| before.scalar.text.eq_ignore_ascii_case(&key.scalar.text);
                if let Some(first) = entries[..at].iter().map(|(key, _)| key).find(same) {
                    let text =
                        format!("{}: is given twice, first at {}", key.scalar.text, first.at);
                    return Err(Mistake::new(key.at, text));
                }
            }
            entries.iter().try_for_each(|(_, node)| once(node))
        }
    }
}

/// Shows a session for people.
fn show(answer: &v1::RenderSessionResponse, io: &mut Io<'_>) -> Result<()> {
    let session = answer.session.clone().unwrap_or_default();
    let rows = [
        ("SESSION", session.title.clone()),
        ("TEMPLATE", session.template.clone()),
        ("PANEL", short(session.panel_mode().as_str_name(), "PanelMode").to_owned()),
        ("ICON", session.icon),
        ("SCRIPT", answer.default_script.clone()),
        ("SCRIPTS", answer.scripts.join(", ")),
        ("CUT", answer.truncated.join(", ")),
        ("DIGEST", answer.digest.clone()),
        ("REVISION", answer.revision.to_string()),
    ];
    let rows = rows.into_iter().filter(|(_, value)| !value.is_empty());
    io.line(table(&[], rows.map(|(name, value)| [name.to_owned(), value])))?;
    io.line("")?;
    let headings = ["TAB", "TITLE", "PAGE", "CLOSES", "PARAMETERS"];
    io.line(table(&headings, answer.tabs.iter().map(tab)))?;
    if let Some(notification) = &answer.notification {
        io.line("")?;
        io.line(table(&[], announced(notification)))?;
    }
    let unresolved = answer.unresolved.iter().map(|slug| {
        let reason = short(slug.reason().as_str_name(), "UnresolvedReason").to_owned();
        [slug.slug.clone(), slug.r#where.clone(), reason]
    });
    let deferred = answer.deferred.iter();
    let deferred =
        deferred.map(|slug| [slug.slug.clone(), slug.r#where.clone(), "DEFERRED".to_owned()]);
    let stays: Vec<_> = unresolved.chain(deferred).collect();
    if !stays.is_empty() {
        io.line("")?;
        io.line(table(&["STAYS", "WHERE", "WHY"], stays))?;
    }
    Ok(())
}

fn tab(tab: &v1::RenderedTab) -> [String; 5] {
    let parameters = tab.parameters.iter().map(|p| format!("{}={}", p.name, p.value));
    let closes = match (tab.anchor, tab.can_close) {
        (true, _) => "anchor",
        (false, true) => "yes",
        (false, false) => "no",
    };
    [
        tab.template.clone(),
        tab.title.clone(),
        short(tab.page_type().as_str_name(), "PageType").to_owned(),
        closes.to_owned(),
        parameters.collect::<Vec<_>>().join(" "),
    ]
}

fn announced(notification: &v1::RenderedNotification) -> Vec<[String; 2]> {
    let texts = [&notification.accept_text, &notification.reject_text];
    let buttons = texts.into_iter().filter(|text| !text.is_empty()).cloned();
    let mut rows = vec![
        ["NOTIFICATION".to_owned(), notification.title.clone()],
        ["TEMPLATE".to_owned(), notification.template.clone()],
        ["BUTTONS".to_owned(), buttons.collect::<Vec<_>>().join(", ")],
    ];
    if notification.show_countdown {
        rows.push(["COUNTDOWN".to_owned(), format!("{} s", notification.countdown_seconds)]);
    }
    let fields = notification.fields.iter();
    rows.extend(fields.map(|field| [format!("  {}", field.header), field.value.clone()]));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Map<String, Value>> {
        event(Path::new("-"), &mut text.as_bytes())
    }

    #[test]
    fn an_event_is_one_map_that_says_each_thing_once() {
        let yaml =
            "channel: con_chat\ncontext: {vip: true, customerName: Ann, n: 1.5, none: null}\n";
        let json = r#"{"channel": "con_chat",
            "context": {"vip": true, "customerName": "Ann", "n": 1.5, "none": null}}"#;
        assert_eq!(read(yaml).unwrap(), read(json).unwrap());
        for (text, expected) in [
            ("", "-: must hold one event"),
            ("a: 1\n---\nb: 2\n", "-: must hold one event"),
            ("- a\n", "-: must hold a map"),
            ("a: {b: 1, B: 2}\n", "-:1:11: B: is given twice, first at 1:5"),
            ("a: [\n", "-:"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{text}");
            assert!(error.to_string().starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn options_win_over_the_file_and_are_given_once() {
        let mut parent = read("context: {customername: Ann, vip: true}").unwrap();
        let pairs = |all: &[&str]| all.iter().map(|text| pair(text).unwrap()).collect::<Vec<_>>();
        let given = pairs(&["customerName=Bob=", "empty="]);
        extend(&mut parent, "context", "--context", &given).unwrap();
        let expected = json!({"customerName": "Bob=", "vip": true, "empty": ""});
        assert_eq!(parent["context"], expected);
        let twice = extend(&mut parent, "context", "--context", &pairs(&["a=1", "A=2"]));
        assert_eq!(twice.unwrap_err().to_string(), "`--context`: A is given twice");
        assert!(pair("=x").is_err() && pair("x").is_err());
    }
}
