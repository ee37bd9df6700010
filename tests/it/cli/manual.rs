//! `descriptors`, `completions` and `man`: what is made of the definitions, without a server.

use std::fs;

use prost_reflect::DescriptorPool;

/// Runs a command that needs no server; its output.
async fn out(args: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    let (code, err) = super::run(&mut out, "http://127.0.0.1:1", args).await;
    assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
    out
}

#[tokio::test]
async fn descriptors_hold_the_whole_api_with_its_comments() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deskplane.binpb");
    assert_eq!(out(&["descriptors", "--out", file.to_str().unwrap()]).await, b"");
    let bytes = fs::read(file).unwrap();
    let pool = DescriptorPool::decode(bytes.as_slice()).unwrap();
    for name in ["google.rpc.BadRequest", "grpc.health.v1.HealthCheckRequest"] {
        assert!(pool.get_message_by_name(name).is_some(), "{name}");
    }
    let agent = pool.get_service_by_name("deskplane.v1.AgentService").unwrap().parent_file();
    let mut comments = agent.file_descriptor_proto().source_code_info.iter();
    assert!(comments.any(|info| info.location.iter().any(|at| at.leading_comments.is_some())));
    let access = pool.get_extension_by_name("deskplane.v1.access").unwrap();
    let agent = pool.get_service_by_name("deskplane.v1.AgentService").unwrap();
    let options = agent.methods().next().unwrap().options();
    assert!(options.has_extension(&access), "options of methods are kept");
    let nowhere = folder.path().join("none/deskplane.binpb");
    let args = ["descriptors", "--out", nowhere.to_str().unwrap()];
    let (code, err) = super::run(&mut Vec::new(), "http://127.0.0.1:1", &args).await;
    assert!(code == 1 && err.contains("cannot write"), "{code} {err}");
}

#[tokio::test]
async fn every_shell_gets_completions_of_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = String::from_utf8(out(&["completions", shell]).await).unwrap();
        for word in ["serve", "health", "import", "check-config"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[tokio::test]
async fn every_command_has_a_manual_page() {
    let page = String::from_utf8(out(&["man"]).await).unwrap();
    assert!(page.contains(".TH deskplane 1") && page.contains("deskplane\\-serve(1)"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    out(&["man", "--out", pages.to_str().unwrap()]).await;
    for name in ["deskplane.1", "deskplane-serve.1", "deskplane-users-import.1"] {
        let page = fs::read_to_string(pages.join(name)).unwrap();
        assert!(page.contains(".TH") && page.contains("NAME"), "{name}: {page}");
    }
}
