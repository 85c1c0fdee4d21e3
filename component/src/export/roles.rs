//! Glue of `roles`.

use serde_json::Value;

use super::bindings::exports::auth0::management::roles as wit;
use super::{Connector, Read, call, id};
use auth0_connector::actions::roles;
use auth0_connector::core::error::Error;

fn role(value: &Value) -> wit::Role {
    wit::Role {
        id: value.text("id"),
        name: value.text("name"),
        description: value.text("description"),
        raw: value.to_string(),
    }
}

fn role_page(page: &Value) -> wit::RolePage {
    wit::RolePage { items: page.each("items", role), total: page.number("total"), next: page.next_page() }
}

fn paging(page: Option<wit::Paging>) -> (Option<u32>, Option<u32>, Option<bool>) {
    page.map_or((None, None, None), |page| (page.page, page.per_page, page.include_totals))
}

fn user_roles(user_id: &str, roles: wit::RoleRefs) -> Result<roles::UserRoles, Error> {
    let ids = roles.roles.map(|ids| ids.iter().map(|text| id(text)).collect::<Result<_, _>>()).transpose()?;
    Ok(roles::UserRoles { user_id: id(user_id)?, roles: ids, role_names: roles.role_names })
}

fn role_permissions(
    role_id: &str,
    permissions: Vec<wit::Permission>,
) -> Result<roles::RolePermissions, Error> {
    let permissions = permissions.into_iter().map(|permission| roles::Permission {
        resource_server_identifier: permission.resource_server_identifier,
        permission_name: permission.permission_name,
    });
    Ok(roles::RolePermissions { role_id: id(role_id)?, permissions: permissions.collect() })
}

impl wit::Guest for Connector {
    fn list_roles(input: wit::ListRolesInput) -> Result<wit::RolePage, wit::Error> {
        let input = roles::ListRoles {
            name_filter: input.name_filter,
            page: input.page,
            per_page: input.per_page,
            include_totals: input.include_totals,
        };
        call("list-roles", |client| roles::list_roles(client, &input)).map(|page| role_page(&page))
    }

    fn get_role(role_id: String) -> Result<wit::Role, wit::Error> {
        let value =
            call("get-role", |client| roles::get_role(client, &roles::OneRole { role_id: id(&role_id)? }))?;
        Ok(role(&value))
    }

    fn create_role(name: String, description: Option<String>) -> Result<wit::Role, wit::Error> {
        let input = roles::CreateRole { name, description };
        call("create-role", |client| roles::create_role(client, &input)).map(|value| role(&value))
    }

    fn update_role(role_id: String, changes: wit::RoleChanges) -> Result<wit::Role, wit::Error> {
        let value = call("update-role", |client| {
            let wit::RoleChanges { name, description } = changes;
            roles::update_role(client, &roles::UpdateRole { role_id: id(&role_id)?, name, description })
        })?;
        Ok(role(&value))
    }

    fn delete_role(role_id: String) -> Result<(), wit::Error> {
        call("delete-role", |client| roles::delete_role(client, &roles::OneRole { role_id: id(&role_id)? }))
            .map(drop)
    }

    fn get_user_roles(user_id: String, page: Option<wit::Paging>) -> Result<wit::RolePage, wit::Error> {
        let (page, per_page, include_totals) = paging(page);
        let page = call("get-user-roles", |client| {
            let user_id = id(&user_id)?;
            roles::get_user_roles(client, &roles::GetUserRoles { user_id, page, per_page, include_totals })
        })?;
        Ok(role_page(&page))
    }

    fn assign_user_roles(user_id: String, refs: wit::RoleRefs) -> Result<(), wit::Error> {
        call("assign-user-roles", |client| roles::assign_user_roles(client, &user_roles(&user_id, refs)?))
            .map(drop)
    }

    fn remove_user_roles(user_id: String, refs: wit::RoleRefs) -> Result<(), wit::Error> {
        call("remove-user-roles", |client| roles::remove_user_roles(client, &user_roles(&user_id, refs)?))
            .map(drop)
    }

    fn list_role_users(
        role_id: String,
        input: Option<wit::ListRoleUsersInput>,
    ) -> Result<wit::RoleUserPage, wit::Error> {
        let page = call("list-role-users", |client| {
            let role_id = id(&role_id)?;
            let input = match input {
                Some(input) => roles::ListRoleUsers {
                    role_id,
                    page: input.page,
                    per_page: input.per_page,
                    include_totals: input.include_totals,
                    from: input.from,
                    take: input.take,
                },
                None => roles::ListRoleUsers {
                    role_id,
                    page: None,
                    per_page: None,
                    include_totals: None,
                    from: None,
                    take: None,
                },
            };
            roles::list_role_users(client, input)
        })?;
        let items = page.each("items", |user| wit::RoleUser {
            user_id: user.text("user_id"),
            email: user.text("email"),
            name: user.text("name"),
            picture: user.text("picture"),
        });
        Ok(wit::RoleUserPage { items, total: page.number("total"), next: page.next_cursor() })
    }

    fn list_role_permissions(
        role_id: String,
        page: Option<wit::Paging>,
    ) -> Result<wit::PermissionPage, wit::Error> {
        let (page, per_page, include_totals) = paging(page);
        let page = call("list-role-permissions", |client| {
            let role_id = id(&role_id)?;
            let input = roles::ListRolePermissions { role_id, page, per_page, include_totals };
            roles::list_role_permissions(client, &input)
        })?;
        let items = page.each("items", |permission| wit::RolePermission {
            permission_name: permission.text("permission_name"),
            resource_server_identifier: permission.text("resource_server_identifier"),
            resource_server_name: permission.text("resource_server_name"),
            description: permission.text("description"),
        });
        Ok(wit::PermissionPage { items, total: page.number("total"), next: page.next_page() })
    }

    fn add_role_permissions(role_id: String, permissions: Vec<wit::Permission>) -> Result<(), wit::Error> {
        call("add-role-permissions", |client| {
            roles::add_role_permissions(client, &role_permissions(&role_id, permissions)?)
        })
        .map(drop)
    }

    fn remove_role_permissions(role_id: String, permissions: Vec<wit::Permission>) -> Result<(), wit::Error> {
        call("remove-role-permissions", |client| {
            roles::remove_role_permissions(client, &role_permissions(&role_id, permissions)?)
        })
        .map(drop)
    }
}
