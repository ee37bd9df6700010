//! Renders what opens for an event, and puts the answer together.

use std::iter;

use deskplane_proto::v1;

use super::{
    event::{Event, Source},
    source::Opened,
};
use crate::render::session::{
    self, Anchor, Deferred, Notification, Page, Rendered, RenderedNotification, Tab, Template,
    Unresolved, UnresolvedReason,
};

/// The answer for an event, but for revision and digest.
pub(super) fn session(
    event: &Event,
    opened: &Opened<'_>,
    content: &v1::ProfileContent,
) -> v1::RenderSessionResponse {
    let resolved = opened.template.as_ref();
    // The profile shows no script while the tool for scripts is hidden.
    let shown = |name: &&String| content.scripts.iter().any(|script| script.unique_name == **name);
    let scripts: Vec<&str> = resolved.scripts.iter().filter(shown).map(String::as_str).collect();
    let anchor = match &event.source {
        Source::Entity(_) => Anchor::Record { entity: &resolved.entity, id: &event.anchor_id },
        Source::Workstream(..) | Source::Channel(..) => Anchor::FirstTab,
    };
    let template = Template {
        title: &resolved.title,
        title_on_anchor_tab: resolved.title_on_anchor_tab,
        anchor,
        tabs: resolved.tabs.iter().map(tab).collect(),
        scripts: scripts.clone(),
        expression: resolved.expression.as_ref().map(|expression| expression.tree.as_str()),
    };
    let announced = opened.notification.as_deref();
    let notification = announced.map(notification);
    let rendered = session::render(&template, notification.as_ref(), &event.values);
    let record = matches!(anchor, Anchor::Record { .. });
    let scripts = scripts.into_iter().map(str::to_owned).collect();
    answer(rendered, resolved, announced, record, scripts)
}

fn tab(tab: &v1::ResolvedTab) -> Tab<'_> {
    let page = match tab.page_type() {
        v1::PageType::EntityRecord => Page::Record,
        v1::PageType::ThirdPartyWebsite => Page::Website,
        v1::PageType::WebResource => Page::WebResource,
        _ => Page::Other,
    };
    let parameters = tab.parameters.iter().map(|p| (p.name.as_str(), p.value.as_str()));
    Tab { title: &tab.title, page, can_close: tab.can_close, parameters: parameters.collect() }
}

fn notification(template: &v1::ResolvedNotification) -> Notification<'_> {
    let fields = template.fields.iter();
    Notification {
        title: &template.title,
        fields: fields.map(|field| (field.header.as_str(), field.value.as_str())).collect(),
        accept_text: &template.accept_text,
        reject_text: template.show_reject.then_some(template.reject_text.as_str()),
        auto_assign: template.auto_assign,
    }
}

fn answer(
    rendered: Rendered,
    resolved: &v1::ResolvedSessionTemplate,
    announced: Option<&v1::ResolvedNotification>,
    record: bool,
    scripts: Vec<String>,
) -> v1::RenderSessionResponse {
    let record = iter::repeat_n(("", v1::PageType::EntityRecord), usize::from(record));
    let templates = resolved.tabs.iter().map(|tab| (tab.template.as_str(), tab.page_type()));
    let tabs = record.chain(templates).zip(rendered.tabs);
    let tabs = tabs.map(|((template, page_type), tab)| v1::RenderedTab {
        template: template.to_owned(),
        title: tab.title,
        page_type: page_type.into(),
        parameters: tab.parameters.into_iter().map(parameter).collect(),
        can_close: tab.can_close,
        anchor: tab.anchor,
    });
    let shown = announced.zip(rendered.notification);
    v1::RenderSessionResponse {
        session: Some(v1::RenderedSession {
            template: resolved.unique_name.clone(),
            title: rendered.title,
            panel_mode: resolved.panel_mode,
            icon: resolved.icon.clone(),
        }),
        tabs: tabs.collect(),
        notification: shown.map(|(template, shown)| shown_notification(template, shown)),
        default_script: rendered.default_script.unwrap_or_default(),
        scripts,
        unresolved: rendered.unresolved.into_iter().map(unresolved).collect(),
        deferred: rendered.deferred.into_iter().map(deferred).collect(),
        truncated: rendered.truncated,
        revision: 0,
        digest: String::new(),
    }
}

fn parameter((name, value): (String, String)) -> v1::RenderedParameter {
    v1::RenderedParameter { name, value }
}

fn shown_notification(
    template: &v1::ResolvedNotification,
    shown: RenderedNotification,
) -> v1::RenderedNotification {
    let fields = shown.fields.into_iter();
    v1::RenderedNotification {
        template: template.unique_name.clone(),
        title: shown.title,
        icon: template.icon.clone(),
        fields: fields.map(|(header, value)| v1::RenderedField { header, value }).collect(),
        show_countdown: template.show_countdown,
        countdown_seconds: template.countdown_seconds,
        auto_assign: template.auto_assign,
        auto_accept: template.auto_accept,
        auto_popup_session: template.auto_popup_session,
        accept_text: shown.accept_text,
        reject_text: shown.reject_text,
        desktop: template.desktop,
        theme: template.theme,
    }
}

fn unresolved(stays: Unresolved) -> v1::UnresolvedSlug {
    let reason = match stays.reason {
        UnresolvedReason::Missing => v1::UnresolvedReason::Missing,
        UnresolvedReason::NotAllowedHere => v1::UnresolvedReason::NotAllowedHere,
    };
    v1::UnresolvedSlug { r#where: stays.place, slug: stays.slug, reason: reason.into() }
}

fn deferred(stays: Deferred) -> v1::DeferredSlug {
    v1::DeferredSlug {
        r#where: stays.place,
        slug: stays.slug,
        entity: stays.entity,
        attribute: stays.attribute,
        options: stays.options,
    }
}
