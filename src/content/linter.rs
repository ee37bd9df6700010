//! The linter: what the texts of the library are remarked on for, in any profile (SPEC §6.6,
//! §9.2). Nothing here is refused by a write.

use std::collections::BTreeSet;

use crate::{
    catalog::Catalog,
    domain::{Common, Finding, FindingCode, macros::MacroAction},
    render::slug::{Dialect, Lint, LintCode, lint},
};

use super::sessions::lint_parameter;

/// Remarks on session, tab and notification templates, scripts and macros.
pub fn library_findings(catalog: &Catalog) -> Vec<Finding> {
    let mut found = Vec::new();
    let tables = &catalog.tables;
    for template in tables.session_templates.iter() {
        report(&mut found, &template.common, lint(&template.title, Dialect::Template));
    }
    for tab in tables.tab_templates.iter() {
        let parameters = tab.parameters.iter();
        let lints = parameters.flat_map(|parameter| lint_parameter(tab.page_type, parameter));
        let lints = lint(&tab.title, Dialect::Template).into_iter().chain(lints);
        report(&mut found, &tab.common, lints);
    }
    for template in tables.notification_templates.iter() {
        let values = template.fields.iter().map(|field| &field.value);
        let texts = std::iter::once(&template.title).chain(values);
        report(&mut found, &template.common, texts.flat_map(|text| lint(text, Dialect::Template)));
    }
    for script in tables.scripts.iter() {
        let texts = script.steps.iter().flat_map(|step| [&step.name, &step.text]);
        report(&mut found, &script.common, texts.flat_map(|text| lint(text, Dialect::Script)));
    }
    for stored in tables.macros.iter() {
        let mut lints = Vec::new();
        of_actions(&stored.actions, &mut lints);
        report(&mut found, &stored.common, lints);
    }
    found
}

fn of_actions(actions: &[MacroAction], lints: &mut Vec<Lint>) {
    for action in actions {
        lints.extend(action.inputs.values().flat_map(|input| lint(input, Dialect::Macro)));
        of_actions(&action.then_actions, lints);
        of_actions(&action.else_actions, lints);
    }
}

/// One finding a code: what is wrong first, and every unknown key.
fn report(found: &mut Vec<Finding>, common: &Common, lints: impl IntoIterator<Item = Lint>) {
    let (mut keys, mut malformed) = (BTreeSet::new(), None);
    for lint in lints {
        match lint.code {
            LintCode::UnknownSlug => drop(keys.insert(lint.detail)),
            LintCode::SlugSyntax => drop(malformed.get_or_insert(lint.detail)),
        }
    }
    let subject = common.unique_name.as_str();
    if let Some(detail) = malformed {
        let message = format!("A slug is delivered as text: {detail}.");
        found.push(Finding::new(FindingCode::SlugSyntax, subject, message));
    }
    if !keys.is_empty() {
        let keys: Vec<_> = keys.into_iter().collect();
        let verb = if keys.len() == 1 { "is no key" } else { "are no keys" };
        let message = format!("{} {verb} that every conversation has.", keys.join(", "));
        found.push(Finding::new(FindingCode::UnknownSlug, subject, message));
    }
}
