//! What a secret is called where it must not be seen.

use std::fmt::{self, Write as _};

use aws_lc_rs::digest;

/// The name of a secret in a tenant, and the handle that stands in its place in results: the path at which the
/// Management API has what it belongs to, and then where in that it stands.
///
/// - `auth0-secret://acme.eu.auth0.com/clients/oYcAzJ…/client_secret`
/// - `auth0-secret://acme.eu.auth0.com/connections/con_1/scim-configuration/tokens/tok_1/token`
/// - `auth0-secret://acme.eu.auth0.com/log-streams/lst_1/sink/datadogApiKey`
/// - `auth0-secret://acme.eu.auth0.com/users/auth0%7C1/identities/github%7C99/access_token`
/// - `auth0-secret://acme.eu.auth0.com/emails/provider/credentials/api_key`, of which there is one
///
/// The same secret always has the same name, whatever its value; it is not a secret itself. An element of a list is
/// named by its id or name, and by its number where it has neither.
///
/// ```
/// # use auth0_egress::secrets::SecretName;
/// let name = SecretName::new("acme.eu.auth0.com", &["clients"], "abc", &["client_secret"]);
/// assert_eq!(name.to_string(), "auth0-secret://acme.eu.auth0.com/clients/abc/client_secret");
/// assert_eq!((name.collection(), name.id(), name.member()), ("clients", "abc", "client_secret"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretName {
    tenant: String,
    collection: String,
    id: String,
    member: String,
}

/// What all handles begin with.
pub const SCHEME: &str = "auth0-secret://";

/// Longest part of a name, as a file system takes it: 255 bytes, less what a sink may add.
const LONGEST_PART: usize = 200;
/// Longest path of a thing, and of a secret in it: three parts. Whoever can write into an answer chooses how deep a secret
/// stands in it.
const LONGEST_PATH: usize = 3 * LONGEST_PART;
/// A digest with what it is known by.
const DIGEST: usize = 33;

impl SecretName {
    /// Names a member of an object of a tenant.
    pub fn new(tenant: &str, above: &[impl AsRef<str>], id: &str, member: &[impl AsRef<str>]) -> Self {
        Self {
            tenant: tenant.to_owned(),
            collection: bounded(encode_all(above)),
            id: id.to_owned(),
            member: bounded(encode_all(member)),
        }
    }

    /// Returns the tenant's domain.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Returns the kind of thing that it belongs to: `clients`, `connections/con_1/scim-configuration/tokens`. Each
    /// part is written as in the handle.
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// Returns the id of the thing that it belongs to, as the tenant gave it; empty where there is one thing only. Not
    /// to be used as the name of a file.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns where in the thing it stands: `client_secret`, `sink/datadogApiKey`. Each part is written as in the
    /// handle.
    pub fn member(&self) -> &str {
        &self.member
    }

    /// Returns what it belongs to, as [`owner`] says it.
    pub fn owner(&self) -> String {
        if self.id.is_empty() {
            self.collection.clone()
        } else {
            format!("{}/{}", self.collection, encode(&self.id))
        }
    }

    /// Returns the parts of the handle's path, each fit to be the name of a file on every system.
    pub fn segments(&self) -> Vec<String> {
        let mut segments = vec![encode(&self.tenant)];
        segments.extend(self.collection.split('/').map(str::to_owned));
        if !self.id.is_empty() {
            segments.push(encode(&self.id));
        }
        segments.extend(self.member.split('/').map(str::to_owned));
        segments
    }
}

/// Returns what a secret belongs to: `clients/oYcAzJ…`.
pub fn owner(above: &[impl AsRef<str>], id: &str) -> String {
    let mut parts: Vec<&str> = above.iter().map(AsRef::as_ref).collect();
    parts.extend((!id.is_empty()).then_some(id));
    encode_all(&parts)
}

fn encode_all(parts: &[impl AsRef<str>]) -> String {
    parts.iter().map(|part| encode(part.as_ref())).collect::<Vec<_>>().join("/")
}

fn encode(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for (index, byte) in part.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        // Not first, so that neither `..` nor a hidden file comes of it.
        if plain || (byte == b'.' && index > 0) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    if text.len() > LONGEST_PART {
        text.truncate(LONGEST_PART - DIGEST);
        text.push_str(&digest_of(part));
    }
    text
}

/// What is cut off is told apart by a digest; no other name has a `~`.
fn digest_of(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut short = "~".to_owned();
    for byte in digest.as_ref().iter().take((DIGEST - 1) / 2) {
        // Writing to a String cannot fail.
        let _ = write!(short, "{byte:02x}");
    }
    short
}

/// Cuts a path that is too long off after one of its parts.
fn bounded(path: String) -> String {
    if path.len() <= LONGEST_PATH {
        return path;
    }
    let room = path.get(..LONGEST_PATH - DIGEST).unwrap_or_default();
    let kept = room.rsplit_once('/').map_or("", |(kept, _)| kept);
    format!("{kept}/{}", digest_of(&path))
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.segments().join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_the_secret_and_no_id_leads_out_of_its_place() {
        let name =
            |id| SecretName::new("acme.eu.auth0.com", &["clients"], id, &["client_secret"]).to_string();
        assert_eq!(name("oYc-9_Z"), "auth0-secret://acme.eu.auth0.com/clients/oYc-9_Z/client_secret");
        for (id, encoded) in [
            ("..", "%2E."),
            (".", "%2E"),
            ("../x", "%2E.%2Fx"),
            ("a/b\\c:d", "a%2Fb%5Cc%3Ad"),
            ("ü\n", "%C3%BC%0A"),
        ] {
            assert_eq!(name(id), format!("auth0-secret://acme.eu.auth0.com/clients/{encoded}/client_secret"));
        }
    }

    #[test]
    fn a_handle_says_where_a_nested_secret_stands_and_does_without_an_id() {
        let name =
            SecretName::new("t", &["users"], "auth0|1", &["identities", "github|../x", "access_token"]);
        assert_eq!(
            name.to_string(),
            "auth0-secret://t/users/auth0%7C1/identities/github%7C..%2Fx/access_token"
        );
        assert_eq!(
            (name.collection(), name.id(), name.owner().as_str()),
            ("users", "auth0|1", "users/auth0%7C1")
        );
        let name = SecretName::new("t", &["emails", "provider"], "", &["credentials", "api_key"]);
        assert_eq!(name.to_string(), "auth0-secret://t/emails/provider/credentials/api_key");
        assert_eq!((name.id(), name.member()), ("", "credentials/api_key"));
    }

    #[test]
    fn an_id_of_any_length_has_a_name_that_a_file_system_takes_and_no_other_id_has() {
        let long = |end: &str| format!("samlp|{}{end}", "ü@".repeat(120));
        let names =
            [long("a"), long("b")].map(|id| SecretName::new("t", &["users"], &id, &["recovery_code"]));
        let parts = names.clone().map(|name| name.segments().remove(2));
        assert!(parts[0] != parts[1] && parts.iter().all(|part| part.len() == LONGEST_PART), "{parts:?}");
        assert_eq!(names[0].id(), long("a"));
    }

    #[test]
    fn a_handle_is_no_longer_than_this_however_deep_its_secret_stands() {
        let deep = |end: &str| {
            let mut way = vec!["metadata-of-some-length"; 126];
            way.push(end);
            SecretName::new("t", &["clients"], "abc", &way)
        };
        let (one, other) = (deep("client_secret"), deep("api_key"));
        assert_ne!(one, other);
        assert_eq!(one, deep("client_secret"));
        for name in [one, other] {
            assert!(name.to_string().len() < LONGEST_PATH + 100, "{name}");
            assert!(name.segments().iter().all(|part| part.len() <= LONGEST_PART), "{name}");
        }
    }
}
