//! What a secret is called where it must not be seen.

use std::fmt::{self, Write as _};

/// The name of a secret in a tenant, and the handle that stands in its place in results:
/// `auth0-secret://acme.eu.auth0.com/clients/oYcAzJ…/client_secret`. The same secret always has the same name, whatever
/// its value; it is not a secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretName {
    tenant: String,
    collection: &'static str,
    id: String,
    member: &'static str,
}

/// What all handles begin with.
pub(crate) const SCHEME: &str = "auth0-secret://";

impl SecretName {
    pub(crate) fn new(tenant: &str, collection: &'static str, id: &str, member: &'static str) -> Self {
        Self { tenant: tenant.to_owned(), collection, id: id.to_owned(), member }
    }

    /// Returns the tenant's domain.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Returns the kind of thing that it belongs to: `clients`.
    pub fn collection(&self) -> &str {
        self.collection
    }

    /// Returns the id of the thing that it belongs to, as the tenant gave it. Not to be used as the name of a file.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the member of the thing: `client_secret`.
    pub fn member(&self) -> &str {
        self.member
    }

    /// Returns the parts of the handle's path, each fit to be the name of a file on every system.
    pub(crate) fn segments(&self) -> [String; 4] {
        [&self.tenant, self.collection, &self.id, self.member].map(|part| {
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
            text
        })
    }
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
        let name = |id| SecretName::new("acme.eu.auth0.com", "clients", id, "client_secret").to_string();
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
}
