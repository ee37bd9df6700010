//! What the fleet keeps, without streams.

mod memory;
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
