//! What the fleet keeps, without streams.

mod model;

use super::*;
use crate::domain::{NoDeliveryLog, Time, UniqueName};

fn fleet() -> Fleet {
    Fleet::new(Clock::new(|| Time::from_micros(1), uuid::Uuid::new_v4), Arc::new(NoDeliveryLog))
}

#[test]
fn s10_8_a_client_that_takes_another_id_each_time_displaces_its_own_past_alone() {
    let fleet = fleet();
    let (ann, bob) = (UserId::parse("ann").unwrap(), UserId::parse("bob").unwrap());
    drop(fleet.connect(&bob, App::Unspecified, Some("desk")));
    for at in 0..3 * super::index::MAX_OF_USER {
        drop(fleet.connect(&ann, App::Workspace, Some(&format!("c{at}"))));
    }
    assert_eq!(fleet.shared.index().len(), super::index::MAX_OF_USER + 1);
    // Those that are connected stay.
    let connect = |at| fleet.connect(&ann, App::Omnichannel, Some(&format!("open{at}")));
    let open: Vec<_> = (0..2 * super::index::MAX_OF_USER).map(connect).collect();
    assert_eq!(fleet.shared.index().len(), open.len() + 1);
}

#[test]
fn s10_8_the_number_of_clients_that_are_away_is_bounded() {
    let fleet = fleet();
    for at in 0..super::index::MAX_AWAY + 500 {
        let user = UserId::parse(&format!("user{at:06}")).unwrap();
        drop(fleet.connect(&user, App::Unspecified, Some("desk")));
    }
    assert_eq!(fleet.shared.index().len(), super::index::MAX_AWAY);
}

/// Kibibytes of memory that the process has.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn s10_8_a_client_takes_at_most_two_hundred_bytes() {
    const CLIENTS: usize = 100_000;
    let fleet = fleet();
    let digest = format!("d1:{}", "0".repeat(64));
    let profile = Some(UniqueName::parse("contoso_rep").unwrap());
    let content = Arc::new(ContentId { digest: digest.clone(), profile });
    // The catalog and the streams hold the ids of users anyway.
    let users: Vec<_> =
        (0..CLIENTS).map(|at| UserId::parse(&format!("agent{at:06}")).unwrap()).collect();
    let before = resident();
    for user in &users {
        let client = Client::new(user.clone(), App::Workspace, "desk-0001");
        let client = fleet.shared.index().connect(client, Time::from_micros(1));
        client.deliver(&content, 7, Time::from_micros(1));
        let client_id = "desk-0001".to_owned();
        let (user, app, revision) = (user.clone(), App::Workspace, 7);
        let (digest, status) = (digest.clone(), ReportStatus::Applied);
        let report = Report { user, app, client_id, revision, digest, status };
        assert_eq!(client.report(report, None), Ok(false));
    }
    let measured = (resident() - before) * 1_024 / CLIENTS;
    let counts = 2 * size_of::<usize>();
    let computed = counts + size_of::<Client>() + "desk-0001".len() + 2 * size_of::<usize>();
    assert!(computed <= 200, "{computed}");
    // Pages, the allocator's own and the slack of the index are in this one.
    assert!(measured <= 400, "{measured}");
    assert_eq!(fleet.statuses(None, 7).count(), CLIENTS);
}
