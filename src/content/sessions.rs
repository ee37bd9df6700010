//! Session templates with their tabs expanded (SPEC §8.2).

use std::collections::BTreeMap;

use deskplane_proto::v1;

use super::{draft::Draft, scripts, text::report, wire::Coded as _};
use crate::{
    domain::{
        FindingCode, UniqueName,
        name::cmp_folded,
        session_template::{MAX_ADDITIONAL_TABS, SessionTemplate, SessionType},
        tab_template::{PageType, TabParameter, TabTemplate},
    },
    render::{
        slug::{Dialect, Lint, lint},
        targets::lint_json_data,
    },
};

/// Parameters that hold no slugs.
const PLAIN: [&str; 7] =
    ["dashboardId", "viewId", "formId", "validateRecord", "searchType", "webresourceName", "name"];

/// The templates of records, one per entity, ascending by entity: the first active one counts.
pub(super) fn chosen<'a>(draft: &mut Draft<'a>) -> Vec<&'a SessionTemplate> {
    let (catalog, profile) = (draft.catalog, draft.profile);
    let mut chosen: BTreeMap<&str, &SessionTemplate> = BTreeMap::new();
    for name in &profile.session_templates {
        let stored = catalog.tables.session_templates.get(name);
        let Some(template) = stored.filter(|t| t.session_type == SessionType::Entity) else {
            let message = format!("{name} is no session template of records and is left out.");
            draft.find(FindingCode::TemplateMissing, name.as_str(), message);
            continue;
        };
        if !template.common.is_active() {
            let message = format!("{name} is inactive and is left out.");
            draft.find(FindingCode::TemplateInactive, name.as_str(), message);
        } else if let Some(first) = chosen.get(template.entity.as_str()) {
            let (first, entity) = (&first.common.unique_name, &template.entity);
            let message = format!("{name} is left out because {first} is for {entity} already.");
            draft.find(FindingCode::DuplicateEntityTemplate, name.as_str(), message);
        } else {
            chosen.insert(&template.entity, template);
        }
    }
    chosen.into_values().collect()
}

/// The active template of conversations of that name, unless its anchor is left out.
pub(super) fn of_conversation<'a>(
    draft: &mut Draft<'a>,
    name: &UniqueName,
) -> Option<&'a SessionTemplate> {
    let catalog = draft.catalog;
    let stored = catalog.tables.session_templates.get(name);
    let Some(template) = stored.filter(|t| t.session_type == SessionType::Generic) else {
        let message = format!("{name} is no session template of conversations and is left out.");
        draft.find(FindingCode::TemplateMissing, name.as_str(), message);
        return None;
    };
    if !template.common.is_active() {
        let message = format!("{name} is inactive and is left out.");
        draft.find(FindingCode::TemplateInactive, name.as_str(), message);
        return None;
    }
    active_tab(draft, template.anchor_tab.as_ref()?).map(|_| template.as_ref())
}

/// A template in full. The anchor of a record, the record itself, is not among the tabs.
pub(super) fn expanded(
    draft: &mut Draft<'_>,
    template: &SessionTemplate,
) -> v1::ResolvedSessionTemplate {
    let name = template.common.unique_name.as_str();
    let mut active = Vec::new();
    for script in &template.scripts {
        match scripts::active(draft.catalog, script) {
            Some(found) => active.push(found.common.unique_name.as_str().to_owned()),
            None => {
                let message = format!("{script} is not an active script and is left out.");
                draft.find(FindingCode::ScriptInactive, script.as_str(), message);
            }
        }
    }
    report(draft, name, || lint(&template.title, Dialect::Template));
    let expression = template
        .expression_enabled
        .then(|| v1::ScriptExpression { enabled: true, tree: template.expression_tree.clone() });
    v1::ResolvedSessionTemplate {
        unique_name: name.to_owned(),
        entity: template.entity.clone(),
        title: template.title.clone(),
        panel_mode: template.panel_mode.wire().into(),
        title_on_anchor_tab: template.title_on_anchor_tab,
        scripts: active,
        expression,
        tabs: tabs(draft, template),
        icon: template.icon.clone(),
    }
}

fn tabs(draft: &mut Draft<'_>, template: &SessionTemplate) -> Vec<v1::ResolvedTab> {
    let active: Vec<_> =
        template.additional_tabs.iter().filter_map(|name| active_tab(draft, name)).collect();
    if active.len() > MAX_ADDITIONAL_TABS {
        let name = template.common.unique_name.as_str();
        let message = format!("{name} has more than {MAX_ADDITIONAL_TABS} additional tabs.");
        draft.find(FindingCode::TabsOverLimit, name, message);
    }
    let anchor = template.anchor_tab.as_ref().and_then(|name| active_tab(draft, name));
    // Agents cannot close the anchor, whatever its template says.
    let anchor = anchor.map(|tab| v1::ResolvedTab { can_close: false, ..resolved(draft, tab) });
    let additional = active.into_iter().take(MAX_ADDITIONAL_TABS);
    anchor.into_iter().chain(additional.map(|tab| resolved(draft, tab))).collect()
}

fn active_tab<'a>(draft: &mut Draft<'a>, name: &UniqueName) -> Option<&'a TabTemplate> {
    let catalog = draft.catalog;
    let why = match catalog.tables.tab_templates.get(name) {
        Some(tab) if tab.common.is_active() => return Some(tab),
        Some(_) => "is inactive",
        None => "does not exist",
    };
    let message = format!("{name} {why} and is left out.");
    draft.find(FindingCode::TabInactive, name.as_str(), message);
    None
}

fn resolved(draft: &mut Draft<'_>, tab: &TabTemplate) -> v1::ResolvedTab {
    let name = tab.common.unique_name.as_str();
    report(draft, name, || lint(&tab.title, Dialect::Template));
    let mut parameters: Vec<&TabParameter> = tab.parameters.iter().collect();
    parameters.sort_by(|a, b| {
        cmp_folded(&a.name, &b.name).then_with(|| (&a.name, &a.value).cmp(&(&b.name, &b.value)))
    });
    for parameter in &parameters {
        report(draft, name, || lint_parameter(tab.page_type, parameter));
    }
    let parameters = parameters
        .into_iter()
        .map(|p| v1::ResolvedTabParameter { name: p.name.clone(), value: p.value.clone() });
    v1::ResolvedTab {
        template: name.to_owned(),
        title: tab.title.clone(),
        page_type: tab.page_type.wire().into(),
        can_close: tab.can_close,
        parameters: parameters.collect(),
    }
}

/// Remarks on a parameter, by what it accepts.
pub(super) fn lint_parameter(page: PageType, parameter: &TabParameter) -> Vec<Lint> {
    let is = |name: &str| parameter.name.eq_ignore_ascii_case(name);
    if PLAIN.into_iter().any(is) {
        Vec::new()
    } else if page == PageType::EntityRecord && is("data") {
        lint_json_data(&parameter.value)
    } else {
        lint(&parameter.value, Dialect::Template)
    }
}
