//! The application that a tenant acts as.
//!
//! Whoever writes it can take its place: with a secret or a key of one's own choice one fetches the tenant's tokens
//! oneself, outside the sandbox and for as long as nobody notices. A component knows the application's id, and
//! `update:clients` is a scope that rotations of other applications need. So its own one is out of a tenant's reach
//! unless the policy names it.

use http::{Method, Uri};

use super::{ApiMethod, Policy, RequestPath};
use crate::denial::{Denial, DeniedBy, Malformed, Remedy, RequestLine, shown};

impl Policy {
    /// Checks that a request may leave to a tenant in which this application acts.
    pub fn check_own_application(&self, own: Option<&str>, method: &Method, uri: &Uri) -> Result<(), Denial> {
        let known = ApiMethod::read(method)?;
        let Some(own) = own.filter(|_| known != ApiMethod::Get) else { return Ok(()) };
        let path =
            RequestPath::read(uri.path()).map_err(|problem| Denial::malformed(Malformed::Path(problem)))?;
        let is_own = |reading: &Vec<String>| {
            let begin = ["api", "v2", "clients", own];
            reading.len() >= begin.len()
                && begin.iter().zip(reading).all(|(own, text)| own.eq_ignore_ascii_case(text))
        };
        let mut readings = path.readings.iter().chain(&path.loose_readings);
        let Some(reading) = readings.find(|reading| is_own(reading)) else { return Ok(()) };
        let mut rules = self.requests.allow.iter().flatten();
        let named = rules.any(|rule| {
            let rule = &rule.value;
            rule.path.is_one_path() && path.readings.iter().all(|reading| rule.allows(known, reading))
        });
        if named {
            return Ok(());
        }
        let rule = format!("{method} /{}", shown(&reading.join("/")));
        Err(Denial::new(DeniedBy::OwnApplication(RequestLine::new(method, uri.path())))
            .or(Remedy::AllowOwnApplication { rule }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::ReachSet;

    fn check(policy: &Policy, own: Option<&str>, request: &str) -> Result<(), Denial> {
        let (method, path) = request.split_once(' ').unwrap();
        let uri = format!("https://acme.eu.auth0.com{path}").parse().unwrap();
        policy.check_own_application(own, &method.parse().unwrap(), &uri)
    }

    #[test]
    fn a_connection_does_not_write_its_own_application_in_any_spelling() {
        for request in [
            "PATCH /api/v2/clients/oWn1",
            "PUT /api/v2/clients/oWn1",
            "DELETE /api/v2/clients/oWn1",
            "POST /api/v2/clients/oWn1/credentials",
            "PATCH /api/v2/clients/oWn1/credentials/cred_1",
            "POST /api/v2/clients/oWn1/rotate-secret",
            "PATCH /api/v2/clients/oWn1?include_fields=true",
            "PATCH /api/v2/clients/%6fWn1",
            "PATCH /api/v2/clients/%256fWn1",
            "PATCH /api/v2/Clients/OWN1",
            "PATCH /api/v2/%63lients/oWn1",
            "PATCH /api/v2/clients%2FoWn1",
            "PATCH /api/v2/clients%5CoWn1",
            "POST /api/v2/clients/oWn1%2Fcredentials",
            "PATCH /api/v2/clients/oWn1%2F",
            "PATCH /api/v2/clients/oWn1%3Bx",
            "PATCH /api/v2/clients/oWn1%3Fx",
            "PATCH /api/v2/clients/oWn1%23",
            "PATCH /api/v2/clients/oWn1%20",
            "PATCH /api/v2/clients/oWn1.",
        ] {
            let denial = check(&Policy::default(), Some("oWn1"), request).unwrap_err();
            assert!(matches!(denial.rule(), DeniedBy::OwnApplication(_)), "{request}: {denial}");
        }
        for request in [
            "GET /api/v2/clients/oWn1",
            "HEAD /api/v2/clients/oWn1",
            "POST /api/v2/clients",
            "PATCH /api/v2/clients/other",
            "PATCH /api/v2/clients/oWn12",
            "POST /api/v2/clients/other/rotate-secret",
            "PATCH /api/v2/users/oWn1",
        ] {
            check(&Policy::default(), Some("oWn1"), request).unwrap();
        }
        check(&Policy::default(), None, "PATCH /api/v2/clients/oWn1").unwrap();
    }

    #[test]
    fn a_rule_that_names_exactly_that_request_allows_it_and_no_pattern_does() {
        let named = "POST /api/v2/clients/own/rotate-secret";
        let policy = |rules: &[&str]| {
            let rules = rules.iter().fold(Policy::builder().deny_reach(ReachSet::NONE), |builder, rule| {
                builder.allow_request(*rule)
            });
            rules.build().unwrap()
        };
        check(&policy(&["* /api/v2/**", named]), Some("own"), named).unwrap();
        let denial = check(&policy(&["* /api/v2/**"]), Some("own"), named).unwrap_err();
        let Some(Remedy::AllowOwnApplication { rule }) = denial.remedy() else { panic!("{denial}") };
        assert_eq!(rule, &named.to_string(), "{denial}");
        for rule in
            ["* /api/v2/clients/own/**", "* /api/v2/clients/{id}/rotate-secret", "* /api/v2/clients/own"]
        {
            check(&policy(&["* /api/v2/**", rule]), Some("own"), named).unwrap_err();
        }
        for request in ["PATCH /api/v2/clients/own", "POST /api/v2/clients/own/rotate%2Dsecret%2Fx"] {
            check(&policy(&["* /api/v2/**", named]), Some("own"), request).unwrap_err();
        }
    }
}
