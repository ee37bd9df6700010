//! The release set of what the store promises: minutes of what the usual run does in seconds. The
//! lines that it prints are the figures to publish.

use super::*;

/// Power cuts of a restore in the release set; those of the other recordings stand with them.
const RESTORES: u32 = 800;

macro_rules! release {
    ($($name:ident: $proof:expr;)*) => {
        $(#[tokio::test]
        #[ignore = "minutes: part of the release set"]
        async fn $name() {
            $proof.await;
        })*
    };
}

release! {
    power_cuts_of_overwrites: power::cut_all(0, 1);
    power_cuts_of_checkpoints: power::cut_all(1, 1);
    power_cuts_of_rolling_segments: power::cut_all(2, 1);
    power_cuts_of_wide_imports: power::cut_all(3, 1);
    power_cuts_of_imports_of_many: power::cut_all(4, 1);
    power_cuts_of_every_kind_and_rollbacks: power::cut_all(5, 1);
    power_cuts_of_restores: cuts_of_restore::cut_restores(RESTORES);
    every_call_may_meet_an_error_of_the_device: calls::fail_calls(Fault::Eio, true);
    every_call_may_meet_a_full_disk: calls::fail_calls(Fault::Enospc, true);
    every_write_may_be_short: calls::fail_calls(Fault::ShortWrite, true);
    every_sync_may_fail: calls::fail_calls(Fault::SyncFailed, true);
    flipped_bits: flips::flip_bits(10_000);
    histories_with_crashes: model::compare_many(1_000);
}

#[test]
fn the_sets_are_as_large_as_they_are_said_to_be() {
    let sums = [0, 1].map(|set| power::SHARES.iter().map(|(_, cuts)| cuts[set]).sum::<u32>());
    assert_eq!([sums[0] + 40, sums[1] + RESTORES], [210, 5_200]);
}
