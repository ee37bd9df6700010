//! What one call makes is bounded.

use super::*;

/// A session of ten tabs with twenty parameters each.
fn full<'a>(page: Page, name: &'a str, value: &'a str) -> Template<'a> {
    let parameters = vec![(name, value); 20];
    let tab = Tab { title: value, page, can_close: true, parameters };
    Template { tabs: vec![tab; 10], title_on_anchor_tab: true, ..template(value) }
}

/// The bytes of an answer, as far as they depend on the input.
fn size(rendered: &Rendered) -> usize {
    let tabs = rendered.tabs.iter().map(|tab| {
        let parameters = tab.parameters.iter().map(|(name, value)| name.len() + value.len() + 8);
        tab.title.len() + 16 + parameters.sum::<usize>()
    });
    let unresolved = rendered.unresolved.iter().map(|u| u.place.len() + u.slug.len() + 12);
    let deferred = rendered.deferred.iter().map(|d| {
        d.place.len() + d.slug.len() + d.entity.len() + d.attribute.len() + d.options.len() + 24
    });
    let truncated = rendered.truncated.iter().map(|place| place.len() + 4);
    let lists = unresolved.chain(deferred).chain(truncated);
    tabs.chain(lists).sum::<usize>() + rendered.title.len()
}

/// Most bytes that the texts of a template take.
const TEMPLATE: usize = 256 * 1024;
const LARGEST: usize = MAX_VALUE_BYTES + MAX_LISTED_BYTES + TEMPLATE + 128 * 1024;

#[test]
fn values_take_a_bounded_place() {
    const { assert!(LARGEST < 4 << 20) };
    let slugs = "{a}".repeat(400);
    let query = format!("{{$odata.a.b.?{}}}", "{a}".repeat(400));
    let json = format!("{{\"k\":\"{slugs}\"}}");
    // 256 KiB of what every escape makes longer, and of what none does.
    for value in ["\u{1}".repeat(256 << 10), "'".repeat(256 << 10), "x".repeat(256 << 10)] {
        let all = values(&[("a", text(&value))]);
        for (page, name, template) in [
            (Page::Other, "p", slugs.as_str()),
            (Page::Other, "p", query.as_str()),
            (Page::WebResource, "data", slugs.as_str()),
            (Page::Record, "data", json.as_str()),
        ] {
            let rendered = render(&full(page, name, template), None, &all);
            assert!(size(&rendered) <= LARGEST, "{} {name} {template:.20}", size(&rendered));
        }
    }
}

#[test]
fn the_longest_value_fits_once_however_it_is_escaped() {
    for (page, name, template) in
        [(Page::WebResource, "data", "{a}"), (Page::Record, "data", r#"{"k":"{a}"}"#)]
    {
        let all = [("a", text(&"\u{1}".repeat(256 << 10)))];
        let (rendered, stays) = parameter(page, name, template, &all);
        assert!(rendered.len() >= 3 * (256 << 10));
        assert_eq!(stays.unresolved, []);
    }
}

#[test]
fn from_the_first_value_without_room_on_slugs_stay() {
    let (half, short) = (text(&"x".repeat(MAX_VALUE_BYTES / 2)), text("y"));
    let all = [("half", half), ("short", short)];
    let (rendered, stays) = parameter(Page::Other, "p", "{short}{half}{half}{short}{gone}", &all);
    assert!(rendered.starts_with("yx") && rendered.ends_with("x{half}{short}{gone}"));
    let place = "tabs[0].parameters[0].value";
    assert_eq!(
        slugs(&stays),
        [
            (place, "{half}", NOT_ALLOWED),
            (place, "{short}", NOT_ALLOWED),
            (place, "{gone}", MISSING),
        ]
    );
    // Texts for people have their own limits.
    let mut session = tab(Page::Other, &[("p", "{half}{half}")]);
    session.tabs.push(Tab { title: "{short}", ..session.tabs[0].clone() });
    assert_eq!(render(&session, None, &values(&all)).tabs[1].title, "y");
}

#[test]
fn lists_take_a_bounded_place() {
    let slug = |index: usize| format!("{{k{index}}}");
    let many: String = (0..2_000).map(slug).collect();
    let rendered = render(&full(Page::Other, "p", &many), None, &Values::default());
    let listed = rendered.unresolved.iter().map(|u| u.place.len() + u.slug.len() + 12);
    let listed: usize = listed.sum();
    assert!((MAX_LISTED_BYTES / 3..MAX_LISTED_BYTES).contains(&listed), "{listed}");
    assert_eq!(rendered.tabs[9].parameters[19].1, many, "what is not listed stays as well");
}

#[test]
fn each_slug_of_a_place_is_listed_once() {
    let rendered = titled(&"{a}{b}".repeat(20), &[]);
    assert_eq!(rendered.unresolved.len(), 2);
}
