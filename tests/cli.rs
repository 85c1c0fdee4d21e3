//! `auth0-host` at a shell: results, errors, misuse, and a tenant that other programs can use.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use auth0_tests::program::{Said, auth0_host, run};
use auth0_tests::{OfflineTenant, encoded};
use serde_json::{Value, json};

use crate::json_interface::ACTIONS;

const SECRETS: [&str; 3] = ["AUTH0_CLIENT_SECRET", "AUTH0_TOKEN", "AUTH0_EMAIL_API_KEY"];

fn said(arguments: &[&str]) -> Said {
    run(auth0_host().args(arguments))
}

/// A command for a tenant of this test, with the credentials in its environment.
fn on(tenant: &OfflineTenant, arguments: &[&str]) -> Command {
    let mut command = auth0_host();
    command.args(arguments);
    let emulator = &tenant.emulator;
    for (name, value) in [
        ("AUTH0_DOMAIN", emulator.domain()),
        ("AUTH0_BASE_URL", emulator.base_url()),
        ("AUTH0_CLIENT_ID", emulator.client_id()),
        ("AUTH0_CLIENT_SECRET", emulator.client_secret()),
        ("AUTH0_EMAIL_BASE_URL", emulator.mail_base_url()),
        ("AUTH0_EMAIL_API_KEY", emulator.mail_api_key()),
        ("AUTH0_EMAIL_PROVIDER", "sendgrid"),
    ] {
        command.env(name, value);
    }
    command
}

async fn say(mut command: Command) -> Said {
    tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
}

/// A folder of this test's own, gone with it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("auth0-tests-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_result_is_json_on_stdout_and_the_tenant_saw_one_request() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    let said = say(on(&tenant, &["run", "get-user", &format!("user_id={id}")])).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(said.json(), tenant.stored(&id));
    assert_eq!(tenant.lines(), [format!("GET /api/v2/users/{}", encoded(&id))]);
}

#[tokio::test]
async fn an_error_of_the_action_is_json_on_stderr_and_exit_code_1() {
    let tenant = OfflineTenant::start().await;
    let said = say(on(&tenant, &["run", "get-user", "user_id=auth0|000000000000000000000000"])).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    let error = said.error();
    assert_eq!(
        (&error["code"], &error["status"], &error["error_code"]),
        (&json!("not-found"), &json!(404), &json!("inexistent_user"))
    );
    assert!(error["message"].is_string() && error["request_id"].is_string(), "{error}");
    tenant.control.set_scopes(&["read:roles"]);
    let said = say(on(&tenant, &["run", "list-users"])).await;
    assert_eq!((said.code, &said.error()["scopes"]), (Some(1), &json!(["read:users"])));
}

#[tokio::test]
async fn secrets_are_printed_nowhere() {
    let tenant = OfflineTenant::start().await;
    let secrets = [tenant.emulator.client_secret().to_owned(), tenant.emulator.mail_api_key().to_owned()];
    let mail = r#"{"to": "ana@acme.example", "subject": "s", "body": "b"}"#;
    for arguments in [
        &["-v", "run", "test-connection"][..],
        &["-v", "run", "send-email", "--input", mail],
        &["-v", "run", "get-user", "user_id=auth0|nobody"],
        &["--help"],
        &["run", "--help"],
        &["run", "list-users", "per_page=x"],
    ] {
        let said = say(on(&tenant, arguments)).await;
        for secret in &secrets {
            assert!(!said.all().contains(secret), "{arguments:?}: {said:#?}");
        }
        assert!(!said.all().contains("eyJ"), "{arguments:?}: no token either");
    }
    for name in SECRETS {
        let mut command = auth0_host();
        command.args(["--domain", "acme.auth0.com", "run", "list-users"]).env(name, "canary\nsecret");
        let said = say(command).await;
        assert_eq!(said.code, Some(2), "{name}: {said:#?}");
        assert!(!said.all().contains("canary"), "{name}: {said:#?}");
    }
}

#[tokio::test]
async fn the_secret_can_come_from_a_file() {
    let tenant = OfflineTenant::start().await;
    let folder = Folder::new("secret");
    let file = folder.file("secret", &format!("{}\n", tenant.emulator.client_secret()));
    let mut command = on(&tenant, &["--client-secret-file", &file, "run", "list-roles", "limit=1"]);
    command.env_remove("AUTH0_CLIENT_SECRET");
    let said = say(command).await;
    assert_eq!(said.code, Some(0), "{said:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_secret_file_that_others_can_read_is_refused_and_nothing_is_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    let tenant = OfflineTenant::start().await;
    let folder = Folder::new("open-secret");
    let file = folder.file("secret", tenant.emulator.client_secret());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    for option in ["--client-secret-file", "--private-key-file", "--token-file"] {
        let mut command = on(&tenant, &[option, &file, "run", "list-roles"]);
        command.env_remove("AUTH0_CLIENT_SECRET");
        let said = say(command).await;
        assert_eq!((said.code, &said.error()["code"]), (Some(2), &json!("usage")), "{said:#?}");
        assert!(said.err.contains("chmod 600") && said.err.contains(option), "{said:#?}");
        assert!(!said.all().contains(tenant.emulator.client_secret()));
    }
    assert_eq!(tenant.control.requests().len(), 0);
}

#[tokio::test]
async fn a_token_and_a_private_key_can_come_from_files_too() {
    let tenant = OfflineTenant::start().await;
    let folder = Folder::new("files");
    let token = folder.file("token", "Bearer a.b.c\n");
    let mut command = on(&tenant, &["--token-file", &token, "run", "list-roles"]);
    command.env_remove("AUTH0_CLIENT_SECRET");
    let said = say(command).await;
    assert_eq!((said.code, &said.error()["code"]), (Some(1), &json!("unauthenticated")), "{said:#?}");
    assert_eq!(tenant.only().header("authorization"), Some("[masked]"), "the token was sent");
    let pem = folder.file("key.pem", &auth0_tests::keys::Pair::generate().private_pem());
    let mut command = on(&tenant, &["run", "list-roles"]);
    command.env_remove("AUTH0_CLIENT_SECRET").env("AUTH0_PRIVATE_KEY_FILE", &pem);
    let said = say(command).await;
    assert_eq!(said.error()["code"], "unauthenticated", "no key is registered: {said:#?}");
    let requests = tenant.control.requests();
    let form = requests.last().unwrap().body.clone().unwrap();
    assert!(form.get("client_assertion").is_some(), "{form}");
}

#[test]
fn misuse_is_exit_code_2_and_says_what_to_do() {
    for (arguments, hint) in [
        (&["run", "list-users"][..], "--emulator"),
        (&["--domain", "acme.auth0.com", "run", "list-users"], "AUTH0_CLIENT_ID"),
        (&["--domain", "https://acme.auth0.com", "run", "list-users"], "bare domain"),
        (&["--domain", "acme", "run", "list-users"], "domain"),
        (&["--emulator", "run", "get-usr"], "get-user"),
        (&["--emulator", "run", "quux"], "auth0-host actions"),
        (&["--emulator", "describe", "get-usr"], "get-user"),
        (&["--emulator", "run", "get-user", "user_id"], "user_id=VALUE"),
        (&["--emulator", "run", "get-user", "user_id=a|b", "user_id=a|b"], "twice"),
        (&["--emulator", "run", "get-user", "--input", "{"], "not JSON"),
        (&["--emulator", "run", "get-user", "--input", "[]"], "object"),
        (&["--emulator", "run", "get-user", "--input", "@/no/such/file"], "/no/such/file"),
        (&["--emulator", "run", "get-user", "user_id=../clients"], "user id"),
        (&["--emulator", "run", "get-user"], "user_id"),
        (&["--emulator", "run", "get-user", "user_id=a|b", "colour=red"], "colour"),
        (&["--emulator", "run", "list-users", "per_page=many"], "per_page"),
        (&["--emulator", "run", "custom-request", "method=GET", "path=//evil.example/"], "path"),
        (&["nonsense"], "Usage"),
        (&[], "Usage"),
        (&["run"], "ACTION"),
        (&["run", "get-user", "--client-secret", "canary"], "--client-secret"),
        (&["emulator", "--port", "99999"], "99999"),
        (&["emulator", "--plan", "gold"], "gold"),
        (&["emulator", "--seed", "/no/such/seed.json"], "/no/such/seed.json"),
    ] {
        let said = said(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:#?}");
        assert!(said.err.to_lowercase().contains(&hint.to_lowercase()), "{arguments:?}: {said:#?}");
        assert_eq!(said.out, "", "{arguments:?}");
    }
}

#[test]
fn a_file_of_certificates_that_cannot_be_read_is_named() {
    let mut command = auth0_host();
    command.args(["--ca-cert", "/no/such/ca.pem", "--domain", "acme.auth0.com", "run", "list-users"]);
    let said = run(command.env("AUTH0_TOKEN", "a.b.c"));
    assert!(said.code == Some(2) && said.err.contains("/no/such/ca.pem"), "{said:#?}");
}

#[test]
fn a_host_that_cannot_do_its_part_is_exit_code_3() {
    let folder = Folder::new("component");
    let junk = folder.file("junk.wasm", "not wasm");
    let module = folder.file("module.wasm", "\0asm\u{1}\0\0\0");
    for file in [junk.as_str(), module.as_str(), "/no/such/file.wasm", "/dev/null"] {
        let said = said(&["--emulator", "--component", file, "run", "list-users"]);
        assert_eq!(said.code, Some(3), "{file}: {said:#?}");
        assert_eq!(said.error()["code"], "host", "{file}");
    }
}

#[test]
fn an_address_where_nothing_listens_is_unreachable_and_not_a_crash() {
    let mut command = auth0_host();
    command.args(["--domain", "acme.auth0.com", "--base-url", "http://127.0.0.1:1", "run", "list-users"]);
    let said = run(command.env("AUTH0_TOKEN", "a.b.c").env("AUTH0_MAX_RETRIES", "0"));
    assert_eq!((said.code, &said.error()["code"]), (Some(1), &json!("unreachable")), "{said:#?}");
}

#[tokio::test]
async fn an_input_of_50_megabytes_is_refused_and_not_sent() {
    let tenant = OfflineTenant::start().await;
    let folder = Folder::new("large");
    let input =
        json!({"connection": "x", "email": "a@b.example", "user_metadata": {"x": "y".repeat(50_000_000)}});
    let file = folder.file("large.json", &input.to_string());
    let said = say(on(&tenant, &["run", "create-user", "--input", &format!("@{file}")])).await;
    assert!(said.err.len() < 5_000, "the input is not printed back");
    assert_eq!((said.code, &said.error()["code"]), (Some(2), &json!("usage")), "{}", said.err);
    assert!(said.err.contains("more than 4000000 bytes"), "{}", said.err);
    assert_eq!(tenant.lines(), [""; 0]);
}

#[test]
fn actions_and_descriptions_can_be_searched_and_read_by_programs() {
    let all = said(&["actions", "--json"]).json();
    assert_eq!(all.as_array().unwrap().len(), ACTIONS.len() + auth0_catalog::read().unwrap().len());
    let ids = |arguments: &[&str]| -> Vec<String> {
        let found = said(&[&["actions", "--json"], arguments].concat()).json();
        found.as_array().unwrap().iter().map(|action| action["id"].as_str().unwrap().to_owned()).collect()
    };
    for (arguments, there, not_there) in [
        (&["delete"][..], "delete-user", "get-user"),
        (&["organizations", "members"], "organizations.members.list", "organizations.list"),
        (&["--effect", "delete", "--group", "users"], "delete-user", "update-user"),
        (&["--stage", "beta"], "experimentation.experiments.list", "get-user"),
        (&["--scope", "create:users"], "create-user", "get-user"),
        (&["--curated"], "get-user", "users.get"),
        (&["--operations"], "users.get", "get-user"),
    ] {
        let found = ids(arguments);
        let has = |id: &str| found.iter().any(|found| found == id);
        assert!(has(there) && !has(not_there), "{arguments:?}: {found:?}");
    }
    assert_eq!(ids(&["--curated"]), ACTIONS);
    let reference = said(&["actions", "--markdown", "--group", "roles", "--curated"]);
    assert!(
        reference.out.starts_with("## roles\n") && reference.out.contains("\n### create-role\n"),
        "{reference:#?}"
    );
    let table = said(&["actions", "roles"]);
    assert!(table.out.contains("assign-user-roles") && !table.out.contains('\u{1b}'), "{table:#?}");
    let described = said(&["describe", "create-user", "--json"]).json();
    assert_eq!(described["scopes"], json!([{"any_of": ["create:users"]}]));
    assert_eq!(described["requests"], json!([{"method": "POST", "path": "/api/v2/users"}]));
    let text = said(&["describe", "assign-user-roles"]);
    assert!(text.out.contains("role_names") && text.code == Some(0), "{text:#?}");
}

#[test]
fn help_has_examples_and_completions_are_scripts() {
    for arguments in [
        &["--help"][..],
        &["run", "--help"],
        &["emulator", "--help"],
        &["actions", "--help"],
        &["describe", "--help"],
        &["scopes", "--help"],
        &["manifest", "--help"],
    ] {
        let said = said(arguments);
        assert!(said.code == Some(0) && said.out.contains("Example"), "{arguments:?}: {said:#?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(said(&["completions", shell]).out.contains("auth0-host"), "{shell}");
    }
    assert!(said(&["--version"]).out.contains(env!("CARGO_PKG_VERSION")));
}

/// `auth0-host emulator` in a process of its own.
struct Server {
    child: Child,
    ready: Value,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut command = auth0_host();
        command.args(["emulator", "--json"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, ready: serde_json::from_str(&line).unwrap() }
    }

    fn text(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap_or_else(|| panic!("`{key}` is in {}", self.ready))
    }

    fn client(&self, arguments: &[&str]) -> Said {
        let mut command = auth0_host();
        command
            .args(arguments)
            .env("AUTH0_DOMAIN", self.text("domain"))
            .env("AUTH0_BASE_URL", self.text("base_url"));
        command.env("AUTH0_CLIENT_ID", self.text("client_id"));
        run(command.env("AUTH0_CLIENT_SECRET", self.text("client_secret")))
    }

    /// Ends it as Ctrl-C or `kill` does, and answers its exit code.
    fn end(mut self, signal: &str) -> Option<i32> {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
#[test]
fn the_offline_tenant_tells_how_to_reach_it_serves_and_ends_cleanly() {
    for signal in ["-INT", "-TERM"] {
        let server = Server::start(&[]);
        assert_eq!(server.text("audience"), format!("https://{}/api/v2/", server.text("domain")));
        let said = server.client(&["run", "list-users", "limit=1", "include_totals=true"]);
        assert_eq!((said.code, &said.json()["total"]), (Some(0), &json!(12)), "{said:#?}");
        let url = server.text("base_url").to_owned();
        assert_eq!(server.end(signal), Some(0), "{signal}");
        let address = url.trim_start_matches("http://");
        assert!(std::net::TcpStream::connect(address).is_err(), "nothing listens any more");
    }
}

#[cfg(unix)]
#[test]
fn the_offline_tenant_speaks_tls_with_an_authority_that_can_be_given_on() {
    let folder = Folder::new("tls");
    let ca = folder.file("ca.pem", "");
    let server = Server::start(&["--tls", "--ca-out", &ca]);
    assert!(server.text("base_url").starts_with("https://localhost:"));
    let said = server.client(&["--ca-cert", &ca, "run", "list-roles", "limit=1"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let said = server.client(&["run", "list-roles", "limit=1"]);
    assert_eq!((said.code, &said.error()["code"]), (Some(1), &json!("unreachable")), "{said:#?}");
    assert_eq!(server.end("-INT"), Some(0));
}

#[test]
fn the_offline_tenant_takes_a_seed_and_names_what_is_wrong_in_one() {
    let folder = Folder::new("seed");
    let good = folder
        .file("good.json", r#"{"domain": "tiny.eu.auth0.localhost", "users": [{"email": "a@b.example"}]}"#);
    let server = Server::start(&["--seed", &good]);
    assert_eq!(server.text("domain"), "tiny.eu.auth0.localhost");
    assert_eq!(server.client(&["run", "list-users"]).json()["items"].as_array().unwrap().len(), 1);
    let bad = folder.file("bad.json", "{\n  \"users\": [{\"mail\": 1}]\n}");
    let said = said(&["emulator", "--seed", &bad]);
    assert!(said.code == Some(2) && said.err.contains("line 2") && said.err.contains("mail"), "{said:#?}");
}

#[test]
fn a_port_that_is_taken_is_exit_code_3() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = said(&["emulator", "--port", &port]);
    assert!(said.code == Some(3) && said.err.contains(&port), "{said:#?}");
}
