//! Roles: the roles themselves, who has them, what they permit.

use auth0_host::ErrorCode;
use auth0_tests::{OfflineTenant, encoded, items, line, text};
use serde_json::{Value, json};

const API: &str = "https://api.acme.example/";
const NO_ROLE: &str = "rol_0000000000000000";
const NOBODY: &str = "auth0|000000000000000000000000";

fn names(list: &Value) -> Vec<&str> {
    items(list).iter().map(|role| text(role, "name")).collect()
}

#[tokio::test]
async fn list_roles_filters_by_part_of_the_name() {
    let tenant = OfflineTenant::start().await;
    let input = json!({"name_filter": "ENG", "page": 0, "per_page": 10, "include_totals": true});
    let list = tenant.run("list-roles", input).await;
    assert_eq!((names(&list), &list["total"]), (vec!["Engineer"], &json!(1)));
    let query = tenant.only().query.unwrap();
    assert!(query.contains("name_filter=ENG") && query.contains("include_totals=true"), "{query}");
}

#[tokio::test]
async fn create_role_accepts_auth0_s_200_and_stores_name_and_description() {
    let tenant = OfflineTenant::start().await;
    let input = json!({"name": "Auditor & Co/1", "description": "Reads everything"});
    let role = tenant.run("create-role", input.clone()).await;
    let request = tenant.only();
    assert_eq!((line(&request), request.status), ("POST /api/v2/roles".to_owned(), Some(200)));
    assert_eq!(request.body, Some(input));
    assert_eq!(text(&role, "id"), tenant.role("Auditor & Co/1"));
}

#[tokio::test]
async fn get_update_and_delete_role_name_it_by_id() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.role("Contractor");
    let role = tenant.run("get-role", json!({"role_id": id})).await;
    assert_eq!(role["description"], "Works for Acme for a while");
    let changed = tenant.run("update-role", json!({"role_id": id, "description": "External"})).await;
    assert_eq!((text(&changed, "name"), text(&changed, "description")), ("Contractor", "External"));
    assert_eq!(tenant.seen()[1].body, Some(json!({"description": "External"})));
    assert_eq!(tenant.run("delete-role", json!({"role_id": id})).await, json!({}));
    let path = format!("/api/v2/roles/{id}");
    assert_eq!(tenant.lines(), [format!("GET {path}"), format!("PATCH {path}"), format!("DELETE {path}")]);
    let aiko = tenant.user("aiko.tanaka@acme.example");
    assert_eq!(tenant.control.user_roles(&aiko), ["Engineer"]);
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_missing() {
    let tenant = OfflineTenant::start().await;
    let permissions = json!([{"resource_server_identifier": API, "permission_name": "read:code"}]);
    for (action, input) in [
        ("get-role", json!({"role_id": NO_ROLE})),
        ("update-role", json!({"role_id": NO_ROLE, "name": "X"})),
        ("delete-role", json!({"role_id": NO_ROLE})),
        ("list-role-users", json!({"role_id": NO_ROLE})),
        ("list-role-permissions", json!({"role_id": NO_ROLE})),
        ("add-role-permissions", json!({"role_id": NO_ROLE, "permissions": permissions})),
        ("remove-role-permissions", json!({"role_id": NO_ROLE, "permissions": permissions})),
        ("assign-user-roles", json!({"user_id": tenant.user("sam.osei@acme.example"), "roles": [NO_ROLE]})),
        ("list-user-roles", json!({"user_id": NOBODY})),
        ("assign-user-roles", json!({"user_id": NOBODY, "role_names": ["Sales"]})),
        ("remove-user-roles", json!({"user_id": NOBODY, "role_names": ["Sales"]})),
    ] {
        let error = tenant.refused(action, input.clone()).await;
        assert_eq!(
            (&error.code, error.status),
            (&ErrorCode::NotFound, Some(404)),
            "{action} {input}: {error}"
        );
    }
}

#[tokio::test]
async fn a_role_name_that_is_taken_is_a_conflict() {
    let tenant = OfflineTenant::start().await;
    let error = tenant.refused("create-role", json!({"name": "Sales"})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::Conflict, Some(409)));
    let id = tenant.role("Support");
    let error = tenant.refused("update-role", json!({"role_id": id, "name": "Sales"})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::Conflict, Some(409)));
}

#[tokio::test]
async fn list_user_roles_lists_them_with_their_total() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("paul.novak@acme.example");
    let list =
        tenant.run("list-user-roles", json!({"user_id": id, "limit": 2, "include_totals": true})).await;
    assert_eq!(names(&list), ["Employee", "Engineer"]);
    assert_eq!((&list["total"], list["next"].is_string()), (&json!(3), true));
    assert_eq!(tenant.only().path, format!("/api/v2/users/{}/roles", encoded(&id)));
}

#[tokio::test]
async fn assign_user_roles_by_name_looks_all_names_up_and_sends_ids_once() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("sam.osei@acme.example");
    let (sales, manager) = (tenant.role("Sales"), tenant.role("Manager"));
    let input = json!({"user_id": id, "roles": [sales], "role_names": ["Manager", "Sales"]});
    assert_eq!(tenant.run("assign-user-roles", input).await, json!({}));
    let seen = tenant.seen();
    let (last, lookups) = seen.split_last().unwrap();
    assert!(lookups.iter().all(|request| request.method == "GET" && request.path == "/api/v2/roles"));
    assert_eq!(line(last), format!("POST /api/v2/users/{}/roles", encoded(&id)));
    assert_eq!(last.body, Some(json!({"roles": [sales, manager]})));
    assert_eq!(tenant.control.user_roles(&id), ["Employee", "Sales", "Manager"]);
}

#[tokio::test]
async fn assigning_a_role_twice_changes_nothing() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("sam.osei@acme.example");
    for _ in 0..2 {
        tenant.run("assign-user-roles", json!({"user_id": id, "role_names": ["Employee"]})).await;
    }
    assert_eq!(tenant.control.user_roles(&id), ["Employee"]);
}

#[tokio::test]
async fn an_unknown_role_name_changes_nothing_and_is_named() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("sam.osei@acme.example");
    for action in ["assign-user-roles", "remove-user-roles"] {
        // `Sale` is part of a name, `sales` another spelling of one: neither is a role.
        let input = json!({"user_id": id, "role_names": ["Employee", "Sale", "sales"]});
        let error = tenant.refused(action, input).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::NotFound, None));
        assert!(error.message.contains("'Sale', 'sales'"), "{error}");
    }
    assert!(tenant.seen().iter().all(|request| request.method == "GET"));
    assert_eq!(tenant.control.user_roles(&id), ["Employee"]);
}

#[tokio::test]
async fn remove_user_roles_takes_them_off_by_id_or_name() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("paul.novak@acme.example");
    let input = json!({"user_id": id, "roles": [tenant.role("Manager")], "role_names": ["Engineer"]});
    tenant.run("remove-user-roles", input).await;
    assert_eq!(tenant.control.user_roles(&id), ["Employee"]);
    let request = tenant.seen().pop().unwrap();
    assert_eq!(line(&request), format!("DELETE /api/v2/users/{}/roles", encoded(&id)));
    let ids = json!({"roles": [tenant.role("Manager"), tenant.role("Engineer")]});
    assert_eq!(request.body, Some(ids), "a DELETE with a body arrives with it");
}

#[tokio::test]
async fn a_change_of_roles_without_a_role_is_refused_before_any_request() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("sam.osei@acme.example");
    for (action, input) in [
        ("assign-user-roles", json!({"user_id": id})),
        ("assign-user-roles", json!({"user_id": id, "roles": [], "role_names": []})),
        ("remove-user-roles", json!({"user_id": id, "role_names": [" "]})),
        ("remove-user-roles", json!({"user_id": id, "roles": ["a\nb"]})),
        ("add-role-permissions", json!({"role_id": NO_ROLE, "permissions": []})),
        ("remove-role-permissions", json!({"role_id": NO_ROLE, "permissions": []})),
        ("update-role", json!({"role_id": NO_ROLE})),
        ("create-role", json!({"name": ""})),
        ("get-role", json!({"role_id": ".."})),
    ] {
        let error = tenant.refused(action, input.clone()).await;
        assert_eq!(
            (&error.code, error.status),
            (&ErrorCode::InvalidInput, None),
            "{action} {input}: {error}"
        );
    }
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn permissions_are_added_listed_and_removed() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.role("Support");
    let permissions = json!([{"resource_server_identifier": API, "permission_name": "read:deals"}]);
    let input = json!({"role_id": id, "permissions": permissions});
    let list = |list: &Value| -> Vec<String> {
        items(list).iter().map(|permission| text(permission, "permission_name").to_owned()).collect()
    };
    assert_eq!(tenant.run("add-role-permissions", input.clone()).await, json!({}));
    let all = tenant.run("list-role-permissions", json!({"role_id": id, "include_totals": true})).await;
    assert_eq!(list(&all), ["read:tickets", "write:tickets", "read:deals"]);
    assert_eq!(all["total"], 3);
    assert_eq!(items(&all)[0]["resource_server_name"], "Acme API");
    assert_eq!(tenant.run("remove-role-permissions", input).await, json!({}));
    let all = tenant.run("list-role-permissions", json!({"role_id": id})).await;
    assert_eq!(list(&all), ["read:tickets", "write:tickets"]);
    let path = format!("/api/v2/roles/{id}/permissions");
    let seen = tenant.seen();
    assert_eq!(line(&seen[0]), format!("POST {path}"));
    assert_eq!(line(&seen[2]), format!("DELETE {path}"));
    for at in [0, 2] {
        assert_eq!(seen[at].body, Some(json!({"permissions": permissions})));
    }
}

#[tokio::test]
async fn a_permission_that_no_api_has_is_rejected() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.role("Support");
    let permissions = json!([{"resource_server_identifier": API, "permission_name": "fly:moon"}]);
    let error =
        tenant.refused("add-role-permissions", json!({"role_id": id, "permissions": permissions})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::Rejected, Some(400)));
}

#[tokio::test]
async fn list_role_users_pages_by_offset() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.role("Engineer");
    let list =
        tenant.run("list-role-users", json!({"role_id": id, "per_page": 3, "include_totals": true})).await;
    assert_eq!(items(&list).len(), 3);
    assert_eq!((&list["total"], list["next"].is_string()), (&json!(4), true));
    assert_eq!(tenant.only().path, format!("/api/v2/roles/{id}/users"));
}
