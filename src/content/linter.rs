//! The linter: what the texts of the library are remarked on for, in any profile (SPEC §6.6,
//! §9.2). Nothing here is refused by a write.

use std::collections::BTreeSet;

use crate::{
    catalog::Catalog,
    domain::{Common, Finding, FindingCode, Kind, Object, macros::MacroAction},
    render::slug::{Dialect, Lint, LintCode, lint},
};

use super::sessions::lint_parameter;

/// Remarks on session, tab and notification templates, scripts and macros.
pub fn library_findings(catalog: &Catalog) -> Vec<Finding> {
    let tables = &catalog.tables;
    LINTED
        .iter()
        .flat_map(|kind| tables.after(*kind, None))
        .flat_map(|o| object_findings(&o))
        .collect()
}

/// The kinds whose texts may hold slugs.
const LINTED: [Kind; 5] = [
    Kind::SessionTemplate,
    Kind::TabTemplate,
    Kind::NotificationTemplate,
    Kind::Script,
    Kind::Macro,
];

/// Remarks on the texts of one object.
pub fn object_findings(object: &Object) -> Vec<Finding> {
    match object {
        Object::SessionTemplate(template) => {
            report(&template.common, lint(&template.title, Dialect::Template))
        }
        Object::TabTemplate(tab) => {
            let parameters = tab.parameters.iter();
            let lints = parameters.flat_map(|parameter| lint_parameter(tab.page_type, parameter));
            report(&tab.common, lint(&tab.title, Dialect::Template).into_iter().chain(lints))
        }
        Object::NotificationTemplate(template) => {
            let values = template.fields.iter().map(|field| &field.value);
            let texts = std::iter::once(&template.title).chain(values);
            report(&template.common, texts.flat_map(|text| lint(text, Dialect::Template)))
        }
        Object::Script(script) => {
            let texts = script.steps.iter().flat_map(|step| [&step.name, &step.text]);
            report(&script.common, texts.flat_map(|text| lint(text, Dialect::Script)))
        }
        Object::Macro(stored) => {
            let mut lints = Vec::new();
            of_actions(&stored.actions, &mut lints);
            report(&stored.common, lints)
        }
        _ => Vec::new(),
    }
}

fn of_actions(actions: &[MacroAction], lints: &mut Vec<Lint>) {
    for action in actions {
        lints.extend(action.inputs.values().flat_map(|input| lint(input, Dialect::Macro)));
        of_actions(&action.then_actions, lints);
        of_actions(&action.else_actions, lints);
    }
}

/// One finding a code: what is wrong first, and every unknown key.
fn report(common: &Common, lints: impl IntoIterator<Item = Lint>) -> Vec<Finding> {
    let (mut found, mut keys, mut malformed) = (Vec::new(), BTreeSet::new(), None);
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
    found
}
