//! Which answers hold secrets: rules that the build makes from the table of operations (`catalog/`).
//!
//! A request is held to them by what it is, not by the action that made it. Where its path can be read in more than one
//! way, as by a gateway that decodes twice, every operation that one of the readings names may be the one that counts.

use http::Method;

use super::{
    pattern::{Last, Pattern},
    search::Search,
};
use crate::{policy::request_path, secrets::owner};

include!(concat!(env!("OUT_DIR"), "/secret_rules.rs"));

/// One operation.
struct Operation {
    method: &'static str,
    /// Segments below `/api/v2`; `*` is a parameter.
    path: &'static [&'static str],
    secrets: Option<&'static AnswerSecrets>,
    /// Members below which nothing is a secret for its name alone.
    except: &'static [&'static str],
    /// An index into [`SEARCHES`].
    search: usize,
}

/// The search for [`EVERYWHERE`].
const EVERYWHERE_SEARCH: usize = 0;
/// The search for [`UNDOCUMENTED`].
const UNDOCUMENTED_SEARCH: usize = 1;

/// The secrets of an answer.
struct AnswerSecrets {
    handle: &'static [Part],
    made: &'static [&'static str],
    may_make: &'static [&'static str],
    only_with: Option<&'static str>,
    /// Whether it is known what the answer has; else it is held to [`UNDOCUMENTED`].
    documented: bool,
    members: &'static [Pattern],
}

/// A part of a handle.
enum Part {
    Word(&'static str),
    /// An id: the last part's is the member of that name in the answer, else, as the others', a parameter of the path.
    Id(&'static str),
}

/// What a request's answer may hold, of one operation that it may be.
#[derive(Clone)]
pub(super) struct Found {
    known: Known,
    except: &'static [&'static str],
    search: usize,
    /// The handle up to the id.
    pub(super) above: Vec<String>,
    /// The member that has the id.
    pub(super) id_member: Option<&'static str>,
    /// The id as the path says it; empty where it does not.
    pub(super) id: String,
}

/// What is known of an answer.
#[derive(Clone, Copy)]
enum Known {
    /// Nothing: no operation has such a path.
    Nothing,
    /// It has no secrets of its own.
    Plain,
    Secrets(&'static AnswerSecrets),
}

impl Found {
    fn plain(operation: &Operation, segments: &[impl AsRef<str>]) -> Self {
        Self {
            known: Known::Plain,
            except: operation.except,
            search: operation.search,
            above: segments.iter().map(|segment| segment.as_ref().to_owned()).collect(),
            id_member: None,
            id: String::new(),
        }
    }

    fn new(known: &'static AnswerSecrets, operation: &Operation, segments: &[impl AsRef<str>]) -> Self {
        let parts = operation.path.iter().zip(segments);
        let mut ids = parts.filter(|(wanted, _)| **wanted == "*").map(|(_, found)| found.as_ref().to_owned());
        let mut above = Vec::with_capacity(known.handle.len());
        let (whole, last) = match known.handle.split_last() {
            Some((Part::Id(member), above)) => (above, Some(*member)),
            _ => (known.handle, None),
        };
        for part in whole {
            above.push(match part {
                Part::Word(word) => (*word).to_owned(),
                Part::Id(_) => ids.next().unwrap_or_default(),
            });
        }
        let id = if last.is_some() { ids.next().unwrap_or_default() } else { String::new() };
        let (except, search) = (operation.except, operation.search);
        Self { known: Known::Secrets(known), except, search, above, id_member: last, id }
    }

    fn secrets(&self) -> Option<&'static AnswerSecrets> {
        match self.known {
            Known::Secrets(known) => Some(known),
            Known::Nothing | Known::Plain => None,
        }
    }

    /// The secrets that such an answer has.
    pub(super) fn own(&self) -> &'static [Pattern] {
        match self.known {
            Known::Nothing => UNDOCUMENTED,
            Known::Plain => &[],
            Known::Secrets(known) => known.members,
        }
    }

    /// What is a secret in any answer.
    pub(super) fn everywhere(&self) -> &'static [Pattern] {
        match self.known {
            // They are among those.
            Known::Nothing => &[],
            Known::Plain | Known::Secrets(_) => EVERYWHERE,
        }
    }

    /// Members below which nothing is a secret for its name alone.
    pub(super) fn except(&self) -> &'static [&'static str] {
        self.except
    }

    /// Secrets that every success makes.
    pub(super) fn made(&self) -> &'static [&'static str] {
        self.secrets().map_or(&[], |known| known.made)
    }

    /// Secrets that a success may make.
    pub(super) fn may_make(&self) -> &'static [&'static str] {
        self.secrets().map_or(&[], |known| known.may_make)
    }

    fn makes(&self, body: &[u8]) -> bool {
        let named = !self.made().is_empty() || !self.may_make().is_empty();
        named && self.secrets().and_then(|known| known.only_with).is_none_or(|word| may_say(body, word))
    }
}

/// Returns whether a body may have a word in it, in any spelling of JSON and of forms.
fn may_say(body: &[u8], word: &str) -> bool {
    body.iter().any(|byte| matches!(byte, b'\\' | b'%'))
        || body.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// What the answer to a request may hold. There is at least one operation that it may be.
#[derive(Clone)]
pub(crate) struct Expected(pub(super) Vec<Found>);

impl Expected {
    /// Looks for the rules of a request to the Management API.
    ///
    /// Where a reading of the path is no operation's, it is held to names that are secrets everywhere too: Auth0 adds
    /// operations faster than this table. What a write makes cannot be told there from what it shows, and so goes
    /// nowhere.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        let mut found = Vec::new();
        let known = each_reading(path, &mut |segments| find(method.as_str(), segments, &mut found));
        // The answer to a HEAD has no body.
        if !known && *method != Method::HEAD {
            let readings = request_path::all_readings(path).into_iter();
            let above =
                readings.map(|reading| reading.into_iter().skip(2).collect()).next().unwrap_or_default();
            found.push(Found {
                known: Known::Nothing,
                except: &[],
                search: UNDOCUMENTED_SEARCH,
                above,
                id_member: None,
                id: String::new(),
            });
        }
        (!found.is_empty()).then_some(Self(found))
    }

    /// Returns whether it is known of an operation that its answer holds secrets, and so that it is JSON.
    pub(super) fn documented(&self) -> bool {
        self.0.iter().filter_map(Found::secrets).any(|known| known.documented)
    }

    /// Turns to what a refusal may hold: what is a secret everywhere, since it is not the answer that is known.
    pub(super) fn of_refusal(mut self) -> Self {
        for found in &mut self.0 {
            (found.known, found.id_member, found.search) = (Known::Plain, None, EVERYWHERE_SEARCH);
        }
        self
    }

    /// The searches that tell whether a secret may be in an answer.
    pub(super) fn searches(&self) -> Vec<&'static Search> {
        let mut indices: Vec<usize> = self.0.iter().map(|found| found.search).collect();
        indices.sort_unstable();
        indices.dedup();
        indices.into_iter().filter_map(|index| SEARCHES.get(index)).collect()
    }

    /// Returns whether the request makes a secret.
    pub(crate) fn makes(&self, body: &[u8]) -> bool {
        self.0.iter().any(|found| found.makes(body))
    }

    /// Returns what the secret belongs to that it makes.
    pub(crate) fn subject(&self) -> String {
        let making = self.0.iter().find(|found| !found.made().is_empty() || !found.may_make().is_empty());
        making.map_or_else(String::new, |found| owner(&found.above, &found.id))
    }
}

/// Lists what is a secret in requests to a path, whatever their method.
pub(crate) fn members_below(path: &str) -> Vec<&'static Pattern> {
    let mut members: Vec<_> = UNDOCUMENTED.iter().collect();
    each_reading(path, &mut |segments| {
        let operations = OPERATIONS.iter().filter(|operation| operation.fits(segments));
        members.extend(operations.filter_map(|operation| operation.secrets).flat_map(|known| known.members));
        false
    });
    members
}

/// Names the secrets in the answers of an operation, for whoever lists them. Parameters of the path stand in braces.
pub(crate) fn named(method: &str, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    each_reading(path, &mut |segments| find(method, segments, &mut found));
    let mut names: Vec<String> = found.iter().flat_map(Found::own).map(Pattern::name).collect();
    names.sort();
    names.dedup();
    names
}

/// Lists what is known to be a secret in what a request brings in, and nothing of what is a secret everywhere.
/// Parameters of the path stand in braces.
pub(crate) fn brought_in(method: &str, path: &str) -> Vec<&'static Pattern> {
    if !["POST", "PUT", "PATCH"].contains(&method) {
        return Vec::new();
    }
    let mut found = Vec::new();
    each_reading(path, &mut |segments| find(method, segments, &mut found));
    let known = found.iter().filter_map(Found::secrets).filter(|known| known.documented);
    known.flat_map(|known| known.members).collect()
}

/// Shows each reading of a path below `/api/v2`, and returns whether all were known.
fn each_reading(path: &str, show: &mut dyn FnMut(&[&str]) -> bool) -> bool {
    let mut below = |segments: &[&str]| match segments {
        [api, version, segments @ ..]
            if api.eq_ignore_ascii_case("api") && version.eq_ignore_ascii_case("v2") =>
        {
            show(segments)
        }
        _ => false,
    };
    // Nearly all paths have one reading, and it is theirs as they are.
    if !path.contains(['%', '\\', ';']) {
        return below(&path.split('/').filter(|segment| !segment.is_empty()).collect::<Vec<_>>());
    }
    let mut known = true;
    for reading in request_path::all_readings(path) {
        known &= below(&reading.iter().map(String::as_str).collect::<Vec<_>>());
    }
    known
}

/// Adds the secrets of the operations that a request may be, and returns whether it may be one at all.
fn find(method: &str, segments: &[&str], found: &mut Vec<Found>) -> bool {
    let key = (method, segments.len());
    let begin = OPERATIONS.partition_point(|operation| (operation.method, operation.path.len()) < key);
    let same = OPERATIONS.iter().skip(begin).take_while(|other| (other.method, other.path.len()) == key);
    let mut known = false;
    for operation in same.filter(|operation| operation.fits(segments)) {
        known = true;
        found.push(match operation.secrets {
            Some(known) => Found::new(known, operation, segments),
            None => Found::plain(operation, segments),
        });
    }
    known
}

impl Operation {
    fn fits(&self, segments: &[&str]) -> bool {
        let mut parts = self.path.iter().zip(segments);
        self.path.len() == segments.len()
            && parts.all(|(wanted, found)| *wanted == "*" || wanted.eq_ignore_ascii_case(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `made`, `may` or `shown` with the subject; `undocumented`; `none`.
    fn rule(request: &str) -> String {
        let (method, path) = request.split_once(' ').unwrap();
        let Some(expected) = Expected::of(&method.parse().unwrap(), path) else { return "none".to_owned() };
        let own = |found: &&Found| !matches!(found.known, Known::Plain);
        let Some(found) = expected.0.iter().find(own) else { return "none".to_owned() };
        let kind = match found {
            Found { known: Known::Nothing, .. } => "undocumented",
            found if !found.made().is_empty() => "made",
            found if !found.may_make().is_empty() => "may",
            _ => "shown",
        };
        format!("{kind} {}", owner(&found.above, &found.id))
    }

    #[test]
    fn answers_with_secrets_are_known_in_every_spelling_that_a_server_may_take() {
        for (request, expected) in [
            ("POST /api/v2/clients/abc/rotate-secret", "made clients/abc"),
            ("POST /api/v2/clients/abc/rotate-secret/", "made clients/abc"),
            ("POST /api/v2//clients//abc//rotate-secret", "made clients/abc"),
            ("POST /api/v2/Clients/abc/ROTATE-SECRET", "made clients/abc"),
            ("POST /api/v2/%63lients/abc/rotate%2Dsecret", "made clients/abc"),
            ("POST /api/v2/clients/abc/rotate%252Dsecret", "made clients/abc"),
            ("POST /api/v2/clients/abc/rotate%25252dsecret", "made clients/abc"),
            ("POST /api/v2/clients/abc%2Frotate-secret", "made clients/abc"),
            ("POST /api/v2/clients/abc%252Frotate-secret", "made clients/abc"),
            ("POST /api/v2/clients/abc%5Crotate-secret", "made clients/abc"),
            ("POST /api/v2/clients/a%2Fb/rotate-secret", "made clients/a%2Fb"),
            ("POST /api/v2/clients/abc/rotate-secret%2F", "made clients/abc"),
            ("POST /api/v2/clients/abc/rotate-secret;x", "made clients/abc"),
            ("POST /api/v2/clients;v=1/abc/rotate-secret%3Bx", "made clients/abc"),
            ("POST /api/v2/;x/clients/abc;x%2Frotate-secret;y", "made clients/abc"),
            ("POST /api/v2/users/auth0%7C1/recovery-code-regeneration", "made users/auth0%7C1"),
            ("POST /api/v2/users/auth0%257C1/Recovery-code%2Dregeneration", "made users/auth0%257C1"),
            (
                "POST /api/v2/connections/con_1/scim-configuration/tokens",
                "made connections/con_1/scim-configuration/tokens",
            ),
            (
                "POST /api/v2/connections/con_1%2Fscim-configuration/tokens",
                "made connections/con_1/scim-configuration/tokens",
            ),
            ("POST /api/v2/custom-domains/cd_1/verify", "may custom-domains/cd_1"),
            ("POST /api/v2/clients", "may clients"),
            ("POST /api/v2/clients/cimd/register", "may clients"),
            ("GET /api/v2/%2563lients", "shown clients"),
            ("GET /api/v2/clients/", "shown clients"),
            ("GET /api/v2/clients/abc", "shown clients/abc"),
            ("PATCH /api/v2/clients/abc", "shown clients/abc"),
            ("GET /api/v2/users", "shown users"),
            ("GET /api/v2/users-by-email", "shown users"),
            ("GET /api/v2/users/ad%7CCORP%5Cana", "shown users/ad%7CCORP%5Cana"),
            ("GET /api/v2/emails/provider", "shown emails/provider"),
            ("GET /api/v2/log-streams/lst_1", "shown log-streams/lst_1"),
            ("PUT /api/v2/guardian/factors/duo/settings", "shown guardian/factors/duo/settings"),
            ("GET /api/v2/clients/abc/new-thing", "undocumented clients/abc/new-thing"),
            ("GET /api/v2/clients-of-ours", "undocumented clients-of-ours"),
            ("POST /api/v2/clients-of-ours", "undocumented clients-of-ours"),
            ("PUT /api/v2/clients/abc", "undocumented clients/abc"),
            ("DELETE /api/v2/clients-of-ours/abc", "undocumented clients-of-ours/abc"),
            ("GET /api/v2/roles/x%2Fnew", "undocumented roles/x%2Fnew"),
            ("GET /api/v2/roles/x%255Cnew", "undocumented roles/x%255Cnew"),
            ("GET /api/v2/clients/abc%2Fnew-thing", "shown clients/abc%2Fnew-thing"),
            ("POST /api/v2/organizations/org_1/clients", "shown organizations/org_1/clients"),
            ("HEAD /api/v2/clients-of-ours", "none"),
            ("DELETE /api/v2/clients/abc", "none"),
            ("GET /api/v2/roles", "none"),
            ("GET /api/v2/users/auth0%7C1/roles", "none"),
            ("POST /api/v2/clients/abc/credentials", "none"),
            ("POST /api/v2/tickets/password-change", "none"),
        ] {
            assert_eq!(rule(request), expected, "{request}");
        }
    }

    #[test]
    fn one_reading_that_is_known_does_not_hide_another_that_is_not() {
        for (path, both) in [
            ("/api/v2/clients/abc%2Fnew-thing", true),
            ("/api/v2/clients/abc%5Cnew-thing", true),
            ("/api/v2/clients/abc", false),
            ("/api/v2/users/auth0%257C1", false),
        ] {
            let found = Expected::of(&Method::GET, path).unwrap().0;
            assert!(found.iter().any(|found| found.secrets().is_some()), "{path}");
            assert_eq!(found.iter().any(|found| matches!(found.known, Known::Nothing)), both, "{path}");
        }
    }

    #[test]
    fn a_second_factor_of_another_kind_makes_no_secret_and_every_spelling_of_this_one_does() {
        let expected = Expected::of(&Method::POST, "/api/v2/users/a/authentication-methods").unwrap();
        for (body, makes) in [
            (r#"{"type":"phone","phone_number":"+4930123456"}"#, false),
            (r#"{"type":"totp"}"#, true),
            (r#"{"type":"TOTP"}"#, true),
            (r#"{"type":"phone","type":"totp"}"#, true),
            (r#"{"type":"\u0074otp"}"#, true),
            ("type=%74otp", true),
        ] {
            assert_eq!(expected.makes(body.as_bytes()), makes, "{body}");
        }
    }

    #[test]
    fn the_rules_are_those_of_the_table() {
        assert_eq!(OPERATIONS.len(), auth0_catalog::read().unwrap().len());
        assert!(OPERATIONS.is_sorted_by_key(|operation| (operation.method, operation.path.len())));
        let known = OPERATIONS.iter().filter(|operation| operation.secrets.is_some()).count();
        assert!((100..150).contains(&known), "{known}");
    }
}
