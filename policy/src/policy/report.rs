//! What a policy means, in words, and its decision on one action or request.
//!
//! For a person who wrote a file and wants to know what it does before it does it. The answers come from the code that
//! enforces the policy, not from a second reading of it.

use std::{collections::BTreeMap, fmt};

use http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::{FieldRule, MailRule, PermittedActions, Policy, PolicyError};
use crate::{
    action::{ActionKind, ActionSummary, CUSTOM_REQUEST, Effect},
    base_url::BaseUrl,
    denial::{Denial, DeniedBy, Remedy},
    destination::{Destinations, MailAccess},
};

/// Requests by which whoever may send them can get more than they say, and what that is.
const FAR_REACHING: [(&str, &str); 12] = [
    ("POST /api/v2/client-grants", "grants an application any scope of the Management API"),
    ("PATCH /api/v2/client-grants/id", "grants an application any scope of the Management API"),
    ("POST /api/v2/clients", "makes an application, with a secret of the sender's choice"),
    ("PATCH /api/v2/clients/id", "sets an application's secret, and where its users are sent after log-in"),
    ("POST /api/v2/clients/id/credentials", "gives an application another key to prove itself with"),
    ("POST /api/v2/clients/id/rotate-secret", "answers with an application's new secret"),
    ("POST /api/v2/users/id/roles", "gives a user any role"),
    ("POST /api/v2/tickets/password-change", "answers with a link that sets a user's password"),
    (
        "PATCH /api/v2/users/id",
        "sets a user's email address or password, unless a rule of [fields] forbids it",
    ),
    ("POST /api/v2/jobs/users-imports", "writes any number of users with any fields"),
    ("POST /api/v2/actions/actions", "adds code that runs at log-in"),
    ("PATCH /api/v2/connections/id", "changes where users log in"),
];

/// What a policy means for the actions of a component. Printed, it explains the policy to a person.
#[derive(Clone, Debug)]
pub struct PolicyReport {
    policy: Policy,
    actions: Vec<ActionSummary>,
    permitted: PermittedActions,
}

impl Policy {
    /// Works out what the policy means for a component's actions, as the component lists them.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] where a rule is about no action, or has no effect: the host refuses it too.
    pub fn report(&self, actions: &[ActionSummary]) -> Result<PolicyReport, PolicyError> {
        let permitted = self.permit(actions)?;
        Ok(PolicyReport { policy: self.clone(), actions: actions.to_vec(), permitted })
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
        let far: Vec<String> = FAR_REACHING
            .iter()
            .filter(|(request, _)| self.policy.test_request(request, b"").is_ok())
            .filter(|(request, _)| !self.limits_fields(request))
            .map(|(request, gives)| format!("`{}` {gives}", request.replace("/id", "/{id}")))
            .collect();
        if !far.is_empty() {
            warnings.push(format!("far-reaching requests are allowed: {}", far.join("; ")));
        }
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

    fn limits_fields(&self, request: &str) -> bool {
        // No rule can allow a field of this name: it is refused wherever fields are restricted.
        self.policy.test_request(request, b"{\"\":0}").is_err()
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
