//! A big contact centre: what its content takes.

use super::{
    conversations::{alert, generic, macro_, open, script, stream},
    *,
};

/// What a big contact centre has: 50 session templates, 100 scripts with macros, 200 work streams.
fn big() -> (Catalog, Profile) {
    let many = |prefix: &str, count: usize| -> Vec<UniqueName> {
        (0..count).map(|n| name(&format!("{prefix}_{n}"))).collect()
    };
    let (scripts, macros) = (many("script", 100), many("run", 50));
    let mut objects: Vec<Object> = (0..10)
        .map(|n| Object::TabTemplate(tab(n, true, &[("searchText", "{caseTitle}")]).into()))
        .collect();
    objects.extend(macros.iter().map(|m| macro_(m.as_str(), true)));
    objects.extend(scripts.iter().enumerate().map(|(n, text)| {
        script(text.as_str(), true, &[macros[n % 50].as_str(), scripts[(n + 1) % 100].as_str()])
    }));
    let templates = many("case", 50);
    objects.extend(templates.iter().enumerate().map(|(n, text)| {
        let tabs = ["tab_0x", "tab_1x", "tab_2x"];
        let mut case = session(text.as_str(), &format!("entity_{n}"), true, &tabs);
        case.scripts = vec![scripts[n].clone(), scripts[n + 50].clone()];
        Object::SessionTemplate(case.into())
    }));
    for (n, text) in many("chat", 20).iter().enumerate() {
        let mut chat = generic(text.as_str(), "msdyn_active_conversation", &["tab_3x", "tab_4x"]);
        chat.scripts = vec![scripts[n].clone()];
        objects.push(Object::SessionTemplate(chat.into()));
        objects.push(Object::NotificationTemplate(alert(&format!("alert_{n}"), true).into()));
    }
    objects.extend((0..200).map(|n| {
        stream(&format!("contoso_work_{n}"), |w| {
            w.session_template = Some(name(&format!("chat_{}", n % 20)));
            w.consult = Some(name(&format!("alert_{}", n % 20)));
        })
    }));
    let mut profile = open();
    profile.session_templates = templates;
    (catalog(objects), profile)
}

#[test]
fn two_hundred_work_streams_fit_a_profile() {
    let (catalog, profile) = big();
    let compiled = compile(&catalog, &profile, &Gates::default());
    let content = decoded(&compiled);
    let sizes = (content.workstreams.len(), content.scripts.len(), content.session_templates.len());
    assert_eq!(sizes, (200, 100, 50));
    let size = compiled.bytes.len();
    println!("50 session templates, 100 scripts, 200 work streams: {size} bytes");
    assert!(size < MAX_BYTES / 2, "{size}");
}

/// Part of the release set: figures of a debug build say nothing.
#[test]
#[ignore = "a measurement: cargo test --release --lib release_ -- --ignored --nocapture"]
fn release_a_big_profile_compiles_in_5_ms() {
    let (catalog, profile) = big();
    let mut took: Vec<_> = (0..200)
        .map(|_| {
            let start = std::time::Instant::now();
            std::hint::black_box(compile(&catalog, &profile, &Gates::default()));
            start.elapsed()
        })
        .collect();
    took.sort();
    let bytes = compile(&catalog, &profile, &Gates::default()).bytes.len();
    let [median, most] = [took[100], took[199]];
    println!("compiling {bytes} bytes: median {median:?}, most {most:?}");
    assert!(median <= std::time::Duration::from_millis(5), "{median:?}");
}
