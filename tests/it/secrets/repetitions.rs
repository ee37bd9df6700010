//! Repetitions of writes with secrets, whatever becomes of the key ring meanwhile.

use super::*;

/// SPEC §7.1 rule 6: the first answer within 24 hours, whatever becomes of the keys meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_after_a_rotation_gets_the_first_answer() {
    let folder = tempfile::tempdir().unwrap();
    let [data, ring] = ["data", "ring"].map(|name| folder.path().join(name));
    let [old, new] = ["old", "new"].map(new_key);
    crate::secret_file::write(&ring, &old);
    let server = Process::start(&data, &ring);
    let request = create(provider("contoso_voice", "hunter2"));
    let repeat = async |server: &Process, secret: &str| {
        let mut request = request.clone();
        request
            .channel_provider
            .as_mut()
            .unwrap()
            .secrets
            .insert("webhook_key".into(), secret.into());
        let mut providers = ProviderServiceClient::new(server.channel().await);
        providers.create_channel_provider(request).await.map(Response::into_inner)
    };
    let first = repeat(&server, "hunter2").await.unwrap();
    assert!(first.write.as_ref().unwrap().changed);

    crate::secret_file::write(&ring, format!("{new}{old}"));
    assert!(run(&["--server", &server.uri(), "secrets", "rotate"]).status.success());
    assert_eq!(repeat(&server, "hunter2").await.unwrap().write, first.write);
    let other = repeat(&server, "hunter3").await.unwrap_err();
    assert!(other.message().contains("another payload"), "{other}");

    // Without the old key, and by another process.
    crate::secret_file::write(&ring, &new);
    assert!(run(&["--server", &server.uri(), "secrets", "rotate"]).status.success());
    assert_eq!(repeat(&server, "hunter2").await.unwrap().write, first.write);
    server.end();
    let server = Process::start(&data, &ring);
    assert_eq!(repeat(&server, "hunter2").await.unwrap().write, first.write);
    assert!(repeat(&server, "hunter3").await.is_err());
    server.end();
}

/// A store without secrets opens with any ring; what was lost with the old one is the memory of
/// repetitions.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_secrets_starts_with_another_ring() {
    let folder = tempfile::tempdir().unwrap();
    let [data, ring] = ["data", "ring"].map(|name| folder.path().join(name));
    crate::secret_file::write(&ring, new_key("old"));
    let server = Process::start(&data, &ring);
    // Once a call is answered, the server has written what it writes at its start.
    let mut providers = ProviderServiceClient::new(server.channel().await);
    providers.list_channel_providers(ListChannelProvidersRequest::default()).await.unwrap();
    server.end();
    crate::secret_file::write(&ring, new_key("other"));
    let server = Process::start(&data, &ring);
    let mut providers = ProviderServiceClient::new(server.channel().await);
    let request = create(provider("contoso_voice", "hunter2"));
    let first = providers.create_channel_provider(request.clone()).await.unwrap().into_inner();
    let again = providers.create_channel_provider(request).await.unwrap().into_inner();
    assert_eq!(again.write, first.write);
    let log = server.end();
    assert!(log.contains("the key of fingerprints does not open and is replaced"), "{log}");
}
