//! Which credentials to act with: options first, then the environment.

use std::path::{Path, PathBuf};

use auth0_host::{Credentials, PrivateKey, PrivateKeyError, Secret, SigningAlgorithm};

use super::{Failure, secret_file};

/// Options that name files with credentials.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct CredentialFiles {
    /// Read the client secret from this file; AUTH0_CLIENT_ID names the application [env: AUTH0_CLIENT_SECRET_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Tenant")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// Sign with the private key in this PEM file; AUTH0_CLIENT_ID names the application [env: AUTH0_PRIVATE_KEY_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Tenant")]
    pub(crate) private_key_file: Option<PathBuf>,
    /// Use the Management API token in this file [env: AUTH0_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Tenant")]
    pub(crate) token_file: Option<PathBuf>,
}

impl CredentialFiles {
    /// Lists the options with whether they were given.
    pub(crate) fn given(&self) -> [(&'static str, bool); 3] {
        [
            ("--client-secret-file", self.client_secret_file.is_some()),
            ("--private-key-file", self.private_key_file.is_some()),
            ("--token-file", self.token_file.is_some()),
        ]
    }
}

/// One way to prove who acts, with the name it was given by.
struct Given {
    kind: Kind,
    name: &'static str,
    value: Secret,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Token,
    ClientSecret,
    PrivateKey,
}

impl Kind {
    /// The option, the variable with a file's name, and the variable with the value.
    fn names(self) -> [&'static str; 3] {
        match self {
            Self::Token => ["--token-file", "AUTH0_TOKEN_FILE", "AUTH0_TOKEN"],
            Self::ClientSecret => ["--client-secret-file", "AUTH0_CLIENT_SECRET_FILE", "AUTH0_CLIENT_SECRET"],
            Self::PrivateKey => ["--private-key-file", "AUTH0_PRIVATE_KEY_FILE", "AUTH0_PRIVATE_KEY"],
        }
    }

    fn read(self, name: &'static str, path: &Path) -> Result<Given, Failure> {
        let read = if self == Self::PrivateKey { secret_file::text } else { secret_file::line };
        Ok(Given { kind: self, name, value: read(name, path)? })
    }

    /// Looks for it in the environment.
    fn in_environment(self, variable: &impl Fn(&str) -> Option<String>) -> Result<Option<Given>, Failure> {
        let [_, file, value] = self.names();
        match (variable(file), variable(value)) {
            (Some(_), Some(_)) => Err(contradiction(file, value)),
            (Some(path), None) => self.read(file, Path::new(&path)).map(Some),
            (None, Some(text)) => Ok(Some(Given { kind: self, name: value, value: Secret::new(text) })),
            (None, None) => Ok(None),
        }
    }
}

/// Whether any are named, for a command that can do without.
pub(crate) fn are_named(files: &CredentialFiles, variable: &impl Fn(&str) -> Option<String>) -> bool {
    let kinds = [Kind::Token, Kind::ClientSecret, Kind::PrivateKey];
    files.given().iter().any(|(_, given)| *given)
        || kinds.iter().any(|kind| kind.names().iter().any(|name| variable(name).is_some()))
}

/// Puts the credentials together. `variable` answers `None` for an empty variable too.
pub(crate) fn credentials(
    files: &CredentialFiles,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Credentials, Failure> {
    let client_id = variable("AUTH0_CLIENT_ID");
    let given = match by_option(files)? {
        Some(given) => {
            let token = Kind::Token.in_environment(variable)?.filter(|_| given.kind != Kind::Token);
            match token {
                Some(token) => return Err(contradiction(token.name, given.name)),
                None => Some(given),
            }
        }
        // As in the component: a token comes before id and secret, which other tools may have set.
        None => match Kind::Token.in_environment(variable)? {
            Some(token) => Some(token),
            None => match [Kind::ClientSecret, Kind::PrivateKey].map(|kind| kind.in_environment(variable)) {
                [Ok(Some(secret)), Ok(Some(key))] => return Err(contradiction(secret.name, key.name)),
                [secret, key] => secret?.or(key?),
            },
        },
    };
    match (given, client_id) {
        (Some(Given { kind: Kind::Token, value, .. }), _) => {
            Ok(Credentials::token(value.expose().strip_prefix("Bearer ").unwrap_or(value.expose())))
        }
        (Some(Given { kind: Kind::ClientSecret, value, .. }), Some(id)) => {
            Ok(Credentials::client_secret(id, value))
        }
        (Some(Given { kind: Kind::PrivateKey, name, value }), Some(id)) => {
            let unusable = |error: PrivateKeyError| usage(format!("{name}: {error}"));
            Ok(Credentials::private_key(id, private_key(&value, variable, unusable)?))
        }
        (Some(Given { kind, .. }), None) => {
            let what = if kind == Kind::PrivateKey { "private key" } else { "client secret" };
            Err(usage(format!(
                "there is a {what} but no id: set AUTH0_CLIENT_ID to the id of the application it belongs to"
            )))
        }
        (None, Some(_)) => Err(usage(
            "AUTH0_CLIENT_ID is set but there is no secret: set AUTH0_CLIENT_SECRET, or name a file with \
             --client-secret-file or --private-key-file"
                .to_owned(),
        )),
        (None, None) => Err(usage(
            "there are no credentials: set AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET (or AUTH0_TOKEN), or try --emulator"
                .to_owned(),
        )),
    }
}

fn by_option(files: &CredentialFiles) -> Result<Option<Given>, Failure> {
    let named = [
        (Kind::ClientSecret, &files.client_secret_file),
        (Kind::PrivateKey, &files.private_key_file),
        (Kind::Token, &files.token_file),
    ];
    let mut found: Option<Given> = None;
    for (kind, path) in named {
        let Some(path) = path else { continue };
        let [option, ..] = kind.names();
        if let Some(other) = &found {
            return Err(contradiction(other.name, option));
        }
        found = Some(kind.read(option, path)?);
    }
    Ok(found)
}

fn private_key(
    pem: &Secret,
    variable: &impl Fn(&str) -> Option<String>,
    unusable: impl Fn(PrivateKeyError) -> Failure,
) -> Result<PrivateKey, Failure> {
    // Variables of one line, as `.env` files have them, write a line feed as `\n`.
    let unfolded;
    let pem = if pem.expose().contains('\n') {
        pem
    } else {
        unfolded = Secret::new(pem.expose().replace("\\n", "\n"));
        &unfolded
    };
    let mut key = PrivateKey::from_pem(pem).map_err(unusable)?;
    if let Some(name) = variable("AUTH0_PRIVATE_KEY_ALG") {
        let algorithm: SigningAlgorithm = name
            .parse()
            .map_err(|error: PrivateKeyError| usage(format!("AUTH0_PRIVATE_KEY_ALG: {error}")))?;
        key = key.algorithm(algorithm);
    }
    if let Some(id) = variable("AUTH0_PRIVATE_KEY_ID") {
        key = key.key_id(id).map_err(|error| usage(format!("AUTH0_PRIVATE_KEY_ID: {error}")))?;
    }
    Ok(key)
}

fn contradiction(one: &str, other: &str) -> Failure {
    usage(format!("both {one} and {other} are given: which of the two is to act? leave one out"))
}

fn usage(message: String) -> Failure {
    Failure::Usage(message)
}
