//! A configuration that is judged and described, and not used.

use std::fs;

use serde_json::Value;

use crate::process::command;

/// What `serve` with these arguments answers: its status, output and remarks.
fn serve(args: &[&str]) -> (Option<i32>, String, String) {
    let done = command(&[&["serve"], args].concat()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn a_configuration_that_can_be_used_is_ok_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("deskplane.toml");
    fs::write(&file, format!("data_dir = '{}'", data.display())).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(
        serve(&["--config", file, "--check-config"]),
        (Some(0), "ok\n".to_owned(), String::new())
    );
    assert!(!data.exists());
}

#[test]
fn every_mistake_of_a_configuration_and_of_its_files_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("empty"), "").unwrap();
    let text = format!(
        "data_dir = '{empty}'\ntls = {{ certificate = '{empty}', key = '{empty}' }}\n\
         voice = {{ key_ring = '{gone}', secrets_dir = '{gone}' }}\n",
        empty = at("empty"),
        gone = at("gone")
    );
    fs::write(at("files.toml"), text).unwrap();
    let (code, out, err) = serve(&["--config", &at("files.toml"), "--check-config"]);
    assert_eq!((code, out.as_str()), (Some(64), ""), "{err}");
    for part in [
        "`data_dir`: ",
        "empty: holds no certificate",
        "`voice.key_ring`: the key ring ",
        "`voice.secrets_dir`: ",
    ] {
        assert!(err.contains(part), "{part} is not in {err}");
    }
    fs::write(at("values.toml"), "colour = 1\nwatch.quiet_ms = 60001").unwrap();
    let (code, _, err) = serve(&["--config", &at("values.toml"), "--check-config"]);
    assert!(code == Some(64) && err.contains("`colour`"), "{err}");
    let (code, ..) = serve(&["--check-config", "--print-config"]);
    assert_eq!(code, Some(2), "one of them at a time");
}

#[test]
fn the_schema_takes_what_is_printed_and_refuses_mistakes() {
    let (code, schema, err) = serve(&["--config-schema"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let quiet = &schema["properties"]["watch"]["properties"]["quiet_ms"];
    assert_eq!((&quiet["maximum"], &quiet["default"]), (&60_000.into(), &50.into()));
    assert!(quiet["description"].as_str().unwrap().starts_with("Milliseconds"), "{quiet}");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let (_, printed, _) = serve(&["--print-config", "-o", "json"]);
    let mut printed: Value = serde_json::from_str(&printed).unwrap();
    assert!(validator.is_valid(&printed), "{:?}", validator.iter_errors(&printed).next());
    printed["watch"]["quiet_ms"] = 60_001.into();
    assert!(!validator.is_valid(&printed));
    printed["watch"]["quiet_ms"] = 50.into();
    printed["colour"] = 1.into();
    assert!(!validator.is_valid(&printed));
}
