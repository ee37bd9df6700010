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
