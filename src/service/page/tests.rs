//! How long tokens hold, and for what.

use super::*;

fn asked<'a>(arguments: &'a [&'a str], token: &'a str, now: i64) -> PageRequest<'a> {
    PageRequest { arguments, size: 0, token, now: Time::from_micros(now) }
}

fn reason(asked: PageRequest<'_>) -> Result<Option<Position>, Reason> {
    read(&asked, Violations::new()).map(|(_, after)| after).map_err(|refusal| refusal.reason)
}

#[test]
fn a_token_holds_for_an_hour_and_for_its_own_call() {
    let arguments = ["List", "filter"];
    let position = Position::named("Contoso_Rep");
    let token = asked(&arguments, "", 5).token(position.clone());
    assert_eq!(reason(asked(&arguments, &token, 5 + MAX_AGE)), Ok(Some(position)));
    let refused = Err(Reason::PageTokenInvalid);
    assert_eq!(reason(asked(&arguments, &token, 6 + MAX_AGE)), refused);
    for other in [&["List", "filte", "r"][..], &["Listf", "ilter"], &["List"], &[]] {
        assert_eq!(reason(asked(other, &token, 5)), refused, "{other:?}");
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let token = asked(&["List"], "", 0).token(Position::named("x"));
    let cut = &token[..token.len() - 4];
    for bad in [cut, "x", "%%%%", "AAAA", &"A".repeat(5_000), "\u{fc}"] {
        assert_eq!(reason(asked(&["List"], bad, 0)), Err(Reason::PageTokenInvalid), "{bad}");
    }
    assert_eq!(reason(asked(&["List"], "", 0)), Ok(None));
}

#[test]
fn sizes_have_a_default_and_a_cap() {
    let rows = |size| {
        let asked = PageRequest { size, ..asked(&[], "", 0) };
        read(&asked, Violations::new()).map(|(size, _)| size).map_err(|refusal| refusal.reason)
    };
    assert_eq!(rows(0), Ok(100));
    assert_eq!(rows(7), Ok(7));
    assert_eq!(rows(i32::MAX), Ok(1_000));
    assert_eq!(rows(-1), Err(Reason::FieldInvalid));
}

/// A row with one field to order by.
#[derive(Debug, Clone)]
struct Numbered(i64);

impl Fields for Numbered {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        (name == "number").then_some(Value::Number(Some(self.0)))
    }
}

proptest::proptest! {
    /// The pages of an ordered list are the list, sorted, whatever their size.
    #[test]
    fn pages_of_an_ordered_list_make_it_whole(
        numbers in proptest::collection::vec(-3i64..3, 0..40),
        size in 1usize..9,
        descending: bool,
    ) {
        let order = Order { field: "number".to_owned(), descending };
        let selection = Selection { order: Some(order), ..Selection::default() };
        let rows: Vec<_> =
            numbers.iter().enumerate().map(|(at, number)| (*number, format!("{at:02}"))).collect();
        let mut expected = rows.clone();
        expected.sort_by_key(|(number, name)| {
            (if descending { -number } else { *number }, name.clone())
        });
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let asked = asked(&["List"], &token, 0);
            let after = asked.after(&mut Violations::new());
            let all = rows.iter().map(|(number, name)| (Numbered(*number), name.clone()));
            let page: Page<deskplane_proto::v1::User> =
                selection.page(&asked, (size, after), all, |row| deskplane_proto::v1::User {
                    display_name: row.0.to_string(),
                    ..Default::default()
                });
            proptest::prop_assert!(page.rows.len() <= size);
            found.extend(page.rows.into_iter().map(|user| user.display_name));
            if page.next.is_empty() {
                break;
            }
            token = page.next;
        }
        let expected: Vec<_> = expected.iter().map(|(number, _)| number.to_string()).collect();
        proptest::prop_assert_eq!(found, expected);
    }
}
