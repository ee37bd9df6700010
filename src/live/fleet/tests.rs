//! What the fleet keeps, without streams.

use super::*;
use crate::domain::{NoDeliveryLog, Time};

fn fleet() -> Fleet {
    Fleet::new(Clock::new(|| Time::from_micros(1), uuid::Uuid::new_v4), Arc::new(NoDeliveryLog))
}

#[test]
fn s10_8_a_client_that_takes_another_id_each_time_displaces_its_own_past_alone() {
    let fleet = fleet();
    let (ann, bob) = (UserId::parse("ann").unwrap(), UserId::parse("bob").unwrap());
    drop(fleet.connect(&bob, App::Unspecified, Some("desk")));
    for at in 0..3 * index::MAX_OF_USER {
        drop(fleet.connect(&ann, App::Workspace, Some(&format!("c{at}"))));
    }
    assert_eq!(fleet.index().len(), index::MAX_OF_USER + 1);
}
