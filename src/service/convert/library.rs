//! Session templates, application tab templates and productivity tools, and the writes that all
//! library objects share.

use deskplane_proto::v1;

use super::{
    Context, Reader, Resource,
    mask::{Access, Fields, Mask},
    resource, resource_name, resource_names,
};
use crate::{
    command::library::{SessionTemplatePatch, Strategy, TabTemplatePatch, ToolPatch},
    content::wire::Coded as _,
    domain::{
        Kind, Object, State, UniqueName,
        library::ProductivityTool,
        template::{PanelMode, SessionTemplate, TabParameter, TabTemplate},
    },
};

/// The resource of a library object.
pub(super) trait Entry: Resource {
    /// The stored object.
    type Object: Strategy;

    /// The fields beside the common ones.
    const FIELDS: Fields;

    /// Name, unique name, etag and state as sent.
    fn identity(&self) -> (&str, &str, &str, i32);

    /// The new values.
    fn patch(&self, r: &mut Reader<'_>, mask: &Mask) -> <Self::Object as Strategy>::Patch;
}

/// Implements the six writes of a library kind.
macro_rules! library {
    (
        $message:ident, $field:ident, $entry:ty:
        $create:ident $clone:ident $update:ident $delete:ident $activate:ident $deactivate:ident
    ) => {
        $crate::service::convert::writes! {
            $create => $crate::command::library::Create<$entry>, |q, r| {
                let object = r.required(stringify!($field), q.$field);
                $crate::service::convert::library::create(r, &object)
            };
            $clone => $crate::command::library::CloneObject<$entry>, |q, r| {
                let source = r.name("name", v1::$message::KIND, &q.name);
                $crate::command::library::CloneObject::new(source, q.unique_name, q.display_name)
            };
            $update => $crate::command::library::Update<$entry>, |q, r| {
                let object = r.required(stringify!($field), q.$field);
                $crate::service::convert::library::update(
                    r, &object, q.update_mask.as_ref(), q.allow_missing,
                )
            };
            $delete => $crate::command::library::Delete<$entry>, |q, r| {
                let name = r.name("name", v1::$message::KIND, &q.name);
                $crate::command::library::Delete::new(name, r.etag(&q.etag), q.force)
            };
            $activate => $crate::command::library::SetState<$entry>, |q, r| {
                let name = r.name("name", v1::$message::KIND, &q.name);
                let state = $crate::domain::State::Active;
                $crate::command::library::SetState::new(name, r.etag(&q.etag), state)
            };
            $deactivate => $crate::command::library::SetState<$entry>, |q, r| {
                let name = r.name("name", v1::$message::KIND, &q.name);
                let state = $crate::domain::State::Inactive;
                $crate::command::library::SetState::new(name, r.etag(&q.etag), state)
            };
        }
    };
}
pub(super) use library;

pub(super) fn create<E: Entry>(
    r: &mut Reader<'_>,
    object: &E,
) -> crate::command::library::Create<E::Object> {
    let (_, unique_name, _, state) = object.identity();
    if r.choice::<State>("state", state).is_some_and(|state| state != State::Active) {
        r.changed_by_action("state", E::FIELDS);
    }
    let patch = object.patch(r, &Mask::Present);
    crate::command::library::Create { unique_name: unique_name.to_owned(), patch }
}

pub(super) fn update<E: Entry>(
    r: &mut Reader<'_>,
    object: &E,
    mask: Option<&prost_types::FieldMask>,
    allow_missing: bool,
) -> crate::command::library::Update<E::Object> {
    let (name, unique_name, etag, state) = object.identity();
    let mask = r.mask(mask, E::FIELDS);
    let name = r.addressed(E::KIND, name, unique_name);
    let stored = r.catalog.object(&crate::domain::ObjectKey::new(E::KIND, name.as_str()));
    let stored = stored.and_then(|object| object.common().map(|c| c.state)).unwrap_or_default();
    if r.choice::<State>("state", state).is_some_and(|state| state != stored) {
        r.changed_by_action("state", E::FIELDS);
    }
    let etag = r.etag(etag);
    let patch = object.patch(r, &mask);
    let update = crate::command::library::Update::new(name, patch);
    crate::command::library::Update { etag, allow_missing, ..update }
}

impl Resource for v1::SessionTemplate {
    const KIND: Kind = Kind::SessionTemplate;

    fn of(object: &Object, _: Context<'_>) -> Option<Self> {
        let Object::SessionTemplate(o) = object else { return None };
        let anchor =
            o.anchor_tab.as_ref().map(|tab| resource_name(Kind::TabTemplate, tab.as_str()));
        let expression = o.expression_enabled || !o.expression_tree.is_empty();
        Some(resource! { SessionTemplate of o, Kind::SessionTemplate;
            r#type: o.session_type.wire().into(),
            entity: o.entity.clone(),
            title: o.title.clone(),
            panel_mode: o.panel_mode.wire().into(),
            icon: o.icon.clone(),
            title_on_anchor_tab: o.title_on_anchor_tab,
            anchor_tab: anchor.unwrap_or_default(),
            additional_tabs: resource_names(Kind::TabTemplate, &o.additional_tabs),
            scripts: resource_names(Kind::Script, &o.scripts),
            expression: expression.then(|| v1::ScriptExpression {
                enabled: o.expression_enabled,
                tree: o.expression_tree.clone(),
            }),
        })
    }
}

impl Entry for v1::SessionTemplate {
    type Object = SessionTemplate;

    const FIELDS: Fields = &[
        ("type", Access::Immutable),
        ("entity", Access::Immutable),
        ("title", Access::Mutable),
        ("panel_mode", Access::Mutable),
        ("icon", Access::Mutable),
        ("title_on_anchor_tab", Access::Mutable),
        ("anchor_tab", Access::Mutable),
        ("additional_tabs", Access::Mutable),
        ("scripts", Access::Mutable),
        ("expression", Access::Mutable),
        ("expression.enabled", Access::Mutable),
        ("expression.tree", Access::Mutable),
    ];

    fn identity(&self) -> (&str, &str, &str, i32) {
        (&self.name, &self.unique_name, &self.etag, self.state)
    }

    fn patch(&self, r: &mut Reader<'_>, mask: &Mask) -> SessionTemplatePatch {
        let expression = self.expression.clone().unwrap_or_default();
        let given = self.expression.is_some();
        let panel_mode = r.choice::<PanelMode>("panel_mode", self.panel_mode);
        SessionTemplatePatch {
            display_name: mask.text("display_name", &self.display_name),
            description: mask.lines("description", &self.description),
            owner: mask.text("owner", &self.owner),
            session_type: r.choice("type", self.r#type),
            entity: (!self.entity.is_empty()).then(|| self.entity.clone()),
            title: mask.text("title", &self.title),
            panel_mode: mask.pick(
                "panel_mode",
                self.panel_mode != 0,
                panel_mode.unwrap_or_default(),
            ),
            icon: mask.text("icon", &self.icon),
            title_on_anchor_tab: mask.pick(
                "title_on_anchor_tab",
                self.title_on_anchor_tab,
                self.title_on_anchor_tab,
            ),
            anchor_tab: mask
                .sets("anchor_tab", !self.anchor_tab.is_empty())
                .then(|| r.optional_name("anchor_tab", Kind::TabTemplate, &self.anchor_tab)),
            additional_tabs: mask
                .sets("additional_tabs", !self.additional_tabs.is_empty())
                .then(|| r.names("additional_tabs", Kind::TabTemplate, &self.additional_tabs)),
            scripts: mask
                .sets("scripts", !self.scripts.is_empty())
                .then(|| r.names("scripts", Kind::Script, &self.scripts)),
            expression_enabled: mask.pick("expression.enabled", given, expression.enabled),
            expression_tree: mask.pick("expression.tree", given, expression.tree),
        }
    }
}

library! { SessionTemplate, session_template, SessionTemplate:
    CreateSessionTemplateRequest CloneSessionTemplateRequest UpdateSessionTemplateRequest
    DeleteSessionTemplateRequest ActivateSessionTemplateRequest DeactivateSessionTemplateRequest
}

impl Resource for v1::ApplicationTabTemplate {
    const KIND: Kind = Kind::TabTemplate;

    fn of(object: &Object, _: Context<'_>) -> Option<Self> {
        let Object::TabTemplate(o) = object else { return None };
        let parameters = o.parameters.iter().map(|parameter| v1::TabParameter {
            name: parameter.name.clone(),
            value: parameter.value.clone(),
            unique_name: parameter
                .unique_name
                .as_ref()
                .map(|name| name.as_str().to_owned())
                .unwrap_or_default(),
        });
        Some(resource! { ApplicationTabTemplate of o, Kind::TabTemplate;
            title: o.title.clone(),
            page_type: o.page_type.wire().into(),
            can_close: Some(o.can_close),
            parameters: parameters.collect(),
        })
    }
}

impl Entry for v1::ApplicationTabTemplate {
    type Object = TabTemplate;

    const FIELDS: Fields = &[
        ("title", Access::Mutable),
        ("page_type", Access::Immutable),
        ("can_close", Access::Mutable),
        ("parameters", Access::Mutable),
    ];

    fn identity(&self) -> (&str, &str, &str, i32) {
        (&self.name, &self.unique_name, &self.etag, self.state)
    }

    fn patch(&self, r: &mut Reader<'_>, mask: &Mask) -> TabTemplatePatch {
        TabTemplatePatch {
            display_name: mask.text("display_name", &self.display_name),
            description: mask.lines("description", &self.description),
            owner: mask.text("owner", &self.owner),
            title: mask.text("title", &self.title),
            page_type: r.choice("page_type", self.page_type),
            can_close: mask.pick(
                "can_close",
                self.can_close.is_some(),
                self.can_close.unwrap_or(true),
            ),
            parameters: mask
                .sets("parameters", !self.parameters.is_empty())
                .then(|| parameters(r, &self.parameters)),
        }
    }
}

fn parameters(r: &mut Reader<'_>, parameters: &[v1::TabParameter]) -> Vec<TabParameter> {
    let read = |(at, parameter): (usize, &v1::TabParameter)| {
        let text = &parameter.unique_name;
        let unique_name = (!text.is_empty()).then(|| UniqueName::parse(text));
        TabParameter {
            name: parameter.name.clone(),
            value: parameter.value.clone(),
            unique_name: unique_name.and_then(|parsed| {
                let field = format!("parameters[{at}].unique_name");
                parsed.map_err(|rule| r.v.invalid(field, rule)).ok()
            }),
        }
    };
    parameters.iter().enumerate().map(read).collect()
}

library! { ApplicationTabTemplate, application_tab_template, TabTemplate:
    CreateApplicationTabTemplateRequest CloneApplicationTabTemplateRequest
    UpdateApplicationTabTemplateRequest DeleteApplicationTabTemplateRequest
    ActivateApplicationTabTemplateRequest DeactivateApplicationTabTemplateRequest
}

impl Resource for v1::ProductivityTool {
    const KIND: Kind = Kind::Tool;

    fn of(object: &Object, _: Context<'_>) -> Option<Self> {
        let Object::Tool(o) = object else { return None };
        let role = o.required_role.as_ref().map(|role| resource_name(Kind::Role, role.as_str()));
        Some(resource! { ProductivityTool of o, Kind::Tool;
            control_name: o.control_name.clone(),
            data: o.data.clone(),
            icon: o.icon.clone(),
            learn_more: o.learn_more.clone(),
            configurable: o.configurable,
            configuration_entity: o.configuration_entity.clone(),
            category: o.category.wire().into(),
            org_gate: o.org_gate.map(|gate| gate.as_str().to_owned()).unwrap_or_default(),
            required_role: role.unwrap_or_default(),
        })
    }
}

impl Entry for v1::ProductivityTool {
    type Object = ProductivityTool;

    const FIELDS: Fields = &[
        ("control_name", Access::Mutable),
        ("data", Access::Mutable),
        ("icon", Access::Mutable),
        ("learn_more", Access::Mutable),
        ("configurable", Access::Mutable),
        ("configuration_entity", Access::Mutable),
        ("category", Access::Mutable),
        ("org_gate", Access::Output),
        ("required_role", Access::Output),
    ];

    fn identity(&self) -> (&str, &str, &str, i32) {
        (&self.name, &self.unique_name, &self.etag, self.state)
    }

    fn patch(&self, r: &mut Reader<'_>, mask: &Mask) -> ToolPatch {
        let category = r.choice("category", self.category);
        ToolPatch {
            display_name: mask.text("display_name", &self.display_name),
            description: mask.lines("description", &self.description),
            owner: mask.text("owner", &self.owner),
            control_name: mask.text("control_name", &self.control_name),
            data: mask.text("data", &self.data),
            icon: mask.text("icon", &self.icon),
            learn_more: mask.text("learn_more", &self.learn_more),
            configurable: mask.pick("configurable", self.configurable, self.configurable),
            configuration_entity: mask.text("configuration_entity", &self.configuration_entity),
            category: mask.pick("category", self.category != 0, category.unwrap_or_default()),
        }
    }
}

library! { ProductivityTool, productivity_tool, ProductivityTool:
    CreateProductivityToolRequest CloneProductivityToolRequest UpdateProductivityToolRequest
    DeleteProductivityToolRequest ActivateProductivityToolRequest DeactivateProductivityToolRequest
}
