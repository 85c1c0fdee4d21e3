//! The email providers that the connector can send through: one row each.
//!
//! What a provider is called, where it is asked for, by which request and with what it wants proven stands here and
//! nowhere else: the rules about destinations, the credentials that the egress adds and the manifest read the same row.
//! The hosts and paths are those of the providers' API references.

use std::fmt;

use crate::{base_url::BaseUrl, destination::percent_decode};

/// The name that the component posts emails for Azure to; the endpoint is the customer's own. Names under `.invalid` never
/// resolve (RFC 6761, section 6.4), so no request reaches one by mistake. The component has the same constants.
pub const AZURE_STAND_IN: &str = "azure-communication-services.invalid";
/// The name that the component posts emails for SMTP to.
pub const SMTP_STAND_IN: &str = "smtp.invalid";

/// An email provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailProvider {
    /// SendGrid.
    SendGrid,
    /// Mailgun, in either region.
    Mailgun,
    /// Mandrill (Mailchimp Transactional).
    Mandrill,
    /// SparkPost, in either region.
    SparkPost,
    /// Resend.
    Resend,
    /// Amazon SES.
    Ses,
    /// Azure Communication Services.
    Azure,
    /// Microsoft 365, through Microsoft Graph.
    Microsoft365,
    /// Over the host: the component has HTTP only.
    Smtp,
}

/// How the host proves to a provider who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailProof {
    /// A key as `Authorization: Bearer …`.
    BearerKey,
    /// A key as `Authorization: …`.
    BareKey,
    /// A key as the password of the user `api`, in basic authentication.
    BasicKey,
    /// A key as the member `key` of the JSON body.
    BodyKey,
    /// A signature of each request.
    Signature,
    /// A token of the provider's own token endpoint.
    Token,
    /// A user and a password, in SMTP.
    Password,
}

/// What is known of a provider.
#[derive(Debug)]
pub struct MailProviderRow {
    /// The name that Auth0 gives it (`GET /api/v2/emails/provider`).
    pub name: &'static str,
    /// The name that people know it by.
    pub title: &'static str,
    /// Hosts that the component asks for; `{…}` stands for one label.
    hosts: &'static [&'static str],
    /// Where that leads, for people.
    pub origins: &'static [&'static str],
    /// The requests that send an email; `{…}` stands for one segment.
    pub requests: &'static [&'static str],
    /// How the host proves to it who it is.
    pub proof: MailProof,
}

const SENDGRID: MailProviderRow = MailProviderRow {
    name: "sendgrid",
    title: "SendGrid",
    hosts: &["api.sendgrid.com"],
    origins: &["https://api.sendgrid.com"],
    requests: &["POST /v3/mail/send"],
    proof: MailProof::BearerKey,
};

const MAILGUN: MailProviderRow = MailProviderRow {
    name: "mailgun",
    title: "Mailgun",
    hosts: &["api.mailgun.net", "api.eu.mailgun.net"],
    origins: &["https://api.mailgun.net", "https://api.eu.mailgun.net"],
    requests: &["POST /v3/{domain}/messages"],
    proof: MailProof::BasicKey,
};

const MANDRILL: MailProviderRow = MailProviderRow {
    name: "mandrill",
    title: "Mandrill",
    hosts: &["mandrillapp.com"],
    origins: &["https://mandrillapp.com"],
    requests: &["POST /api/1.0/messages/send", "POST /api/1.0/messages/send.json"],
    proof: MailProof::BodyKey,
};

const SPARKPOST: MailProviderRow = MailProviderRow {
    name: "sparkpost",
    title: "SparkPost",
    hosts: &["api.sparkpost.com", "api.eu.sparkpost.com"],
    origins: &["https://api.sparkpost.com", "https://api.eu.sparkpost.com"],
    requests: &["POST /api/v1/transmissions", "POST /api/v1/transmissions/"],
    proof: MailProof::BareKey,
};

const RESEND: MailProviderRow = MailProviderRow {
    name: "resend",
    title: "Resend",
    hosts: &["api.resend.com"],
    origins: &["https://api.resend.com"],
    requests: &["POST /emails"],
    proof: MailProof::BearerKey,
};

const SES: MailProviderRow = MailProviderRow {
    name: "ses",
    title: "Amazon SES",
    hosts: &["email.{region}.amazonaws.com"],
    origins: &["https://email.{region}.amazonaws.com"],
    requests: &["POST /v2/email/outbound-emails"],
    proof: MailProof::Signature,
};

const AZURE: MailProviderRow = MailProviderRow {
    name: "azure_cs",
    title: "Azure Communication Services",
    hosts: &[AZURE_STAND_IN],
    origins: &["https://{endpoint of the connection string}"],
    requests: &["POST /emails:send"],
    proof: MailProof::Signature,
};

const MICROSOFT_365: MailProviderRow = MailProviderRow {
    name: "ms365",
    title: "Microsoft 365",
    hosts: &["graph.microsoft.com"],
    origins: &["https://graph.microsoft.com"],
    requests: &["POST /v1.0/users/{sender}/sendMail"],
    proof: MailProof::Token,
};

const SMTP: MailProviderRow = MailProviderRow {
    name: "smtp",
    title: "SMTP",
    hosts: &[SMTP_STAND_IN],
    origins: &["smtp://{server of the settings}"],
    requests: &["POST /send"],
    proof: MailProof::Password,
};

impl MailProvider {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SendGrid,
        Self::Mailgun,
        Self::Mandrill,
        Self::SparkPost,
        Self::Resend,
        Self::Ses,
        Self::Azure,
        Self::Microsoft365,
        Self::Smtp,
    ];

    /// Returns what is known of it.
    pub const fn row(self) -> &'static MailProviderRow {
        match self {
            Self::SendGrid => &SENDGRID,
            Self::Mailgun => &MAILGUN,
            Self::Mandrill => &MANDRILL,
            Self::SparkPost => &SPARKPOST,
            Self::Resend => &RESEND,
            Self::Ses => &SES,
            Self::Azure => &AZURE,
            Self::Microsoft365 => &MICROSOFT_365,
            Self::Smtp => &SMTP,
        }
    }

    /// Returns the name that Auth0 gives it (`GET /api/v2/emails/provider`).
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns whether a key is all that it wants.
    pub fn takes_key(self) -> bool {
        matches!(
            self.row().proof,
            MailProof::BearerKey | MailProof::BareKey | MailProof::BasicKey | MailProof::BodyKey
        )
    }

    /// Returns the provider that has a host of its own there, or a name that stands for it.
    pub(crate) fn of_origin(origin: &BaseUrl) -> Option<Self> {
        if origin.scheme() != "https" || origin.port() != 443 {
            return None;
        }
        let has = |provider: &Self| provider.row().hosts.iter().any(|host| fits(host, origin.host(), '.'));
        Self::ALL.into_iter().find(has)
    }

    /// Returns the provider whose path that is to send an email with.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let own =
            |provider: &Self| provider.row().requests.iter().filter_map(|own| own.strip_prefix("POST "));
        Self::ALL.into_iter().find(|provider| own(provider).any(|own| fits(own, path, '/')))
    }
}

impl fmt::Display for MailProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().title)
    }
}

/// Returns whether a text is a template's, in which `{…}` stands for one part. An encoded slash would end the part for a
/// server that decodes before it routes.
fn fits(template: &str, text: &str, separator: char) -> bool {
    let Some((before, rest)) = template.split_once('{') else { return template == text };
    let after = rest.split_once('}').map_or("", |(_, after)| after);
    let part = text.strip_prefix(before).and_then(|text| text.strip_suffix(after)).unwrap_or_default();
    let ends = |byte: &u8| matches!(byte, b'/' | b'\\');
    !part.is_empty() && !part.contains(separator) && !percent_decode(part.as_bytes()).iter().any(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_is_known_by_its_own_hosts_and_paths() {
        for provider in MailProvider::ALL {
            let row = provider.row();
            for host in row.hosts {
                let origin = BaseUrl::https(&host.replace("{region}", "eu-west-1"));
                assert_eq!(MailProvider::of_origin(&origin), Some(provider), "{origin}");
            }
            for request in row.requests {
                let path = request.strip_prefix("POST ").unwrap().replace(['{', '}'], "");
                assert_eq!(MailProvider::of_path(&path), Some(provider), "{path}");
            }
        }
    }

    #[test]
    fn a_part_of_a_template_is_one_part_however_it_is_written() {
        for path in
            ["/v3//messages", "/v3/a/b/messages", "/v3/a%2Fb/messages", "/v3/a%5cb/messages", "/v3/messages"]
        {
            assert_eq!(MailProvider::of_path(path), None, "{path}");
        }
        for host in ["email.amazonaws.com", "email.a.b.amazonaws.com", "email..amazonaws.com"] {
            assert_eq!(MailProvider::of_origin(&BaseUrl::https(host)), None, "{host}");
        }
        for url in ["http://127.0.0.1:1", "https://api.resend.com:444"] {
            assert_eq!(MailProvider::of_origin(&url.parse().unwrap()), None, "{url}");
        }
    }
}
