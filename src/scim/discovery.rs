//! What the endpoint can do (RFC 7643 §5 to §7): the attributes that are kept, and no others.

use serde_json::{Value, json};

use super::{
    attributes::{ENTERPRISE, GROUP, USER},
    locations::Locations,
    query::MAX_COUNT,
};

/// The answer of ServiceProviderConfig.
pub(super) fn service_provider_config(locations: &Locations) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": MAX_COUNT},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token with the scope DIRECTORY or ADMIN in the header Authorization.",
            "primary": true,
        }],
        "meta": meta("ServiceProviderConfig", &locations.at("ServiceProviderConfig")),
    })
}

/// All resource types.
pub(super) fn resource_types(locations: &Locations) -> Vec<Value> {
    let one = |name: &str, schema: &str, extensions: Value| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": format!("/{name}s"),
            "schema": schema,
            "schemaExtensions": extensions,
            "meta": meta("ResourceType", &locations.at(&format!("ResourceTypes/{name}"))),
        })
    };
    vec![
        one("User", USER, json!([{"schema": ENTERPRISE, "required": false}])),
        one("Group", GROUP, json!([])),
    ]
}

/// All schemas; those are the roles that there are.
pub(super) fn schemas(locations: &Locations, roles: &[&str]) -> Vec<Value> {
    let one = |id: &str, name: &str, attributes: Value| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": id,
            "name": name,
            "description": name,
            "attributes": attributes,
            "meta": meta("Schema", &locations.at(&format!("Schemas/{id}"))),
        })
    };
    vec![
        one(USER, "User", user_attributes(roles)),
        one(GROUP, "Group", group_attributes()),
        one(ENTERPRISE, "EnterpriseUser", json!([text("department", "Business unit.")])),
    ]
}

fn meta(resource_type: &str, location: &str) -> Value {
    json!({"resourceType": resource_type, "location": location})
}

/// An optional text of one value.
fn text(name: &str, description: &str) -> Value {
    json!({
        "name": name,
        "type": "string",
        "multiValued": false,
        "description": description,
        "required": false,
        "caseExact": false,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    })
}

/// An attribute with other characteristics than [`text`].
fn like(attribute: Value, changes: Value) -> Value {
    let (Value::Object(mut attribute), Value::Object(changes)) = (attribute, changes) else {
        return Value::Null;
    };
    attribute.extend(changes);
    Value::Object(attribute)
}

fn boolean(name: &str, description: &str) -> Value {
    let Value::Object(mut attribute) = text(name, description) else { return Value::Null };
    attribute.insert("type".to_owned(), "boolean".into());
    attribute.remove("caseExact");
    attribute.remove("uniqueness");
    Value::Object(attribute)
}

fn complex(name: &str, description: &str, parts: Value) -> Value {
    json!({
        "name": name,
        "type": "complex",
        "multiValued": true,
        "description": description,
        "required": false,
        "mutability": "readWrite",
        "returned": "default",
        "subAttributes": parts,
    })
}

fn user_attributes(roles: &[&str]) -> Value {
    json!([
        like(
            text("userName", "Name in the directory, unique ignoring case."),
            json!({"required": true, "uniqueness": "server"}),
        ),
        text("displayName", "Name shown to people."),
        boolean("active", "Whether the user may call."),
        complex(
            "emails",
            "One e-mail address, the primary one.",
            json!([
                text("value", "The address."),
                like(text("type", "`work`."), json!({"canonicalValues": ["work"]})),
                boolean("primary", "Always true."),
            ]),
        ),
        complex(
            "roles",
            "Security roles that the user holds, by unique name.",
            json!([like(
                text("value", "Unique name of the role."),
                json!({"canonicalValues": roles}),
            )]),
        ),
    ])
}

fn group_attributes() -> Value {
    json!([
        like(text("displayName", "Name of the group."), json!({"required": true})),
        complex(
            "members",
            "Users of the group.",
            json!([
                like(text("value", "The id of the user."), json!({"mutability": "immutable"})),
                like(
                    text("$ref", "The URL of the user."),
                    json!({
                        "type": "reference",
                        "referenceTypes": ["User"],
                        "mutability": "immutable",
                    }),
                ),
                like(
                    text("type", "`User`."),
                    json!({"mutability": "immutable", "canonicalValues": ["User"]}),
                ),
            ]),
        ),
    ])
}
