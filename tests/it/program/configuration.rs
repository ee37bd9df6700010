//! A configuration that is judged and described, and not used.

use std::{fs, os::unix::fs::MetadataExt as _};

use serde_json::Value;

use crate::{process::command, secret_file};

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
    secret_file::set_mode(at("empty"), 0o600);
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
fn secrets_that_others_can_use_are_named_with_their_modes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(at("secrets")).unwrap();
    let files = [
        ("key.pem", 0o644),
        ("ring", 0o640),
        ("secrets/token", 0o604),
        ("tokens.json", 0o664),
        ("crt", 0o644),
    ];
    for (name, mode) in files {
        fs::write(at(name), "").unwrap();
        // A group may read what root owns.
        let root = fs::metadata(at(name)).unwrap().uid() == 0;
        secret_file::set_mode(at(name), if mode == 0o640 && root { 0o660 } else { mode });
    }
    let text = format!(
        "tls = {{ certificate = '{}', key = '{}' }}\nauth.tokens = '{}'\n\
         voice = {{ key_ring = '{}', secrets_dir = '{}' }}\n",
        at("crt"),
        at("key.pem"),
        at("tokens.json"),
        at("ring"),
        at("secrets")
    );
    fs::write(at("files.toml"), text).unwrap();
    let (code, out, err) = serve(&["--config", &at("files.toml"), "--check-config"]);
    assert_eq!((code, out.as_str()), (Some(64), ""), "{err}");
    for (named, mode) in [
        ("key.pem: has mode 0644", "0644"),
        ("ring cannot be used: has mode 06", "06"),
        ("secrets/token: has mode 0604", "0604"),
        ("tokens.json: has mode 0664", "0664"),
    ] {
        let line = err.lines().find(|line| line.contains(named));
        assert!(line.is_some_and(|line| line.contains(mode)), "{named} is not in {err}");
    }
    let data = at("data");
    let (code, _, err) = serve(&["--config", &at("files.toml"), "--data-dir", &data]);
    assert!(code == Some(1) && err.contains("key.pem: has mode 0644"), "{err}");
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
