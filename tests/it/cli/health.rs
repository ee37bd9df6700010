//! `health`: what a probe of a container learns from its exit code.

use super::World;

#[tokio::test]
async fn a_server_that_serves_is_healthy() {
    let world = World::new().await;
    assert_eq!(world.out(&["health"]).await, "SERVING\n");
    assert_eq!(world.out(&["health", "--service", "deskplane.v1.writes"]).await, "SERVING\n");
    assert!(world.out(&["health", "-o", "json"]).await.contains(r#""status": "SERVING""#));
    let scoped = ["--user", "nobody", "--scopes", "agent", "health"];
    assert_eq!(world.out(&scoped).await, "SERVING\n", "health needs no credential");
}

#[tokio::test]
async fn what_no_server_answers_is_not_healthy() {
    let world = World::new().await;
    let unknown = world.run(&["health", "--service", "deskplane.v1.NoService"]).await;
    assert_eq!((unknown.code, unknown.out.as_str()), (1, ""), "{unknown:?}");
    assert!(unknown.err.contains("no health of a service `deskplane.v1.NoService`"), "{unknown:?}");
    let nowhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nowhere.local_addr().unwrap().to_string();
    // It listens, and nobody accepts.
    let (code, err) = super::run(&mut Vec::new(), &address, &["health", "--timeout", "1"]).await;
    assert_eq!((code, err.as_str()), (1, "no answer about health within 1 s\n"));
    drop(nowhere);
    let (code, err) = super::run(&mut Vec::new(), &address, &["health"]).await;
    assert!(code == 1 && err.contains("cannot reach"), "{code} {err}");
    let (code, _) = super::run(&mut Vec::new(), "ftp://127.0.0.1", &["health"]).await;
    assert_eq!(code, 2);
}
