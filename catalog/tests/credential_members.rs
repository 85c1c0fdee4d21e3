//! Members that sound like a credential: a secret each, or none with a reason.
#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::{collections::BTreeMap, fs, path::Path};

use auth0_catalog::Operation;
use serde::Deserialize;

#[derive(Deserialize)]
struct Members {
    /// The things of which they are secrets.
    secrets: BTreeMap<String, Vec<String>>,
    /// Why they are none.
    none: BTreeMap<String, String>,
}

fn members() -> Members {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/credential_members.toml");
    toml::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// Returns whether a pattern makes a member of that name a secret.
fn covers(pattern: &str, member: &str) -> bool {
    let mut names = pattern.rsplit('.');
    let last = names.next().unwrap().trim_end_matches(":text");
    // Any member below, or all that is in it.
    last == member || last.starts_with('*') || names.any(|above| above == member)
}

#[test]
fn each_member_that_sounds_like_a_credential_is_a_secret_of_the_table_or_an_exception_with_a_reason() {
    let (members, operations) = (members(), auth0_catalog::read().unwrap());
    let everywhere = auth0_catalog::secrets_everywhere().unwrap();
    for (member, things) in &members.secrets {
        assert!(!members.none.contains_key(member), "{member} is a secret and none");
        for thing in things {
            let patterns = if thing == "everywhere" {
                &everywhere.members
            } else {
                let has = |operation: &&Operation| operation.secrets.of == *thing;
                &operations.iter().find(has).unwrap_or_else(|| panic!("{thing}")).secrets.members
            };
            assert!(
                patterns.iter().any(|pattern| covers(pattern, member)),
                "{member} of {thing}: {patterns:?}"
            );
        }
    }
    for (member, reason) in &members.none {
        assert!(reason.len() > 5, "{member} has no reason");
        assert!(!everywhere.members.contains(member), "{member} is a secret everywhere");
    }
    for member in &everywhere.members {
        assert!(
            members.secrets.contains_key(member),
            "{member} is not among the members that were looked at"
        );
    }
}

#[test]
fn no_body_of_the_catalogue_has_a_member_that_sounds_like_a_credential_and_was_not_looked_at() {
    const SOUND: [&str; 10] = [
        "secret",
        "password",
        "token",
        "api_key",
        "apikey",
        "private",
        "credential",
        "_pass",
        "skey",
        "_hash",
    ];
    let members = members();
    for operation in auth0_catalog::read().unwrap() {
        let body = operation.body.iter().flat_map(|body| &body.members);
        for member in body {
            let name = member.name.to_ascii_lowercase();
            let known = members.secrets.contains_key(&member.name) || members.none.contains_key(&member.name);
            assert!(
                known || !SOUND.iter().any(|sound| name.contains(sound)),
                "{}: {}",
                operation.name,
                member.name
            );
        }
    }
}

#[test]
fn an_exception_says_where_and_why_and_of_what_no_thing_needs() {
    let everywhere = auth0_catalog::secrets_everywhere().unwrap();
    let operations = auth0_catalog::read().unwrap();
    for exception in &everywhere.except {
        assert!(!exception.below.is_empty() && exception.reason.len() > 20, "{exception:?}");
        for request in &exception.requests {
            let covers = |operation: &Operation| {
                let one = auth0_catalog::Exception { requests: vec![request.clone()], ..exception.clone() };
                one.covers(&operation.path)
            };
            assert!(operations.iter().any(covers), "{request} is no operation's");
        }
    }
}
