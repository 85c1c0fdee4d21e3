//! What a policy means, in words, and its decision on one action or request.
//!
//! For a person who wrote a file and wants to know what it does before it does it. The answers come from the code that
//! enforces the policy, not from a second reading of it.

use std::{collections::BTreeMap, fmt};

use http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::{FieldRule, MailRule, PermittedActions, Policy, PolicyError, reach_rule::ReachRule};
use crate::{
    action::{ActionKind, ActionSummary, ApiRequest, CUSTOM_REQUEST, Effect},
    base_url::BaseUrl,
    denial::{Denial, DeniedBy, Remedy},
    destination::{Destinations, MailAccess},
    reach::{Reach, ReachSet},
};

/// What a policy means for the actions of a component. Printed, it explains the policy to a person.
#[derive(Clone, Debug)]
pub struct PolicyReport {
    policy: Policy,
    actions: Vec<ActionSummary>,
    permitted: PermittedActions,
    /// The requests of each action, as far as they are known.
    requests: BTreeMap<String, Vec<ApiRequest>>,
}

/// A request that an allowed action may send, and that the policy denies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeniedRequest {
    /// The action.
    pub action: String,
    /// The request, with parameters of its path in braces.
    pub request: ApiRequest,
    /// Why.
    pub denial: Denial,
}

impl Policy {
    /// Works out what the policy means for a component's actions, as the component lists them.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] where a rule is about no action, or has no effect: the host refuses it too.
    pub fn report(&self, actions: &[ActionSummary]) -> Result<PolicyReport, PolicyError> {
        let permitted = self.permit(actions)?;
        Ok(PolicyReport {
            policy: self.clone(),
            actions: actions.to_vec(),
            permitted,
            requests: BTreeMap::new(),
        })
    }

    /// Checks that a request with a JSON body may leave: `PATCH /api/v2/users/auth0|1`. In place of the path a URL
    /// can be given, such as that of an email provider.
    ///
    /// # Errors
    ///
    /// [`Denial`], with the rule that refuses it.
    pub fn test_request(&self, request: &str, body: &[u8]) -> Result<(), Denial> {
        let form =
            || Denial::new(DeniedBy::RequestForm { text: request.to_owned() }).or(Remedy::WriteRequest);
        let (method, target) = request.split_once(' ').ok_or_else(form)?;
        let method: Method = method.parse().map_err(|_| form())?;
        // Any name does: what is asked is about the path.
        let tenant = BaseUrl::https("tenant.invalid");
        let url =
            if target.starts_with('/') { format!("{tenant}{}", encode(target)) } else { encode(target) };
        let uri: Uri = url.parse().map_err(|_| form())?;
        // What credentials a tenant will have is not the policy's.
        let destinations = Destinations::new(tenant, None).mail(MailAccess::Unspecified);
        let route = destinations
            .classify(&method, &uri)
            .map_err(|denial| Denial::new(denial.rule().clone()).or(Remedy::NameRequest))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.check_request(route.destination, &method, &uri, &headers, body)
    }
}

/// Encodes what a person types and no URL has: blanks, letters beyond ASCII.
fn encode(target: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>^`{}".contains(&byte);
    let encoded = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    target.bytes().map(encoded).collect()
}

/// Breaks a text between words; the lines after the first are indented.
fn wrapped(text: &str, indent: usize) -> String {
    /// Readable, and fits a terminal of the usual 80 columns.
    const WIDTH: usize = 78;
    let mut lines = String::new();
    let mut column = indent;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > indent && column + 1 + length > WIDTH {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > indent {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

impl PolicyReport {
    /// Checks that an action may be run.
    ///
    /// # Errors
    ///
    /// [`Denial`], with the rule that refuses it.
    pub fn test_action(&self, action: &str) -> Result<(), Denial> {
        self.permitted.check(action)
    }

    /// Adds which requests each action sends, so that the report says where an allowed action ends at a denied request.
    #[must_use]
    pub fn with_requests(mut self, requests: BTreeMap<String, Vec<ApiRequest>>) -> Self {
        self.requests = requests;
        self
    }

    /// Lists the requests of an allowed action that the policy denies, whatever their parameters and bodies.
    pub fn denied_requests_of(&self, action: &str) -> Vec<DeniedRequest> {
        if self.test_action(action).is_err() {
            return Vec::new();
        }
        let requests = self.requests.get(action).into_iter().flatten();
        let denied = requests.filter_map(|request| {
            let denial = self.policy.admits(request).err()?;
            Some(DeniedRequest { action: action.to_owned(), request: request.clone(), denial })
        });
        denied.collect()
    }

    /// Lists the requests of all allowed actions that the policy denies, whatever their parameters and bodies.
    pub fn denied_requests(&self) -> Vec<DeniedRequest> {
        self.actions.iter().flat_map(|action| self.denied_requests_of(&action.id)).collect()
    }

    /// Lists what somebody who wrote the policy may not have meant.
    pub fn warnings(&self) -> Vec<String> {
        let Policy { requests, fields, read_only, addresses, .. } = &self.policy;
        let mut warnings = Vec::new();
        let open = requests.allow.is_none() && requests.deny.is_empty() && !read_only;
        if self.test_action(CUSTOM_REQUEST).is_ok()
            && self.actions.iter().any(|action| action.id == CUSTOM_REQUEST)
        {
            warnings.push(format!(
                "`{CUSTOM_REQUEST}` is allowed: it sends every request that the rules for requests allow{}",
                if open { ", and there are none" } else { "" }
            ));
        } else if open {
            warnings.push(
                "the policy has rules for actions and none for requests: a component that builds other requests than \
                 its actions declare is not restricted"
                    .to_owned(),
            );
        }
        if self.has_bypasses() {
            warnings.push(
                "a rule for an action matches only its id: an operation of the API that is allowed, such as \
                 `users.delete`, may send the request of an action that is denied, such as `delete-user`; a rule \
                 for requests holds for both"
                    .to_owned(),
            );
        }
        warnings.extend(self.open_reach());
        warnings.extend(self.stopped_actions());
        if fields.iter().any(|rule| rule.fields.list().iter().any(|field| field.contains('.'))) {
            warnings.push(
                "a field with a dot limits what is written, not what is lost: Auth0 merges `user_metadata` and \
                 `app_metadata` by their first level and replaces other objects as a whole"
                    .to_owned(),
            );
        }
        if let Some(all) = addresses.networks.iter().find(|network| network.is_everything()) {
            warnings.push(format!(
                "`{all}` in `allowed_networks` allows every address but those of metadata services"
            ));
        }
        warnings
    }

    /// Names the requests that are let through although they can do more than they say, by what that is.
    fn open_reach(&self) -> Vec<String> {
        let open = self.policy.open_reach();
        let mut warnings = Vec::new();
        for reach in Reach::ALL {
            let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
            for one in open.iter().filter(|one| one.row.reach == Some(reach)) {
                let request = format!("`{} /api/v2{}`", one.operation.method, one.operation.path);
                let request = match one.members.as_slice() {
                    [] => request,
                    members => format!("{request} by {}", members.join(", ")),
                };
                match reasons.iter_mut().find(|(reason, _)| *reason == one.row.reason) {
                    Some((_, requests)) => requests.push(request),
                    None => reasons.push((one.row.reason, vec![request])),
                }
            }
            if !reasons.is_empty() {
                let reasons: Vec<_> = reasons
                    .iter()
                    .map(|(reason, requests)| format!("{} (since {reason})", requests.join(", ")))
                    .collect();
                warnings.push(format!(
                    "the reach `{reach}` is not denied, and requests that are allowed can {}: {}",
                    reach.phrase(),
                    reasons.join("; ")
                ));
            }
        }
        warnings
    }

    /// Names the allowed actions that end at a denied request. Of the API's operations, which are allowed by the hundred
    /// where only requests are restricted, it says how many.
    fn stopped_actions(&self) -> Vec<String> {
        /// More are not read, and `test_action` tells of each.
        const MOST: usize = 12;
        let all = self.denied_requests();
        let is_operation = |id: &str| {
            self.actions.iter().any(|action| action.id == id && action.kind == ActionKind::Operation)
        };
        let (operations, curated): (Vec<_>, Vec<_>) =
            all.iter().partition(|denied| is_operation(&denied.action));
        let named: Vec<_> = curated
            .iter()
            .take(MOST)
            .map(|DeniedRequest { action, denial, .. }| format!("`{action}`: {}", denial.rule()))
            .collect();
        let mut warnings = Vec::new();
        if !named.is_empty() {
            let more = match curated.len().saturating_sub(MOST) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            warnings
                .push(format!("actions are allowed whose requests are denied: {}{more}", named.join("; ")));
        }
        if !operations.is_empty() {
            let ids: std::collections::BTreeSet<_> = operations.iter().map(|denied| &denied.action).collect();
            warnings.push(format!(
                "{} operations of the API are allowed as actions, and their requests are denied",
                ids.len()
            ));
        }
        warnings
    }

    fn write_actions(&self, f: &mut fmt::Formatter<'_>, wanted: bool) -> fmt::Result {
        let of_kind = |action: &&ActionSummary| self.test_action(&action.id).is_ok() == wanted;
        let count = self.actions.iter().filter(of_kind).count();
        if count == 0 {
            return Ok(());
        }
        let heading = if wanted { "Allowed actions" } else { "Denied actions" };
        writeln!(f, "{heading} ({count} of {})", self.actions.len())?;
        for effect in [Effect::Read, Effect::Create, Effect::Update, Effect::Delete, Effect::Send] {
            let of_effect = self.actions.iter().filter(|action| action.effect == effect);
            let ids = self.shortened(of_effect, wanted);
            if !ids.is_empty() {
                writeln!(f, "  {:<7} {}", effect.as_str(), wrapped(&ids.join(", "), 10))?;
            }
        }
        writeln!(f)
    }

    /// Lists ids, and of the operations of the API, of which there are more than anybody reads, the families: `roles.*
    /// (14)` where it is all of one, `roles.* (3 of 14)` where it is some.
    fn shortened<'a>(&self, actions: impl Iterator<Item = &'a ActionSummary>, wanted: bool) -> Vec<String> {
        let mut ids = Vec::new();
        let mut families: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for action in actions {
            let counts = self.test_action(&action.id).is_ok() == wanted;
            if action.kind == ActionKind::Operation {
                let (some, all) = families.entry(&action.group).or_default();
                *some += usize::from(counts);
                *all += 1;
            } else if counts {
                ids.push(action.id.clone());
            }
        }
        let (some, all) = families.values().fold((0, 0), |sum, (some, all)| (sum.0 + some, sum.1 + all));
        if some == all && all > 0 {
            ids.push(format!("all {all} operations of the API"));
            return ids;
        }
        // The list of allowed ones shows which these are.
        if !wanted && some > 0 {
            ids.push(format!("{some} of {all} operations of the API"));
            return ids;
        }
        let families = families.into_iter().filter(|(_, (some, _))| *some > 0);
        ids.extend(families.map(|(family, (some, all))| match some == all {
            true => format!("{family}.* ({all})"),
            false => format!("{family}.* ({some} of {all})"),
        }));
        ids
    }

    /// Returns whether an action is denied by name while operations of the same effect may be run: one of them may send
    /// the same request.
    fn has_bypasses(&self) -> bool {
        let denied = |action: &&ActionSummary| {
            let named = self.policy.actions.deny.iter().any(|rule| rule.value.matches(&action.id));
            named && action.kind != ActionKind::Operation
        };
        self.actions.iter().filter(denied).any(|action| {
            let same =
                |other: &&ActionSummary| other.kind == ActionKind::Operation && other.effect == action.effect;
            self.actions.iter().filter(same).any(|other| self.test_action(&other.id).is_ok())
        })
    }

    fn write_requests(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Policy { requests, fields, read_only, .. } = &self.policy;
        writeln!(f, "Requests to the tenant")?;
        if *read_only {
            writeln!(f, "  read-only: GET and HEAD, nothing else")?;
        }
        match &requests.allow {
            None if *read_only => writeln!(f, "  allowed  all reads")?,
            None => writeln!(
                f,
                "  allowed  all of the Management API, and the request for a password reset email"
            )?,
            Some(rules) => rules.iter().try_for_each(|rule| writeln!(f, "  allowed  {}", rule.value))?,
        }
        requests.deny.iter().try_for_each(|rule| writeln!(f, "  denied   {}", rule.value))?;
        match (*read_only, self.policy.reach.denied) {
            (true, _) => {}
            (false, ReachSet::NONE) => writeln!(f, "  reach    nothing is denied for its reach")?,
            (false, denied) => {
                let whose = if self.policy.reach == ReachRule::default() { " (the default)" } else { "" };
                writeln!(f, "  reach    {denied} are denied{whose}")?;
            }
        }
        for FieldRule { on, fields } in fields {
            let list = fields.list();
            let list = if list.is_empty() { "nothing".to_owned() } else { list.join(", ") };
            writeln!(f, "  bodies   {} may write {list}", on.value)?;
        }
        writeln!(f)
    }
}

impl fmt::Display for PolicyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_actions(f, true)?;
        self.write_actions(f, false)?;
        self.write_requests(f)?;
        let mail = match self.policy.mail {
            _ if self.policy.read_only => "none, since the policy is read-only".to_owned(),
            MailRule::Any => "through the tenant's own provider".to_owned(),
            MailRule::Only(provider) => format!("through {} only", provider.name()),
            MailRule::None => "none".to_owned(),
        };
        writeln!(f, "Email\n  {mail}\n")?;
        let mut reached = vec!["public addresses".to_owned()];
        if self.policy.addresses.loopback {
            reached.push("this machine".to_owned());
        }
        reached.extend(self.policy.addresses.networks.iter().map(ToString::to_string));
        writeln!(f, "Allowed addresses\n  {}", reached.join(", "))?;
        for (number, warning) in self.warnings().into_iter().enumerate() {
            let heading = if number == 0 { "\nWarnings\n" } else { "" };
            writeln!(f, "{heading}  - {}", wrapped(&warning, 4))?;
        }
        Ok(())
    }
}
