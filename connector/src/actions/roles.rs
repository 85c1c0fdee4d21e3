//! Roles, who has them, and which permissions they carry.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::{done, required, text};
use crate::catalog::{Action, Effect, need, need_for, parse};
use crate::client::Client;
use crate::core::error::{Error, Problem};
use crate::core::id::{RoleId, UserId};
use crate::core::json::object;
use crate::core::paging::{Offset, Part, Wall, read_page};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape, input};
use crate::input::members;

/// Roles per tenant (facts, section 5): a name is looked for in so many pages of 100 and no more.
const PAGES_OF_ROLES: u32 = 10;

/// Input of `list-roles`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListRoles {
    /// Part of the name, in any case.
    pub name_filter: Option<String>,
    /// Page, from 0.
    pub page: Option<u32>,
    /// Page size, 1 to 100; 50 by default.
    #[schemars(range(min = 1, max = 100))]
    pub per_page: Option<u32>,
    /// Answer the total number too.
    pub include_totals: Option<bool>,
}

members!(ListRoles { name_filter, page, per_page, include_totals });

/// Input of the actions that need a role and nothing else.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OneRole {
    /// Id of the role, `rol_…`.
    pub role_id: RoleId,
}

members!(OneRole { role_id });

/// Input of `create-role`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CreateRole {
    /// Name, unique in the tenant.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
}

members!(CreateRole { name, description });

/// Input of `update-role`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["name"]}, {"required": ["description"]}]))]
pub struct UpdateRole {
    /// Id of the role, `rol_…`.
    pub role_id: RoleId,
    /// New name.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
}

members!(UpdateRole { role_id, name, description });

/// Input of `get-user-roles`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct GetUserRoles {
    /// Whole id of the user, with its provider part.
    pub user_id: UserId,
    /// Page, from 0.
    pub page: Option<u32>,
    /// Page size, 1 to 100; 50 by default.
    #[schemars(range(min = 1, max = 100))]
    pub per_page: Option<u32>,
    /// Answer the total number too.
    pub include_totals: Option<bool>,
}

members!(GetUserRoles { user_id, page, per_page, include_totals });

/// Input of `assign-user-roles` and `remove-user-roles`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["roles"]}, {"required": ["role_names"]}]))]
pub struct UserRoles {
    /// Whole id of the user, with its provider part.
    pub user_id: UserId,
    /// Role ids. At least one role, by id or by name.
    pub roles: Option<Vec<RoleId>>,
    /// Role names, exactly as they are. At least one role, by id or by name.
    pub role_names: Option<Vec<String>>,
}

members!(UserRoles { user_id, roles, role_names });

/// Input of `list-role-users`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListRoleUsers {
    /// Id of the role, `rol_…`.
    pub role_id: RoleId,
    /// Page, from 0. Reaches 1000 users; excludes from and take.
    pub page: Option<u32>,
    /// Page size, 1 to 100; 50 by default. Excludes from and take.
    #[schemars(range(min = 1, max = 100))]
    pub per_page: Option<u32>,
    /// Answer the total number too. Excludes from and take.
    pub include_totals: Option<bool>,
    /// The cursor of the page before.
    pub from: Option<String>,
    /// Page size of the checkpoint, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub take: Option<u32>,
}

members!(ListRoleUsers { role_id, page, per_page, include_totals, from, take });

/// Input of `list-role-permissions`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListRolePermissions {
    /// Id of the role, `rol_…`.
    pub role_id: RoleId,
    /// Page, from 0.
    pub page: Option<u32>,
    /// Page size, 1 to 100; 50 by default.
    #[schemars(range(min = 1, max = 100))]
    pub per_page: Option<u32>,
    /// Answer the total number too.
    pub include_totals: Option<bool>,
}

members!(ListRolePermissions { role_id, page, per_page, include_totals });

/// A permission of an API.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Permission {
    /// Identifier (audience) of the API.
    pub resource_server_identifier: String,
    /// Name, such as `read:reports`.
    pub permission_name: String,
}

members!(Permission { resource_server_identifier, permission_name });

impl Permission {
    fn json(&self) -> Value {
        json!({
            "resource_server_identifier": self.resource_server_identifier,
            "permission_name": self.permission_name,
        })
    }
}

/// Input of `add-role-permissions` and `remove-role-permissions`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RolePermissions {
    /// Id of the role, `rol_…`.
    pub role_id: RoleId,
    /// The permissions; at least one.
    #[schemars(length(min = 1))]
    pub permissions: Vec<Permission>,
}

members!(RolePermissions { role_id, permissions });

fn path(role_id: &RoleId, rest: &[&str]) -> ApiPath {
    ApiPath::of(&[&["roles", role_id.as_str()], rest].concat())
}

/// Lists roles.
///
/// # Errors
/// As the contract's `roles.list-roles`.
pub fn list_roles(client: &mut Client<'_>, input: &ListRoles) -> Result<Value, Error> {
    let offset = Offset::new(input.page, input.per_page, input.include_totals, Wall::None)?;
    let request =
        Request::api(Method::Get, &ApiPath::of(&["roles"])).maybe("name_filter", input.name_filter.as_ref());
    read_page(client.json(&offset.apply(request))?, "roles", offset)
}

/// Gets one role.
///
/// # Errors
/// As the contract's `roles.get-role`.
pub fn get_role(client: &mut Client<'_>, input: &OneRole) -> Result<Value, Error> {
    client.json(&Request::api(Method::Get, &path(&input.role_id, &[])))
}

/// Creates a role.
///
/// # Errors
/// As the contract's `roles.create-role`.
pub fn create_role(client: &mut Client<'_>, input: &CreateRole) -> Result<Value, Error> {
    let body = object([
        ("name", Some(required("name", &input.name)?)),
        ("description", text(input.description.as_ref())),
    ]);
    client.json(&Request::api(Method::Post, &ApiPath::of(&["roles"])).json(&body))
}

/// Changes a role.
///
/// # Errors
/// As the contract's `roles.update-role`.
pub fn update_role(client: &mut Client<'_>, input: &UpdateRole) -> Result<Value, Error> {
    if input.name.is_none() && input.description.is_none() {
        return Err(Error::invalid("an update without changes refused: give `name`, `description` or both"));
    }
    let body =
        object([("name", text(input.name.as_ref())), ("description", text(input.description.as_ref()))]);
    client.json(&Request::api(Method::Patch, &path(&input.role_id, &[])).json(&body))
}

/// Deletes a role.
///
/// # Errors
/// As the contract's `roles.delete-role`.
pub fn delete_role(client: &mut Client<'_>, input: &OneRole) -> Result<Value, Error> {
    client.send(&Request::api(Method::Delete, &path(&input.role_id, &[]))).map(|_| done())
}

/// Lists the roles of a user.
///
/// # Errors
/// As the contract's `roles.get-user-roles`.
pub fn get_user_roles(client: &mut Client<'_>, input: &GetUserRoles) -> Result<Value, Error> {
    let offset = Offset::new(input.page, input.per_page, input.include_totals, Wall::None)?;
    let request = Request::api(Method::Get, &ApiPath::of(&["users", input.user_id.as_str(), "roles"]));
    read_page(client.json(&offset.apply(request))?, "roles", offset)
}

/// Gives roles to a user.
///
/// # Errors
/// As the contract's `roles.assign-user-roles`.
pub fn assign_user_roles(client: &mut Client<'_>, input: &UserRoles) -> Result<Value, Error> {
    change_user_roles(client, Method::Post, input)
}

/// Takes roles off a user.
///
/// # Errors
/// As the contract's `roles.remove-user-roles`.
pub fn remove_user_roles(client: &mut Client<'_>, input: &UserRoles) -> Result<Value, Error> {
    change_user_roles(client, Method::Delete, input)
}

fn change_user_roles(client: &mut Client<'_>, method: Method, input: &UserRoles) -> Result<Value, Error> {
    let mut ids: Vec<String> = input.roles.iter().flatten().map(|id| id.as_str().to_owned()).collect();
    let names: Vec<&String> = input.role_names.iter().flatten().collect();
    if ids.is_empty() && names.is_empty() {
        return Err(Error::invalid("no role given: name at least one in `roles` (ids) or `role_names`"));
    }
    for name in &names {
        required("role_names", name)?;
    }
    // All names first: a name that does not exist must not leave the user with half of the roles.
    let mut unknown = Vec::new();
    for name in names {
        match role_by_name(client, name)? {
            Some(id) => ids.push(id),
            None => unknown.push(format!("'{name}'")),
        }
    }
    if !unknown.is_empty() {
        return Err(Error::Missing(Problem::new(format!(
            "no role is called {}: nothing was changed; list-roles lists the names",
            unknown.join(", ")
        ))));
    }
    let mut seen = std::collections::BTreeSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    let path = ApiPath::of(&["users", input.user_id.as_str(), "roles"]);
    client.send(&Request::api(method, &path).json(&json!({ "roles": ids }))).map(|_| done())
}

/// Finds the role of exactly that name. The filter narrows; whether it matches parts of names is not documented (facts,
/// section 10), so the comparison is made here.
fn role_by_name(client: &mut Client<'_>, name: &str) -> Result<Option<String>, Error> {
    let mut page = 0;
    while page < PAGES_OF_ROLES {
        let input = ListRoles {
            name_filter: Some(name.to_owned()),
            page: Some(page),
            per_page: Some(100),
            include_totals: None,
        };
        let list = list_roles(client, &input)?;
        let roles = list.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let found = roles.iter().find(|role| role.get("name").and_then(Value::as_str) == Some(name));
        if let Some(id) = found.and_then(|role| role.get("id")).and_then(Value::as_str) {
            return Ok(Some(id.to_owned()));
        }
        if list.get("next").is_none() {
            break;
        }
        page += 1;
    }
    Ok(None)
}

/// Lists the users of a role.
///
/// # Errors
/// As the contract's `roles.list-role-users`.
pub fn list_role_users(client: &mut Client<'_>, input: ListRoleUsers) -> Result<Value, Error> {
    let part = Part::new(
        input.page,
        input.per_page,
        input.include_totals,
        input.from,
        input.take,
        Wall::CHECKPOINT,
    )?;
    let request = Request::api(Method::Get, &path(&input.role_id, &["users"]));
    part.read(client.json(&part.apply(request))?, "users")
}

/// Lists the permissions of a role.
///
/// # Errors
/// As the contract's `roles.list-role-permissions`.
pub fn list_role_permissions(client: &mut Client<'_>, input: &ListRolePermissions) -> Result<Value, Error> {
    let offset = Offset::new(input.page, input.per_page, input.include_totals, Wall::None)?;
    let request = Request::api(Method::Get, &path(&input.role_id, &["permissions"]));
    read_page(client.json(&offset.apply(request))?, "permissions", offset)
}

/// Adds permissions to a role.
///
/// # Errors
/// As the contract's `roles.add-role-permissions`.
pub fn add_role_permissions(client: &mut Client<'_>, input: &RolePermissions) -> Result<Value, Error> {
    change_permissions(client, Method::Post, input)
}

/// Takes permissions off a role.
///
/// # Errors
/// As the contract's `roles.remove-role-permissions`.
pub fn remove_role_permissions(client: &mut Client<'_>, input: &RolePermissions) -> Result<Value, Error> {
    change_permissions(client, Method::Delete, input)
}

fn change_permissions(
    client: &mut Client<'_>,
    method: Method,
    input: &RolePermissions,
) -> Result<Value, Error> {
    if input.permissions.is_empty() {
        return Err(Error::invalid("no permission given: name at least one in `permissions`"));
    }
    let permissions: Vec<_> = input.permissions.iter().map(Permission::json).collect();
    let request = Request::api(method, &path(&input.role_id, &["permissions"]));
    client.send(&request.json(&json!({ "permissions": permissions }))).map(|_| done())
}

const ROLE: Shape = Shape(&[
    ("id", Kind::Text, "Id, rol_…"),
    ("name", Kind::Text, "Name, unique in the tenant"),
    ("description", Kind::Text, "What it is for"),
]);

const ROLE_USER: Shape = Shape(&[
    ("user_id", Kind::Text, "Whole id of the user"),
    ("email", Kind::Text, "E-mail address"),
    ("name", Kind::Text, "Full name"),
    ("picture", Kind::Text, "URL of a picture"),
]);

const ROLE_PERMISSION: Shape = Shape(&[
    ("permission_name", Kind::Text, "Name"),
    ("description", Kind::Text, "What it allows"),
    ("resource_server_name", Kind::Text, "Name of the API"),
    ("resource_server_identifier", Kind::Text, "Identifier (audience) of the API"),
]);

/// The family's lines of the table.
pub const ACTIONS: &[Action] = &[
    Action {
        id: "list-roles",
        title: "List roles",
        description: "Lists the tenant's roles, one page at a time, all or those whose name holds a text.",
        group: "roles",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /roles"],
        personal: false,
        scopes: &[need(&["read:roles"])],
        input: input::<ListRoles>,
        output: Output::Pages(&ROLE),
        run: |client, value| list_roles(client, &parse(value)?),
    },
    Action {
        id: "get-role",
        title: "Get a role",
        description: "Gets one role by id. Ends with missing where there is none.",
        group: "roles",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /roles/{id}"],
        personal: false,
        scopes: &[need(&["read:roles"])],
        input: input::<OneRole>,
        output: Output::One(&ROLE),
        run: |client, value| get_role(client, &parse(value)?),
    },
    Action {
        id: "create-role",
        title: "Create a role",
        description: "Creates a role. Ends with conflict where the name is taken.",
        group: "roles",
        effect: Effect::Create,
        idempotent: false,
        requests: &["POST /roles"],
        personal: false,
        scopes: &[need(&["create:roles"])],
        input: input::<CreateRole>,
        output: Output::One(&ROLE),
        run: |client, value| create_role(client, &parse(value)?),
    },
    Action {
        id: "update-role",
        title: "Update a role",
        description: "Changes a role's name or description.",
        group: "roles",
        effect: Effect::Update,
        idempotent: true,
        requests: &["PATCH /roles/{id}"],
        personal: false,
        scopes: &[need(&["update:roles"])],
        input: input::<UpdateRole>,
        output: Output::One(&ROLE),
        run: |client, value| update_role(client, &parse(value)?),
    },
    Action {
        id: "delete-role",
        title: "Delete a role",
        description: "Deletes a role for good and takes it off everyone who has it. Ends with missing where there is none.",
        group: "roles",
        effect: Effect::Delete,
        idempotent: false,
        requests: &["DELETE /roles/{id}"],
        personal: false,
        scopes: &[need(&["delete:roles"])],
        input: input::<OneRole>,
        output: Output::Done,
        run: |client, value| delete_role(client, &parse(value)?),
    },
    Action {
        id: "get-user-roles",
        title: "Get a user's roles",
        description: "Lists the roles that a user has.",
        group: "roles",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users/{id}/roles"],
        personal: true,
        scopes: &[need(&["read:users"]), need(&["read:roles"]), need(&["read:role_members"])],
        input: input::<GetUserRoles>,
        output: Output::Pages(&ROLE),
        run: |client, value| get_user_roles(client, &parse(value)?),
    },
    Action {
        id: "assign-user-roles",
        title: "Assign roles to a user",
        description: "Gives roles to a user, by id or by name. All names are looked up (read:roles) before anything is \
                      changed. A role that the user has already is no failure.",
        group: "roles",
        effect: Effect::Update,
        idempotent: true,
        requests: &["GET /roles", "POST /users/{id}/roles"],
        personal: true,
        scopes: &[need(&["update:users"]), need_for(&["read:roles"], "roles by name")],
        input: input::<UserRoles>,
        output: Output::Done,
        run: |client, value| assign_user_roles(client, &parse(value)?),
    },
    Action {
        id: "remove-user-roles",
        title: "Remove roles from a user",
        description: "Takes roles off a user, by id or by name. All names are looked up (read:roles) before anything is \
                      changed.",
        group: "roles",
        effect: Effect::Update,
        idempotent: true,
        requests: &["GET /roles", "DELETE /users/{id}/roles"],
        personal: true,
        scopes: &[need(&["update:users"]), need_for(&["read:roles"], "roles by name")],
        input: input::<UserRoles>,
        output: Output::Done,
        run: |client, value| remove_user_roles(client, &parse(value)?),
    },
    Action {
        id: "list-role-users",
        title: "List a role's users",
        description: "Lists who has a role: the first 1000 by page, any number by checkpoint (take, then from).",
        group: "roles",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /roles/{id}/users"],
        personal: true,
        scopes: &[need(&["read:users"]), need(&["read:roles"])],
        input: input::<ListRoleUsers>,
        output: Output::Cursor(&ROLE_USER),
        run: |client, value| list_role_users(client, parse(value)?),
    },
    Action {
        id: "list-role-permissions",
        title: "List a role's permissions",
        description: "Lists the permissions that a role carries.",
        group: "roles",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /roles/{id}/permissions"],
        personal: false,
        scopes: &[need(&["read:roles"])],
        input: input::<ListRolePermissions>,
        output: Output::Pages(&ROLE_PERMISSION),
        run: |client, value| list_role_permissions(client, &parse(value)?),
    },
    Action {
        id: "add-role-permissions",
        title: "Add permissions to a role",
        description: "Adds permissions of an API to a role.",
        group: "roles",
        effect: Effect::Update,
        idempotent: true,
        requests: &["POST /roles/{id}/permissions"],
        personal: false,
        scopes: &[need(&["update:roles"])],
        input: input::<RolePermissions>,
        output: Output::Done,
        run: |client, value| add_role_permissions(client, &parse(value)?),
    },
    Action {
        id: "remove-role-permissions",
        title: "Remove permissions from a role",
        description: "Takes permissions of an API off a role.",
        group: "roles",
        effect: Effect::Update,
        idempotent: true,
        requests: &["DELETE /roles/{id}/permissions"],
        personal: false,
        scopes: &[need(&["update:roles"])],
        input: input::<RolePermissions>,
        output: Output::Done,
        run: |client, value| remove_role_permissions(client, &parse(value)?),
    },
];
