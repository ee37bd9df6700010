use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn zeros_at_the_end_are_none_that_were_written(
        written in prop::collection::vec(0..3_u8, 0..20),
        zeros in prop_oneof![0..20_usize, 4_000..4_200_usize, 8_000..8_400_usize],
    ) {
        let mut bytes = written;
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.resize(bytes.len() + zeros, 0);
        prop_assert_eq!(before_zeros(&bytes), &bytes[..written]);
    }
}
