//! Names, gaps, and files that are not what they are called.

use super::*;
use crate::store::{Error, io::fault::Faulty};

const IDS: Ids = Ids { store: uuid::Uuid::from_u128(1), incarnation: uuid::Uuid::from_u128(2) };

fn span(after: Revision, last: Revision) -> Span {
    Span { after, last }
}

/// A folder with an empty file for each span.
fn folder(spans: &[Span]) -> (Faulty, &'static Path) {
    let (disk, dir) = (Faulty::new(), Path::new("/data/history"));
    disk.make_dir(dir).unwrap();
    for span in spans {
        write_lost(&disk, dir, IDS, *span).unwrap();
    }
    (disk, dir)
}

#[test]
fn the_wider_file_counts_and_the_others_are_superseded() {
    let (disk, dir) = folder(&[span(0, 4), span(4, 9), span(0, 9), span(9, 12), span(10, 12)]);
    let found = Files::list(&disk, dir).unwrap();
    assert_eq!(found.spans, [span(0, 9), span(9, 12)]);
    assert_eq!(found.superseded, [span(0, 4), span(4, 9), span(10, 12)]);
    assert_eq!(found.end(), 12);
    found.check(dir).unwrap();
}

#[test]
fn a_gap_is_damage_that_names_the_file_behind_it() {
    for (spans, what) in [
        (&[span(3, 4)][..], "revisions 1 to 3 are missing"),
        (&[span(0, 4), span(6, 9)], "revisions 5 to 6 are missing"),
    ] {
        let (disk, dir) = folder(spans);
        let error = Files::list(&disk, dir).unwrap().check(dir).unwrap_err().to_string();
        let behind = path(dir, spans[spans.len() - 1]);
        assert!(error.contains(what) && error.contains(behind.to_str().unwrap()), "{error}");
    }
    let (disk, dir) = folder(&[]);
    assert_eq!(Files::list(&disk, dir).unwrap(), Files::default());
    Files::default().check(dir).unwrap();
}

#[test]
fn a_name_that_is_no_span_is_damage() {
    for name in
        ["00000000000000000001.hist", "1-2.hist", "+0000000000000000001-00000000000000000002.hist"]
    {
        let (disk, dir) = folder(&[]);
        disk.create(&dir.join(name)).unwrap();
        assert!(matches!(Files::list(&disk, dir), Err(Error::Damaged(_))), "{name}");
    }
}

#[test]
fn a_file_under_another_name_is_damage() {
    for other in [span(1, 9), span(0, 8), span(5, 9)] {
        let (disk, dir) = folder(&[span(0, 9)]);
        let renamed = path(dir, other);
        read(&disk, &path(dir, span(0, 9)), IDS, |_| Ok(())).unwrap();
        disk.rename(&path(dir, span(0, 9)), &renamed).unwrap();
        let error = read(&disk, &renamed, IDS, |_| Ok(())).unwrap_err();
        assert!(matches!(error, Error::Damaged(_)), "{other:?}: {error}");
    }
}
