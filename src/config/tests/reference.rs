//! `docs/configuration.md`, made of the settings themselves. After a change of a setting run
//! `DESKPLANE_RENDER=1 cargo test --lib config::tests::reference`.

use std::{collections::BTreeMap, env, fs, path::Path};

use clap::Args as _;

use super::super::{Config, Flags, PREFIX, schema::Setting};

const HEAD: &str = "# Configuration

Every setting of `deskplane serve`, generated from the code (`DESKPLANE_RENDER=1 cargo test --lib config::tests::reference`). A setting comes from its default, then the file that `--config` or `DESKPLANE_CONFIG` names (TOML), then its environment variable, then its flag; a later source wins. A variable that is set to nothing counts as not set, and a variable that begins with `DESKPLANE_` and is no setting is a mistake.

    deskplane serve --print-config
    deskplane serve --check-config
    deskplane serve --config-schema

The first prints what is in effect as a file. The second judges the whole configuration, with the certificates, keys and folders that it names, prints `ok` or every mistake, and starts nothing; its status is 0 or 64. The third prints this page as a JSON Schema, by which editors complete and check a file. [`packaging/deskplane.toml`](../packaging/deskplane.toml) is an example.

`-` as a default means that there is none. A list may be written as one text with commas, too; in a variable it always is.
";

#[test]
fn the_reference_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let rendered = render();
    if env::var_os("DESKPLANE_RENDER").is_some() {
        fs::write(&path, &rendered).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(written == rendered, "docs/configuration.md differs from the settings");
}

fn render() -> String {
    let (mut page, mut section, flags) = (HEAD.to_owned(), None, flags());
    for setting in Setting::all::<Config>() {
        let (of, _) = setting.key.rsplit_once('.').unwrap_or_default();
        if section.as_deref() != Some(of) {
            page.push_str(&heading(of));
            section = Some(of.to_owned());
        }
        page.push_str(&row(&setting, &flags));
    }
    page
}

/// What stands before the settings of a section.
fn heading(section: &str) -> String {
    let head = "| Setting | Value | Default | Variable, flag | Meaning |\n|---|---|---|---|---|\n";
    if section.is_empty() {
        return format!("\n## Without a section\n\n{head}");
    }
    let schema = Config::schema();
    let about = schema.pointer(&format!("/properties/{section}/description"));
    let about = about.and_then(|about| about.as_str()).unwrap();
    format!("\n## `[{section}]`\n\n{}\n\n{head}", one_line(about))
}

fn row(setting: &Setting, flags: &BTreeMap<String, String>) -> String {
    let Setting { key, value } = setting;
    let variable = key.replace('.', "__").to_ascii_uppercase();
    let flag = flags.get(key).map(|flag| format!(", `{flag}`")).unwrap_or_default();
    let default = match &value["default"] {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) if text.is_empty() => "-".to_owned(),
        serde_json::Value::Array(all) if all.is_empty() => "-".to_owned(),
        serde_json::Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    let is_table = value["items"]["type"] == "object";
    let variable = match is_table {
        true => "in the file alone".to_owned(),
        false => format!("`{PREFIX}{variable}`"),
    };
    let meaning = one_line(value["description"].as_str().unwrap());
    let name = key.rsplit('.').next().unwrap();
    format!("| `{name}` | {} | {default} | {variable}{flag} | {meaning} |\n", form(setting))
}

/// What values a setting takes.
fn form(setting: &Setting) -> String {
    let value = &setting.value;
    if let Some(choices) = value["oneOf"].as_array() {
        let choices = choices.iter().map(|choice| format!("`{}`", choice["const"]));
        return choices.collect::<Vec<_>>().join(", ");
    }
    let (least, most) = (setting.number("minimum"), setting.number("maximum"));
    match (value["type"].to_string().as_str(), least, most) {
        (r#""boolean""#, ..) => "`true`, `false`".to_owned(),
        (r#""integer""#, least, Some(most)) => format!("{} to {most}", least.unwrap_or_default()),
        (r#""array""#, ..) if value["items"]["type"] == "object" => "list of tables".to_owned(),
        (kind, ..) if kind.contains("array") => "list".to_owned(),
        (kind, ..) if kind.contains("string") => "text".to_owned(),
        (kind, ..) => panic!("`{}`: {kind} without a range", setting.key),
    }
}

/// The flags of `serve` by the key of their setting.
fn flags() -> BTreeMap<String, String> {
    let keys: Vec<_> = Setting::all::<Config>().into_iter().map(|setting| setting.key).collect();
    let command = Flags::augment_args(clap::Command::new("serve"));
    let flags = command.get_arguments().filter_map(clap::Arg::get_long).chain(["log"]);
    let mut found = BTreeMap::new();
    for flag in flags {
        let name = flag.replace('-', "_");
        let of = |key: &&String| key.rsplit('.').next() == Some(name.as_str());
        let of: Vec<_> = keys.iter().filter(of).collect();
        assert_eq!(of.len(), 1, "--{flag} is the flag of {of:?}");
        found.insert(of[0].clone(), format!("--{flag}"));
    }
    found
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
