//! Roles, who has them, and which permissions they carry.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{BY_CURSOR, NONE_BEYOND, done, read_list, required};
use crate::action::{About, Action, CuratedAction, Effect};
use crate::client::Client;
use crate::core::error::{Code, Error};
use crate::core::id::{RoleId, UserId};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape};
use crate::core::scope::{need, need_for};
use crate::input::{IntoBody, body, input};
use crate::list::{OffsetPart, Part};
use crate::operations::Paging;

/// Roles per tenant (facts, section 5): a name is looked for in so many pages of 100 and no more.
const PAGES_OF_ROLES: u32 = 10;

input! {
    /// Roles by id, by name, or both.
    struct RoleRefs {
        /// Role ids. At least one role, by id or by name.
        roles: Option<Vec<RoleId>>,
        /// Role names, exactly as they are. At least one role, by id or by name.
        role_names: Option<Vec<String>>,
    }
}

body! {
    /// What to change of a role.
    struct RoleChanges {
        /// New name.
        name: Option<String>,
        /// New description.
        description: Option<String>,
    }
}

body! {
    /// A permission of an API.
    struct Permission {
        /// Identifier (audience) of the API.
        resource_server_identifier: String,
        /// Name, such as `read:reports`.
        permission_name: String,
    }
}

fn path(role_id: &RoleId, rest: &[&str]) -> ApiPath {
    ApiPath::of(&[&["roles", role_id.as_str()], rest].concat())
}

fn change_user_roles(
    client: &mut Client<'_>,
    method: Method,
    user_id: &UserId,
    input: &RoleRefs,
) -> Result<Value, Error> {
    let mut ids: Vec<String> = input.roles.iter().flatten().map(|id| id.as_str().to_owned()).collect();
    let mut looked_for = BTreeSet::new();
    let names: Vec<&String> =
        input.role_names.iter().flatten().filter(|name| looked_for.insert(name.as_str())).collect();
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
        let message = format!(
            "no role is called {}: nothing was changed; list-roles lists the names",
            unknown.join(", ")
        );
        return Err(Error::new(Code::NotFound, message));
    }
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    let path = ApiPath::of(&["users", user_id.as_str(), "roles"]);
    client.send(&Request::api(method, &path).json(&json!({ "roles": ids }))).map(|_| done())
}

/// Finds the role of exactly that name. The filter narrows; whether it matches parts of names is not documented (facts,
/// section 10), so the comparison is made here.
fn role_by_name(client: &mut Client<'_>, name: &str) -> Result<Option<String>, Error> {
    let mut part = OffsetPart { limit: Some(100), ..OffsetPart::default() };
    for _ in 0..PAGES_OF_ROLES {
        let list = ListRoles { name_filter: Some(name.to_owned()), part }.run(client)?;
        let roles = list.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let found = roles.iter().find(|role| role.get("name").and_then(Value::as_str) == Some(name));
        if let Some(id) = found.and_then(|role| role.get("id")).and_then(Value::as_str) {
            return Ok(Some(id.to_owned()));
        }
        let Some(next) = list.get("next").and_then(Value::as_str) else { break };
        part = OffsetPart { limit: Some(100), cursor: Some(next.to_owned()), ..OffsetPart::default() };
    }
    Ok(None)
}

fn change_permissions(
    client: &mut Client<'_>,
    method: Method,
    role_id: &RoleId,
    permissions: Vec<Permission>,
) -> Result<Value, Error> {
    if permissions.is_empty() {
        return Err(Error::invalid("no permission given: name at least one in `permissions`"));
    }
    let permissions = permissions.into_body();
    let request = Request::api(method, &path(role_id, &["permissions"]));
    client.send(&request.json(&json!({ "permissions": permissions }))).map(|_| done())
}

const ROLE: Shape = Shape(&[
    ("id", Kind::Text, "Id, rol_…"),
    ("name", Kind::Text, "Name, unique in the tenant"),
    ("description", Kind::Text, "What it is for"),
]);

const ROLE_USER: Shape = Shape(&[
    ("user_id", Kind::Text, "Whole id of the user"),
    ("email", Kind::Text, "Email address"),
    ("name", Kind::Text, "Full name"),
    ("picture", Kind::Text, "URL of a picture"),
]);

const ROLE_PERMISSION: Shape = Shape(&[
    ("permission_name", Kind::Text, "Name"),
    ("description", Kind::Text, "What it allows"),
    ("resource_server_name", Kind::Text, "Name of the API"),
    ("resource_server_identifier", Kind::Text, "Identifier (audience) of the API"),
]);

/// The family.
pub(super) const ACTIONS: &[Action] = &[
    Action::of::<ListRoles>(),
    Action::of::<GetRole>(),
    Action::of::<CreateRole>(),
    Action::of::<UpdateRole>(),
    Action::of::<DeleteRole>(),
    Action::of::<ListUserRoles>(),
    Action::of::<AssignUserRoles>(),
    Action::of::<RemoveUserRoles>(),
    Action::of::<ListRoleUsers>(),
    Action::of::<ListRolePermissions>(),
    Action::of::<AddRolePermissions>(),
    Action::of::<RemoveRolePermissions>(),
];

input! {
    /// Input of `list-roles`.
    struct ListRoles {
        /// Part of the name, in any case.
        name_filter: Option<String>,
    }
    with part: OffsetPart
}

impl CuratedAction for ListRoles {
    const ABOUT: About = About {
        id: "list-roles",
        title: "List roles",
        description: "Lists the tenant's roles, one page at a time, all or those whose name holds a text.",
        group: "roles",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /roles"],
        handles_personal_data: false,
        scopes: &[need(&["read:roles"])],
        output: Output::Page(&ROLE, Paging::Offset),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let request = Request::api(Method::Get, &ApiPath::of(&["roles"]))
            .maybe("name_filter", self.name_filter.as_ref());
        read_list(client, &Self::ABOUT, "roles", NONE_BEYOND, self.part, &request)
    }
}

input! {
    /// Input of `get-role`.
    struct GetRole {
        /// Id of the role, `rol_…`.
        role_id: RoleId,
    }
}

impl CuratedAction for GetRole {
    const ABOUT: About = About {
        id: "get-role",
        title: "Get a role",
        description: "Gets one role by id. `not-found` where there is none.",
        group: "roles",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /roles/{id}"],
        handles_personal_data: false,
        scopes: &[need(&["read:roles"])],
        output: Output::One(&ROLE),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        client.json(&Request::api(Method::Get, &path(&self.role_id, &[])))
    }
}

body! {
    /// Input of `create-role`.
    struct CreateRole {
        /// Name, unique in the tenant.
        name: String,
        /// What it is for.
        description: Option<String>,
    }
}

impl CuratedAction for CreateRole {
    const ABOUT: About = About {
        id: "create-role",
        title: "Create a role",
        description: "Creates a role. Ends with conflict where the name is taken.",
        group: "roles",
        effect: Effect::Create,
        idempotent: false,
        requests: &["POST /roles"],
        handles_personal_data: false,
        scopes: &[need(&["create:roles"])],
        output: Output::One(&ROLE),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        required("name", &self.name)?;
        let body = self.into_body().unwrap_or_default();
        client.json(&Request::api(Method::Post, &ApiPath::of(&["roles"])).json(&body))
    }
}

input! {
    /// Input of `update-role`.
    #[schemars(extend("anyOf" = [{"required": ["name"]}, {"required": ["description"]}]))]
    struct UpdateRole {
        /// Id of the role, `rol_…`.
        role_id: RoleId,
    }
    with changes: RoleChanges
}

impl CuratedAction for UpdateRole {
    const ABOUT: About = About {
        id: "update-role",
        title: "Update a role",
        description: "Changes a role's name or description.",
        group: "roles",
        effect: Effect::Update,
        idempotent: true,
        requests: &["PATCH /roles/{id}"],
        handles_personal_data: false,
        scopes: &[need(&["update:roles"])],
        output: Output::One(&ROLE),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        if self.changes.name.is_none() && self.changes.description.is_none() {
            return Err(Error::invalid(
                "an update without changes refused: give `name`, `description` or both",
            ));
        }
        let body = self.changes.into_body().unwrap_or_default();
        client.json(&Request::api(Method::Patch, &path(&self.role_id, &[])).json(&body))
    }
}

input! {
    /// Input of `delete-role`.
    struct DeleteRole {
        /// Id of the role, `rol_…`.
        role_id: RoleId,
    }
}

impl CuratedAction for DeleteRole {
    const ABOUT: About = About {
        id: "delete-role",
        title: "Delete a role",
        description: "Deletes a role for good and takes it off everyone who has it. `not-found` where there is none.",
        group: "roles",
        effect: Effect::Delete,
        idempotent: false,
        requests: &["DELETE /roles/{id}"],
        handles_personal_data: false,
        scopes: &[need(&["delete:roles"])],
        output: Output::Done,
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        client.send(&Request::api(Method::Delete, &path(&self.role_id, &[]))).map(|_| done())
    }
}

input! {
    /// Input of `list-user-roles`.
    struct ListUserRoles {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
    }
    with part: OffsetPart
}

impl CuratedAction for ListUserRoles {
    const ABOUT: About = About {
        id: "list-user-roles",
        title: "List a user's roles",
        description: "Lists the roles that a user has.",
        group: "roles",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users/{id}/roles"],
        handles_personal_data: true,
        scopes: &[need(&["read:users"]), need(&["read:roles"]), need(&["read:role_members"])],
        output: Output::Page(&ROLE, Paging::Offset),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let request = Request::api(Method::Get, &ApiPath::of(&["users", self.user_id.as_str(), "roles"]));
        read_list(client, &Self::ABOUT, "roles", NONE_BEYOND, self.part, &request)
    }
}

input! {
    /// Input of `assign-user-roles`.
    #[schemars(extend("anyOf" = [{"required": ["roles"]}, {"required": ["role_names"]}]))]
    struct AssignUserRoles {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
    }
    with roles: RoleRefs
}

impl CuratedAction for AssignUserRoles {
    const ABOUT: About = About {
        id: "assign-user-roles",
        title: "Assign roles to a user",
        description: "Gives roles to a user, by id or by name. All names are looked up (read:roles) before anything is \
                      changed. Giving a role that the user has already succeeds.",
        group: "roles",
        effect: Effect::Update,
        idempotent: true,
        requests: &["GET /roles", "POST /users/{id}/roles"],
        handles_personal_data: true,
        scopes: &[need(&["update:users"]), need_for(&["read:roles"], "roles by name")],
        output: Output::Done,
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        change_user_roles(client, Method::Post, &self.user_id, &self.roles)
    }
}

input! {
    /// Input of `remove-user-roles`.
    #[schemars(extend("anyOf" = [{"required": ["roles"]}, {"required": ["role_names"]}]))]
    struct RemoveUserRoles {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
    }
    with roles: RoleRefs
}

impl CuratedAction for RemoveUserRoles {
    const ABOUT: About = About {
        id: "remove-user-roles",
        title: "Remove roles from a user",
        description: "Takes roles off a user, by id or by name. All names are looked up (read:roles) before anything is \
                      changed.",
        group: "roles",
        effect: Effect::Update,
        idempotent: true,
        requests: &["GET /roles", "DELETE /users/{id}/roles"],
        handles_personal_data: true,
        scopes: &[need(&["update:users"]), need_for(&["read:roles"], "roles by name")],
        output: Output::Done,
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        change_user_roles(client, Method::Delete, &self.user_id, &self.roles)
    }
}

input! {
    /// Input of `list-role-users`.
    struct ListRoleUsers {
        /// Id of the role, `rol_…`.
        role_id: RoleId,
    }
    with part: Part
}

impl CuratedAction for ListRoleUsers {
    const ABOUT: About = About {
        id: "list-role-users",
        title: "List a role's users",
        description: "Lists who has a role: the first 1000 by page, any number by checkpoint (take, then from).",
        group: "roles",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /roles/{id}/users"],
        handles_personal_data: true,
        scopes: &[need(&["read:users"]), need(&["read:roles"])],
        output: Output::Page(&ROLE_USER, Paging::Either),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let request = Request::api(Method::Get, &path(&self.role_id, &["users"]));
        read_list(client, &Self::ABOUT, "users", BY_CURSOR, self.part, &request)
    }
}

input! {
    /// Input of `list-role-permissions`.
    struct ListRolePermissions {
        /// Id of the role, `rol_…`.
        role_id: RoleId,
    }
    with part: OffsetPart
}

impl CuratedAction for ListRolePermissions {
    const ABOUT: About = About {
        id: "list-role-permissions",
        title: "List a role's permissions",
        description: "Lists the permissions that a role carries.",
        group: "roles",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /roles/{id}/permissions"],
        handles_personal_data: false,
        scopes: &[need(&["read:roles"])],
        output: Output::Page(&ROLE_PERMISSION, Paging::Offset),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let request = Request::api(Method::Get, &path(&self.role_id, &["permissions"]));
        read_list(client, &Self::ABOUT, "permissions", NONE_BEYOND, self.part, &request)
    }
}

input! {
    /// Input of `add-role-permissions`.
    struct AddRolePermissions {
        /// Id of the role, `rol_…`.
        role_id: RoleId,
        /// The permissions; at least one.
        #[schemars(length(min = 1))]
        permissions: Vec<Permission>,
    }
}

impl CuratedAction for AddRolePermissions {
    const ABOUT: About = About {
        id: "add-role-permissions",
        title: "Add permissions to a role",
        description: "Adds permissions of an API to a role.",
        group: "roles",
        effect: Effect::Update,
        idempotent: true,
        requests: &["POST /roles/{id}/permissions"],
        handles_personal_data: false,
        scopes: &[need(&["update:roles"])],
        output: Output::Done,
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        change_permissions(client, Method::Post, &self.role_id, self.permissions)
    }
}

input! {
    /// Input of `remove-role-permissions`.
    struct RemoveRolePermissions {
        /// Id of the role, `rol_…`.
        role_id: RoleId,
        /// The permissions; at least one.
        #[schemars(length(min = 1))]
        permissions: Vec<Permission>,
    }
}

impl CuratedAction for RemoveRolePermissions {
    const ABOUT: About = About {
        id: "remove-role-permissions",
        title: "Remove permissions from a role",
        description: "Takes permissions of an API off a role.",
        group: "roles",
        effect: Effect::Update,
        idempotent: true,
        requests: &["DELETE /roles/{id}/permissions"],
        handles_personal_data: false,
        scopes: &[need(&["update:roles"])],
        output: Output::Done,
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        change_permissions(client, Method::Delete, &self.role_id, self.permissions)
    }
}
