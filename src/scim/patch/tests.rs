//! The forms of PATCH, each with what it makes of a document.

use serde_json::json;

use super::*;

fn patched(before: Value, operations: Value) -> Result<Value> {
    let Value::Object(mut document) = before else { panic!("{before}") };
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": operations,
    });
    apply(&mut document, body.to_string().as_bytes())?;
    Ok(Value::Object(document))
}

#[test]
fn every_form_has_its_effect() {
    let members = json!({"members": [{"value": "A"}, {"value": "b"}, {"value": "c"}]});
    let user = json!({"userName": "kim", "active": true, "displayName": "Kim",
        "emails": [{"value": "k@x", "type": "work"}]});
    let with = |change: Value| {
        let mut next = user.clone();
        next.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        next
    };
    let desk = json!({(ENTERPRISE): {"department": "Desk"}});
    let extended_user = with(desk.clone());
    let cases = [
        // RFC 7644.
        (
            &user,
            json!([{"op": "replace", "path": "active", "value": false}]),
            with(json!({"active": false})),
        ),
        (
            &user,
            json!([{"op": "add", "path": "nickName", "value": "K"}]),
            with(json!({"nickName": "K"})),
        ),
        (
            &members,
            json!([{"op": "add", "path": "members", "value": [{"value": "d"}, {"value": "a"}]}]),
            json!({"members": [{"value": "A"}, {"value": "b"}, {"value": "c"}, {"value": "d"}]}),
        ),
        (
            &members,
            json!([{"op": "remove", "path": "members[value eq \"B\"]"}]),
            json!({"members": [{"value": "A"}, {"value": "c"}]}),
        ),
        (&members, json!([{"op": "remove", "path": "members"}]), json!({})),
        (
            &members,
            json!([{"op": "replace", "path": "members", "value": [{"value": "z"}]}]),
            json!({"members": [{"value": "z"}]}),
        ),
        (
            &members,
            json!([{"op": "remove", "path": "members[value eq \"none\"]"}]),
            members.clone(),
        ),
        (
            &user,
            json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "n@x"}]),
            with(json!({"emails": [{"value": "n@x", "type": "work"}]})),
        ),
        // Entra ID.
        (
            &user,
            json!([{"op": "Replace", "path": "active", "value": "False"}]),
            with(json!({"active": "False"})),
        ),
        (
            &members,
            json!([{"op": "Remove", "path": "members", "value": [{"value": "B"}, {"value": "x"}]}]),
            json!({"members": [{"value": "A"}, {"value": "c"}]}),
        ),
        (
            &user,
            json!([{"op": "Add", "path": "emails[type eq \"home\"].value", "value": "h@x"}]),
            with(
                json!({"emails": [{"value": "k@x", "type": "work"}, {"value": "h@x", "type": "home"}]}),
            ),
        ),
        (
            &user,
            json!([{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "con_a"}]),
            with(json!({"roles": [{"primary": "True", "value": "con_a"}]})),
        ),
        (
            &user,
            json!([{"op": "Add", "value": {(format!("{ENTERPRISE}:department")): "Desk"}}]),
            with(desk.clone()),
        ),
        (
            &user,
            json!([{"op": "Replace", "path": format!("{ENTERPRISE}:department"), "value": "Desk"}]),
            with(desk.clone()),
        ),
        (
            &user,
            json!([{"op": "Add", "path": "name.givenName", "value": "Kim"}]),
            with(json!({"name": {"givenName": "Kim"}})),
        ),
        (
            &user,
            json!([{"op": "add", "path": ENTERPRISE, "value": {"department": "Desk"}}]),
            with(desk.clone()),
        ),
        (&extended_user, json!([{"op": "remove", "path": ENTERPRISE}]), user.clone()),
        (
            &user,
            json!([{"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": false}]),
            with(json!({"active": false})),
        ),
        // Okta.
        (
            &user,
            json!([{"op": "replace", "value": {"active": false}}]),
            with(json!({"active": false})),
        ),
        (
            &user,
            json!([{"op": "replace", "value": {"ACTIVE": false, (ENTERPRISE): {"department": "Desk"}}}]),
            {
                let mut next = with(desk);
                next["active"] = json!(false);
                next
            },
        ),
        (
            &members,
            json!([{"op": "replace", "value": {"id": "of Okta", "displayName": "G"}}]),
            json!({"members": [{"value": "A"}, {"value": "b"}, {"value": "c"}], "displayName": "G"}),
        ),
    ];
    for (before, operations, want) in cases {
        assert_eq!(patched(before.clone(), operations.clone()).unwrap(), want, "{operations}");
    }
}

#[test]
fn what_cannot_be_applied_is_refused_with_its_keyword() {
    for (operations, kind) in [
        (json!([]), ScimType::InvalidSyntax),
        (json!([{"op": "move", "path": "active"}]), ScimType::InvalidSyntax),
        (json!([{"op": "remove"}]), ScimType::InvalidSyntax),
        (json!([{"op": "replace", "path": "emails[", "value": 1}]), ScimType::InvalidSyntax),
        (json!([{"op": "replace", "path": "active"}]), ScimType::InvalidValue),
        (json!([{"op": "replace", "path": "meta.version", "value": "x"}]), ScimType::Mutability),
        (json!([{"op": "replace", "path": "id", "value": "x"}]), ScimType::Mutability),
        (
            json!([{"op": "replace", "path": "emails[type pr].value", "value": "x"}]),
            ScimType::NoTarget,
        ),
    ] {
        let error = patched(json!({"userName": "kim"}), operations.clone()).unwrap_err();
        assert_eq!(
            (error.status.as_u16(), error.message.scim_type),
            (400, Some(kind)),
            "{operations}"
        );
    }
}
