//! Whether a resource fulfils a filter (RFC 7644 §3.4.2.2).

use std::cmp::Ordering;

use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter, ValFilter};
use serde_json::Value;

use super::attributes::{self, Document, ENTERPRISE};

/// Whether a document fulfils a filter. An attribute that it lacks fulfils `ne` and nothing else.
pub(super) fn matches(filter: &Filter, document: &Document) -> bool {
    match filter {
        Filter::Attr(expression) => holds(expression, document),
        Filter::Not(inner) => !matches(inner, document),
        Filter::And(all) => all.as_slice().iter().all(|each| matches(each, document)),
        Filter::Or(any) => any.as_slice().iter().any(|each| matches(each, document)),
        Filter::ValuePath(path) => {
            let value = values(document, &path.attr);
            value.iter().any(|element| element_matches(&path.filter, element))
        }
    }
}

/// Whether an element of a multi-valued attribute fulfils a filter on its sub-attributes.
pub(super) fn element_matches(filter: &ValFilter, element: &Value) -> bool {
    // A plain value stands for an element with that `value`.
    let wrapped;
    let document = match element {
        Value::Object(document) => document,
        plain => {
            wrapped = Document::from_iter([("value".to_owned(), plain.clone())]);
            &wrapped
        }
    };
    fn inner(filter: &ValFilter, document: &Document) -> bool {
        match filter {
            ValFilter::Attr(expression) => holds(expression, document),
            ValFilter::Not(negated) => !inner(negated, document),
            ValFilter::And(all) => all.as_slice().iter().all(|each| inner(each, document)),
            ValFilter::Or(any) => any.as_slice().iter().any(|each| inner(each, document)),
        }
    }
    inner(filter, document)
}

/// The value that a filter demands of an attribute of the resource itself, where it cannot be
/// fulfilled without: `userName eq "kim"`, alone or beside others.
pub(super) fn demanded<'a>(filter: &'a Filter, attribute: &str) -> Option<&'a str> {
    match filter {
        Filter::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(text)))
            if path.sub_attr.is_none() && path.name.eq_ignore_ascii_case(attribute) =>
        {
            Some(text)
        }
        Filter::And(all) => all.as_slice().iter().find_map(|each| demanded(each, attribute)),
        _ => None,
    }
}

/// The values under a path: elements of a multi-valued attribute, each on its own.
fn values<'a>(document: &'a Document, path: &AttrPath) -> Vec<&'a Value> {
    let extended = path.uri.as_deref().is_some_and(|uri| uri.eq_ignore_ascii_case(ENTERPRISE));
    let value = match extended {
        true => attributes::get(document, ENTERPRISE)
            .and_then(|extension| attributes::of(extension, &path.name)),
        false => attributes::get(document, &path.name),
    };
    let elements = value.map(attributes::elements).unwrap_or_default();
    match &path.sub_attr {
        Some(sub) => elements.iter().filter_map(|each| attributes::of(each, sub)).collect(),
        None => elements.iter().collect(),
    }
}

fn holds(expression: &AttrExp, document: &Document) -> bool {
    match expression {
        AttrExp::Present(path) => values(document, path).iter().any(|value| !is_empty(value)),
        AttrExp::Comparison(path, op, wanted) => {
            let found = values(document, path);
            let exact = ["id", "externalId"].iter().any(|n| n.eq_ignore_ascii_case(&path.name));
            match op {
                CompareOp::Ne => !found.iter().any(|v| compare(v, &CompareOp::Eq, wanted, exact)),
                op => found.iter().any(|value| compare(value, op, wanted, exact)),
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Compares one value; `exact` texts compare with case.
fn compare(found: &Value, op: &CompareOp, wanted: &CompValue, exact: bool) -> bool {
    // A complex element is compared by its `value`.
    let found = attributes::of(found, "value").unwrap_or(found);
    match (found, wanted) {
        (Value::String(found), CompValue::Str(wanted)) if exact => texts(found, op, wanted),
        (Value::String(found), CompValue::Str(wanted)) => {
            texts(&found.to_lowercase(), op, &wanted.to_lowercase())
        }
        (Value::Bool(found), wanted) => {
            let wanted = match wanted {
                CompValue::True => Some(true),
                CompValue::False => Some(false),
                // As Entra ID writes it.
                CompValue::Str(text) => attributes::boolean(&Value::String(text.clone())),
                _ => None,
            };
            *op == CompareOp::Eq && wanted == Some(*found)
        }
        (Value::Number(found), CompValue::Number(wanted)) => {
            let order =
                found.as_f64().and_then(|f| wanted.as_f64().and_then(|w| f.partial_cmp(&w)));
            order.is_some_and(|order| ordered(order, op))
        }
        _ => false,
    }
}

fn texts(found: &str, op: &CompareOp, wanted: &str) -> bool {
    match op {
        CompareOp::Co => found.contains(wanted),
        CompareOp::Sw => found.starts_with(wanted),
        CompareOp::Ew => found.ends_with(wanted),
        op => ordered(found.cmp(wanted), op),
    }
}

fn ordered(order: Ordering, op: &CompareOp) -> bool {
    match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Ne | CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_hold_as_the_rfc_says() {
        let document = json!({
            "id": "2819C223", "userName": "Kim@Contoso.example", "externalId": "Ab",
            "active": true, "displayName": "Kim",
            "emails": [{"value": "kim@contoso.example", "type": "work", "primary": true}],
            "roles": [{"value": "contoso_rep"}],
            "meta": {"lastModified": "2026-03-01T08:00:00Z"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Desk"},
        });
        let document = document.as_object().unwrap();
        for (filter, want) in [
            (r#"userName eq "kim@contoso.EXAMPLE""#, true),
            (r#"USERNAME Eq "kim@contoso.example""#, true),
            (r#"userName eq "kim""#, false),
            (r#"userName sw "kim@""#, true),
            (r#"userName co "contoso""#, true),
            (r#"userName ew ".example""#, true),
            (r#"externalId eq "Ab""#, true),
            (r#"externalId eq "ab""#, false),
            ("externalId pr", true),
            ("nickName pr", false),
            (r#"nickName ne "x""#, true),
            ("active eq true", true),
            (r#"active eq "True""#, true),
            ("active eq false", false),
            (r#"not (active eq true)"#, false),
            (r#"userName sw "kim" and not (displayName eq "Ann")"#, true),
            (r#"displayName eq "Ann" or emails co "contoso""#, true),
            (r#"emails[type eq "work" and primary eq true]"#, true),
            (r#"emails[type eq "home"]"#, false),
            (r#"emails.value eq "KIM@contoso.example""#, true),
            (r#"roles.value eq "contoso_rep""#, true),
            (r#"meta.lastModified gt "2026-01-01T00:00:00Z""#, true),
            (r#"meta.lastModified lt "2026-01-01T00:00:00Z""#, false),
            (
                r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "desk""#,
                true,
            ),
            (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "KIM""#, true),
        ] {
            let parsed: Filter = filter.parse().unwrap();
            assert_eq!(matches(&parsed, document), want, "{filter}");
        }
    }

    #[test]
    fn what_a_filter_demands_is_found_in_conjunctions_only() {
        for (filter, want) in [
            (r#"userName eq "kim""#, Some("kim")),
            (r#"active eq true and USERNAME eq "kim""#, Some("kim")),
            (r#"userName eq "kim" or userName eq "ann""#, None),
            (r#"not (userName eq "kim")"#, None),
            (r#"userName sw "kim""#, None),
        ] {
            let parsed: Filter = filter.parse().unwrap();
            assert_eq!(demanded(&parsed, "userName"), want, "{filter}");
        }
    }
}
