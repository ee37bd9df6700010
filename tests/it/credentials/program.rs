//! The program: a configuration file, tokens of its own command line, SIGHUP, other machines.

use std::fs;

use serde_json::Value;

use crate::process::{Process, command};

/// What a command prints, which must succeed.
fn run(args: &[&str]) -> String {
    let output = command(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The exit code of a command, and what it says.
fn fails(args: &[&str]) -> (Option<i32>, String) {
    let output = command(args).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_server_for_other_machines_takes_tokens_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (key, tokens, config) = (at("dev.pem"), at("tokens.json"), at("deskplane.toml"));
    let dev = ["token", "dev", "--key", &key];
    let admin = run(&[&dev[..], &["--for", "root", "--grant", "admin"]].concat());
    let text = format!(
        "listen = \"0.0.0.0:0\"\ndata_dir = \"{}\"\nstore.min_free_mib = 0\n\
         [auth]\ntokens = \"{tokens}\"\n\
         [[auth.issuers]]\nissuer = \"deskplane-dev\"\naudiences = \"deskplane\"\nkeys = \"{key}.jwks.json\"\n",
        at("data")
    );
    fs::write(&config, text).unwrap();
    let server = Process::of(command(&["serve", "--config", &config]));
    let address = format!("http://127.0.0.1:{}", server.address().port());
    let ask = |token: &str, args: &[&str]| {
        let args = [args, &["--server", &address, "--token", token]].concat();
        fails(&args)
    };
    let caller: Value = serde_json::from_str(&run(&[
        "whoami", "-o", "json", "--server", &address, "--token", &admin,
    ]))
    .unwrap();
    assert_eq!((&caller["subject"], &caller["scopes"][0]), (&"root".into(), &"SCOPE_ADMIN".into()));

    let refused = fails(&["whoami", "--server", &address]);
    assert!(refused.0 == Some(1) && refused.1.contains("CREDENTIAL_REQUIRED"), "{refused:?}");
    let other = run(&["token", "dev", "--key", &at("other.pem"), "--grant", "admin"]);
    let refused = ask(&other, &["whoami"]);
    assert!(refused.1.contains("CREDENTIAL_INVALID") && !refused.1.contains(&other), "{refused:?}");

    let file = ["--file", tokens.as_str()];
    let ci =
        run(&[&["token", "new", "ci", "--grant", "reader", "--days", "1"][..], &file].concat());
    server.signal("HUP");
    server.says("tokens are reloaded");
    assert_eq!(ask(&ci, &["list", "profiles"]).0, Some(0));
    let twice = fails(&[&["token", "new", "ci", "--grant", "reader"][..], &file].concat());
    assert!(twice.0 == Some(1) && twice.1.contains("`ci`"), "{twice:?}");
    let listed = run(&[&["token", "list", "-o", "json"][..], &file].concat());
    assert!(listed.contains("\"reader\"") && !listed.contains("dsk_"), "{listed}");
    run(&[&["token", "revoke", "ci"][..], &file].concat());
    server.signal("HUP");
    server.says("revoked=1");
    assert!(ask(&ci, &["whoami"]).1.contains("TOKEN_UNKNOWN"));
    server.end();
}

#[test]
fn without_credentials_no_other_machine_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("deskplane.toml").display().to_string();
    let refuse = |text: &str, wanted: &[&str]| {
        fs::write(&config, text).unwrap();
        let (code, said) = fails(&["serve", "--config", &config]);
        assert_eq!(code, Some(64), "{text}: {said}");
        for wanted in wanted {
            assert!(said.contains(wanted), "{text}: {said} lacks {wanted}");
        }
    };
    let issuer = "[[auth.issuers]]\nissuer = \"https://login.example\"\naudiences = \"a\"\n";
    refuse("listen = \"0.0.0.0:0\"\n", &["`listen`", "auth.issuers"]);
    refuse(&format!("{issuer}audience = \"b\"\n"), &["auth.issuers", "audience"]);
    refuse("[[auth.issuers]]\nissuer = \"https://login.example\"\n", &["audiences"]);
    refuse("[[auth.issuers]]\nissuer = \"x\"\naudiences = []\n", &["[0].issuer", "[0].audiences"]);
    refuse(&format!("{issuer}keys = \"http://keys.example\"\n"), &["[0].keys", "https"]);
    refuse(&format!("{issuer}algorithms = \"HS256\"\n"), &["HS256"]);
    refuse(&format!("{issuer}scopes = \"emperor\"\n"), &["emperor"]);
    refuse(&format!("{issuer}refresh_s = 1\n"), &["[0].refresh_s"]);
    refuse(&format!("{issuer}{issuer}"), &["[1].issuer", "twice"]);
    refuse(&format!("auth.anonymous = true\n{issuer}"), &["auth.anonymous"]);
    refuse("[[auth.certificates]]\ndns = \"a\"\nuser = \"b\"\n", &["tls.client_ca"]);
    let tls = "[tls]\ncertificate = \"a\"\nkey = \"b\"\nclient_ca = \"c\"\n";
    for row in [
        "dns = \"a\"",
        "user = \"a\"",
        "dns = \"a\"\nuri = \"b\"\nuser = \"c\"",
        "dns = \"a*b*\"\nuser = \"c\"",
        "dns = \"a\"\nuser = \"*\"",
    ] {
        refuse(&format!("{tls}[[auth.certificates]]\n{row}\n"), &["auth.certificates[0]"]);
    }
}

#[test]
fn callers_without_credentials_are_served_elsewhere_only_when_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = command(&["serve", "--listen", "0.0.0.0:0", "--data-dir"]);
    serve.arg(folder.path()).env("DESKPLANE_STORE__MIN_FREE_MIB", "0");
    serve.env("DESKPLANE_AUTH__ANONYMOUS", "true");
    let server = Process::of(serve);
    server.says("every caller is an administrator");
    server.end();
}
