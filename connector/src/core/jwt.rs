//! What a token says of itself. Read without verification, which is the tenant's to do: only to tell a person which
//! scopes a token carries and when it ends.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::json;

/// Claims of an access token that people ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// `scope`, split.
    pub scopes: Option<Vec<String>>,
    /// `exp`, seconds since the epoch.
    pub expires_at: Option<i64>,
}

/// Reads the claims of a JWT; nothing where it is not one.
pub(crate) fn claims(token: &str) -> Claims {
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Value = payload.and_then(|bytes| json::parse(&bytes).ok()).unwrap_or_default();
    Claims {
        scopes: claims.get("scope").and_then(Value::as_str).map(split_scopes),
        expires_at: claims.get("exp").and_then(Value::as_i64),
    }
}

/// Splits a space-separated scope list.
pub(crate) fn split_scopes(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_its_scopes_and_its_end() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"scope":"read:users read:roles","exp":1740823200}"#);
        let claims = claims(&format!("x.{payload}.y"));
        assert_eq!(claims.scopes, Some(vec!["read:users".to_owned(), "read:roles".to_owned()]));
        assert_eq!(claims.expires_at, Some(1_740_823_200));
    }

    #[test]
    fn an_opaque_token_tells_nothing() {
        assert_eq!(claims("opaque"), Claims::default());
        assert_eq!(claims("a.!!.c"), Claims::default());
    }
}
