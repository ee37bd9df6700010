//! A layered map says what a plain map says, whatever was built in bulk and whatever came later.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A change of one entry; `None` removes it.
type Step = (u8, Option<u8>);

fn entries() -> impl Strategy<Value = Vec<(u8, u8)>> {
    proptest::collection::vec((0u8..40, any::<u8>()), 0..40)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((0u8..40, proptest::option::of(any::<u8>())), 0..60)
}

fn same(map: &Layered<u8, u8>, model: &BTreeMap<u8, u8>) -> Result<(), TestCaseError> {
    prop_assert_eq!(map.len(), model.len());
    prop_assert_eq!(map.is_empty(), model.is_empty());
    prop_assert!(map.iter().eq(model.iter()));
    for key in 0..41 {
        prop_assert_eq!(map.get(&key), model.get(&key));
        let behind = (Bound::Excluded(key), Bound::Unbounded);
        prop_assert!(map.range_after(&key).eq(model.range(behind)));
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_is_an_ordered_map(entries in entries(), steps in steps(), indexed in any::<bool>()) {
        let mut map = Layered::from_unsorted(entries.clone());
        if indexed {
            map = Layered::from_sorted_indexed(map.base.to_vec());
        }
        let mut model: BTreeMap<_, _> = entries.into_iter().collect();
        let mut before = Vec::new();
        for (at, (key, value)) in steps.into_iter().enumerate() {
            before.push((map.clone(), model.clone()));
            match value {
                // A value is changed in place as often as it is put anew.
                Some(value) if at % 2 == 0 => match map.get_mut(&key) {
                    Some(known) => {
                        *known = value;
                        model.insert(key, value);
                    }
                    None => prop_assert!(!model.contains_key(&key)),
                },
                Some(value) => {
                    map.insert(key, value);
                    model.insert(key, value);
                }
                None => prop_assert_eq!(map.remove(&key), model.remove(&key)),
            }
            same(&map, &model)?;
        }
        for (map, model) in &before {
            same(map, model)?;
        }
        let rebuilt = Layered::from_sorted(model.into_iter().collect());
        prop_assert!(map == rebuilt);
    }
}

#[test]
fn the_last_entry_of_a_key_counts() {
    let map = Layered::from_unsorted(vec![(2, 'a'), (1, 'b'), (2, 'c'), (2, 'd')]);
    assert!(map.iter().eq([(&1, &'b'), (&2, &'d')]));
    assert_eq!(map.len(), 2);
}

#[test]
fn maps_of_other_layers_are_equal_by_their_entries() {
    let built = Layered::from_sorted(vec![(1, 'a'), (2, 'b')]);
    let mut grown = Layered::default();
    grown.insert(2, 'b');
    assert!(built != grown);
    grown.insert(1, 'a');
    assert!(built == grown);
}
