//! Brute-force blocks: ten wrong passwords from one address block that address for the account.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal};
use crate::tenant::{Object, Tenant};

/// Auth0's default threshold of brute-force protection.
const THRESHOLD: u32 = 10;

/// Failed attempts and blocks, per identifier and address.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    failures: BTreeMap<(String, String), u32>,
    blocked: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    identifier: String,
    ip: String,
    connection: String,
}

impl Blocks {
    /// Counts a failed login; true when this one set a block.
    pub(crate) fn fail(&mut self, identifier: &str, ip: &str, connection: &str) -> bool {
        let count = self.failures.entry((identifier.to_owned(), ip.to_owned())).or_default();
        *count += 1;
        if *count < THRESHOLD || self.is_blocked(identifier, ip) {
            return false;
        }
        self.blocked.push(Block {
            identifier: identifier.to_owned(),
            ip: ip.to_owned(),
            connection: connection.to_owned(),
        });
        true
    }

    pub(crate) fn is_blocked(&self, identifier: &str, ip: &str) -> bool {
        self.blocked.iter().any(|block| block.identifier == identifier && block.ip == ip)
    }

    /// Lifts the blocks of every name that a profile goes by.
    pub(crate) fn lift(&mut self, user_id: &str, profile: &Object) {
        for name in names(profile).chain([user_id]) {
            self.lift_identifier(name);
        }
    }

    fn lift_identifier(&mut self, identifier: &str) {
        self.blocked.retain(|block| block.identifier != identifier);
        self.failures.retain(|(name, _), _| name != identifier);
    }

    fn shown<'a>(&'a self, identifiers: &'a [&str]) -> Vec<Value> {
        self.blocked
            .iter()
            .filter(|block| identifiers.contains(&block.identifier.as_str()))
            .map(|block| {
                json!({"identifier": block.identifier, "ip": block.ip, "connection": block.connection})
            })
            .collect()
    }
}

/// The names that a user can log in with.
fn names(profile: &Object) -> impl Iterator<Item = &str> {
    ["email", "username", "phone_number"]
        .into_iter()
        .filter_map(|name| profile.get(name).and_then(Value::as_str))
}

pub(crate) fn get(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = tenant.user(call.param("id")).ok_or_else(Refusal::missing_user)?;
    let names: Vec<&str> = names(&user.profile).collect();
    Ok(Answer::ok(json!({"blocked_for": tenant.blocks.shown(&names)})))
}

pub(crate) fn delete(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = tenant.user(call.param("id")).ok_or_else(Refusal::missing_user)?.profile.clone();
    tenant.blocks.lift(call.param("id"), &user);
    tenant.log_user("ublkdu", "User block setup by brute force protection has been released.", &user);
    Ok(Answer::no_content())
}

pub(crate) fn get_by_identifier(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let identifier = call.query.get("identifier").unwrap_or_default();
    known(tenant, identifier)?;
    Ok(Answer::ok(json!({"blocked_for": tenant.blocks.shown(&[identifier])})))
}

pub(crate) fn delete_by_identifier(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let identifier = call.query.get("identifier").unwrap_or_default();
    known(tenant, identifier)?;
    tenant.blocks.lift_identifier(identifier);
    Ok(Answer::no_content())
}

/// [?] Whether an identifier that no user has is refused is not on the sheet; the by-id form answers 404, so does this.
fn known(tenant: &Tenant, identifier: &str) -> Result<(), Refusal> {
    let found = tenant.users.iter().any(|user| names(&user.profile).any(|name| name == identifier));
    if found {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::NOT_FOUND, "inexistent_user", "The user does not exist."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenth_failure_blocks_that_address_only() {
        let mut blocks = Blocks::default();
        let set: Vec<bool> = (0..11).map(|_| blocks.fail("a@b.co", "203.0.113.9", "db")).collect();
        assert_eq!(set.iter().position(|set| *set), Some(9));
        assert!(blocks.is_blocked("a@b.co", "203.0.113.9"));
        assert!(!blocks.is_blocked("a@b.co", "203.0.113.10"));
        blocks.lift_identifier("a@b.co");
        assert!(!blocks.is_blocked("a@b.co", "203.0.113.9"));
    }
}
