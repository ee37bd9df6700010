//! What the log never shows, however much is logged.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Instant,
};

use serde_json::Value;

use crate::process::{PATIENCE, command, ends_within, send};

/// What a command prints; whether it succeeds makes no difference.
fn run(args: &[&str]) -> String {
    let output = command(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Where a server listens, by its log.
fn address(log: &Path) -> SocketAddr {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let text = fs::read_to_string(log).unwrap();
        let address = text.split("address=").nth(1).and_then(|rest| rest.split_once(' '));
        if let Some((address, _)) = address {
            return address.parse().unwrap();
        }
        std::thread::yield_now();
    }
    panic!("it does not start");
}

/// Sends a request by HTTP/1.1 and reads the answer.
fn ask(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head =
        format!("{head}\r\nhost: here\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Every text of a file of tokens that is no name: their hashes among them.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() >= 32 => found.push(text.clone()),
        Value::Array(all) => all.iter().for_each(|value| texts(value, found)),
        Value::Object(all) => all.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

#[test]
fn no_line_shows_what_a_caller_showed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (key, tokens, config) = (at("dev.pem"), at("tokens.json"), at("deskplane.toml"));
    let dev = |key: &str, scope: &str| {
        run(&["token", "dev", "--key", key, "--for", "root", "--grant", scope])
    };
    let (admin, agent, foreign) =
        (dev(&key, "admin"), dev(&key, "agent"), dev(&at("other.pem"), "admin"));
    let known = run(&["token", "new", "ci", "--grant", "reader", "--file", &tokens]);
    let unknown = format!("dsk_{}", "Q".repeat(43));
    let text = format!(
        "listen = \"127.0.0.1:0\"\ndata_dir = \"{}\"\nstore.min_free_mib = 0\nscim.enabled = true\n\
         [auth]\ntokens = \"{tokens}\"\n[voice]\nfake_adapter = true\n\
         public_url = \"https://desk.example.com\"\n\
         [[auth.issuers]]\nissuer = \"deskplane-dev\"\naudiences = \"deskplane\"\nkeys = \"{key}.jwks.json\"\n",
        at("data")
    );
    fs::write(&config, text).unwrap();
    let log = folder.path().join("log");
    let mut serve = command(&["--log", "trace", "serve", "--config", &config]);
    let serve = serve.env("DESKPLANE_SECRET_HOOK", "hook-secret-0123456789");
    let mut server = serve.stderr(File::create(&log).unwrap()).spawn().unwrap();
    let address = address(&log);
    let url = format!("http://{address}");
    let provider = at("provider.yaml");
    fs::write(
        &provider,
        "kind: ChannelProvider\nspec:\n  unique_name: con_voice\n  display_name: Voice\n  label: Voice\n  \
         channel_url: https://voice.example.com\n  adapter: fake\n  secrets:\n    \
         webhook_key: env:DESKPLANE_SECRET_HOOK\n",
    )
    .unwrap();
    let tokens_shown = [&admin, &agent, &foreign, &known, &unknown];
    for token in tokens_shown {
        for call in [&["whoami"][..], &["list", "users"], &["apply", "-f", &provider]] {
            run(&[call, &["--server", &url, "--token", token]].concat());
        }
        for (method, path) in [
            ("GET", "/readyz"),
            ("GET", "/scim/v2/Users"),
            ("POST", "/webhooks/con_voice"),
            ("POST", "/deskplane.v1.AgentService/ResolveProfile"),
        ] {
            let head = format!(
                "{method} {path} HTTP/1.1\r\nauthorization: Bearer {token}\r\n\
                 x-fake-signature: planted-signature-{token}"
            );
            ask(address, &head, "{\"password\": \"planted-in-a-body\"}");
        }
        // Not a token by its form, and one in a place where none is looked for.
        ask(
            address,
            &format!("GET /scim/v2/Users?x={token} HTTP/1.1\r\nauthorization: {token}"),
            "",
        );
    }
    send(server.id(), "TERM");
    ends_within(&mut server, PATIENCE);
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("TRACE") || log.contains("DEBUG h2"), "little is logged: {log}");
    let mut planted = vec![
        "hook-secret-0123456789".to_owned(),
        "planted-in-a-body".to_owned(),
        "planted-signature".to_owned(),
    ];
    texts(&serde_json::from_str(&fs::read_to_string(&tokens).unwrap()).unwrap(), &mut planted);
    assert!(planted.len() > 3, "the file holds a hash");
    for token in tokens_shown {
        assert!(token.len() > 40, "{token:?}");
        planted.extend(token.split('.').map(|part| part.to_owned()));
    }
    for text in planted {
        let line = log.lines().find(|line| line.contains(&text));
        assert_eq!(line, None, "{text} is logged");
    }
}
