//! A counting sort: what goes to one part of a table comes together. To take it in another order costs a
//! miss of the machine's caches for each item.

/// Items by part, in the order that they had within each.
#[derive(Debug)]
pub(super) struct Parted<T> {
    items: Vec<T>,
    /// Where each part ends.
    ends: Vec<usize>,
}

impl<T: Copy> Parted<T> {
    /// Sorts items into so many parts.
    pub(super) fn of(items: &[T], parts: usize, part: impl Fn(&T) -> usize) -> Self {
        let mut ends = vec![0; parts + 1];
        for item in items {
            ends[part(item) + 1] += 1;
        }
        for at in 1..=parts {
            ends[at] += ends[at - 1];
        }
        let mut sorted = items.to_vec();
        for item in items {
            let end = &mut ends[part(item)];
            sorted[*end] = *item;
            *end += 1;
        }
        ends.truncate(parts);
        Self { items: sorted, ends }
    }

    /// All items, part by part.
    pub(super) fn items(&self) -> &[T] {
        &self.items
    }

    /// The items of each part.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[T]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.items[start..*end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_by_part_in_the_order_that_they_had() {
        let items = [(2, 'a'), (0, 'b'), (2, 'c'), (3, 'd'), (0, 'e')];
        let parted = Parted::of(&items, 5, |(part, _)| *part);
        let texts = |items: &[(usize, char)]| items.iter().map(|(_, c)| c).collect::<String>();
        assert_eq!(texts(parted.items()), "beacd");
        assert_eq!(parted.parts().map(texts).collect::<Vec<_>>(), ["be", "", "ac", "d", ""]);
        assert_eq!(Parted::of(&[], 0, |(part, _): &(usize, char)| *part).parts().count(), 0);
    }
}
