//! Where secrets go that the tenant makes, and what becomes of them when that place fails.
//!
//! A process at a shell ends, and its memory with it: an application whose new secret nobody has is locked out. So a secret
//! is in a file of the user's state folder before the sink is asked, and until the sink has it. What the sink does not take
//! is offered to it again.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use auth0_host::{CommandSink, FileSink, SecretName, SecretSink, Settings, StagedSink, Tenant};

use super::Failure;

/// Pauses before the sink is asked again: a vault that restarts is back within seconds.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// Options that name the sink.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct SecretOptions {
    /// Put secrets that the tenant makes into files below this folder [env: AUTH0_SECRET_DIR]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Secrets")]
    pub(crate) secret_dir: Option<PathBuf>,
    /// Give secrets that the tenant makes to this program, on its standard input; with arguments, a JSON array
    /// [env: AUTH0_SECRET_COMMAND]
    #[arg(
        long,
        global = true,
        value_name = "PROGRAM",
        help_heading = "Secrets",
        conflicts_with = "secret_dir"
    )]
    pub(crate) secret_command: Option<String>,
}

impl SecretOptions {
    /// Whether a sink is named, here or in the environment, where an empty variable counts as absent.
    pub(crate) fn named(&self, variable: &impl Fn(&str) -> Option<String>) -> bool {
        let set = |name| variable(name).is_some_and(|value| !value.is_empty());
        self.secret_dir.is_some()
            || self.secret_command.is_some()
            || set("AUTH0_SECRET_DIR")
            || set("AUTH0_SECRET_COMMAND")
    }

    /// Gives a tenant the sink that is named.
    pub(crate) fn apply(
        &self,
        settings: Settings,
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, Failure> {
        let (folder, command) = match (&self.secret_dir, &self.secret_command) {
            (None, None) => {
                (variable("AUTH0_SECRET_DIR").map(PathBuf::from), variable("AUTH0_SECRET_COMMAND"))
            }
            (folder, command) => (folder.clone(), command.clone()),
        };
        match (folder, command) {
            (None, None) => Ok(settings),
            (Some(folder), None) => Ok(settings.secret_sink(staged(FileSink::new(folder)))),
            (None, Some(command)) => Ok(settings.secret_sink(staged(parse_command(&command)?))),
            (Some(_), Some(_)) => Err(Failure::Usage(
                "both a folder and a command are to get the tenant's secrets: leave one of --secret-dir \
                 (AUTH0_SECRET_DIR) and --secret-command (AUTH0_SECRET_COMMAND) out"
                    .to_owned(),
            )),
        }
    }
}

/// Reads a program, or a JSON array of a program and its arguments. No shell reads it, and no words are split.
fn parse_command(text: &str) -> Result<CommandSink, Failure> {
    if !text.starts_with('[') {
        return Ok(CommandSink::new(text));
    }
    let words: Vec<String> = serde_json::from_str(text).unwrap_or_default();
    let mut words = words.into_iter();
    match words.next() {
        Some(program) => Ok(words.fold(CommandSink::new(program), CommandSink::argument)),
        None => Err(Failure::Usage(
            "--secret-command: give a program, or a JSON array of texts such as [\"vault\", \"kv\", \"put\", \"secret/auth0\", \
             \"value=-\"]"
                .to_owned(),
        )),
    }
}

/// Has a sink's secrets in the last resort first: what kills this process while the sink is asked does not take a secret
/// with it.
fn staged<S: SecretSink>(sink: S) -> StagedSink<S> {
    let folder = last_resort();
    if let Some(parent) = folder.parent() {
        // Where that fails, the sink says why before a secret is made.
        let _ = fs::create_dir_all(parent);
    }
    StagedSink::new(FileSink::new(folder), sink)
}

/// Waits for secrets that are under way, and sees to it that those which the sink did not take are somewhere.
///
/// # Errors
///
/// Returns where the secrets are, where that is not the sink.
pub(crate) async fn drain_secrets(tenant: &Tenant) -> Result<(), String> {
    tenant.flush_secrets().await;
    for pause in PAUSES {
        if tenant.pending_secrets().is_empty() {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        // What is left is asked for in the next round.
        let _ = tenant.retry_secrets().await;
    }
    let pending = tenant.pending_secrets();
    let Some(first) = pending.first() else { return Ok(()) };
    let problem = first.problem.clone();
    let names: Vec<SecretName> = pending.into_iter().map(|pending| pending.name).collect();
    let folder = last_resort();
    let sink = FileSink::new(&folder);
    let files = names.iter().map(|name| sink.path(name).display().to_string()).collect::<Vec<_>>().join(", ");
    if let Some(parent) = folder.parent() {
        // Where that fails, the sink says why.
        let _ = fs::create_dir_all(parent);
    }
    match tenant.retry_secrets_with(&sink).await {
        Ok(()) => Err(format!(
            "a new secret is in force, and the secret sink rejected it ({problem}): it is in {files}; put it where it \
             belongs and delete the file"
        )),
        Err(_) => Err(format!(
            "a new secret is in force, and neither the secret sink ({problem}) nor {} took it: it is lost; rotate it \
             again with a sink that works",
            folder.display()
        )),
    }
}

/// The place of secrets that the sink did not take: `$XDG_STATE_HOME/auth0-host/secrets` on Linux.
fn last_resort() -> PathBuf {
    let state = dirs::state_dir().or_else(dirs::data_local_dir);
    state.unwrap_or_else(|| Path::new(".").to_owned()).join("auth0-host").join("secrets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_program_or_an_array_and_never_split() {
        let printed = |text| format!("{:?}", parse_command(text).unwrap());
        assert!(
            printed("/opt/my tools/put secret")
                .contains("program: \"/opt/my tools/put secret\", arguments: []")
        );
        assert!(
            printed(r#"["vault", "kv put", "$X"]"#)
                .contains(r#"program: "vault", arguments: ["kv put", "$X"]"#)
        );
        for bad in ["[]", "[1]", "[\"a\"", "[\"a\", 2]"] {
            assert!(parse_command(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_place_only_gets_the_secrets_and_options_come_first() {
        let settings = || Settings::new("acme.eu.auth0.com".parse().unwrap());
        let both = |name: &str| Some(name.to_owned());
        assert!(SecretOptions::default().apply(settings(), &both).is_err());
        let option = SecretOptions { secret_dir: Some("here".into()), ..SecretOptions::default() };
        assert!(option.apply(settings(), &both).is_ok() && option.named(&|_| None));
        let none = SecretOptions::default();
        assert!(!none.named(&|_| None) && !none.named(&|_| Some(String::new())) && none.named(&both));
        let settings = none.apply(settings(), &|_| None).unwrap();
        assert!(format!("{settings:?}").contains("secret_sink: None"));
    }
}
