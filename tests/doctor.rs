//! `auth0-host doctor`: each thing that can be wrong is named, with what to do, and nothing is called right that is not.

use std::path::PathBuf;
use std::process::Command;

use auth0_emulator::{Emulator, Seed};
use auth0_tests::OfflineTenant;
use auth0_tests::program::{Said, auth0_host, run};
use serde_json::{Value, json};

fn on(emulator: &Emulator) -> Command {
    let mut command = auth0_host();
    command.env("AUTH0_DOMAIN", emulator.domain()).env("AUTH0_BASE_URL", emulator.base_url());
    command.env("AUTH0_CLIENT_ID", emulator.client_id()).env("AUTH0_CLIENT_SECRET", emulator.client_secret());
    command.env("AUTH0_EMAIL_API_KEY", emulator.mail_api_key()).env("AUTH0_EMAIL_PROVIDER", "sendgrid");
    command
}

async fn say(mut command: Command, arguments: &[&str]) -> Said {
    command.args(arguments);
    tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
}

/// The exit code, and the findings by check.
async fn examine(command: Command) -> (Option<i32>, Vec<Value>) {
    let said = say(command, &["doctor", "--json"]).await;
    assert_eq!(said.err, "", "{said:#?}");
    (said.code, said.json().as_array().unwrap().clone())
}

fn of<'a>(findings: &'a [Value], check: &str) -> &'a Value {
    let found: Vec<&Value> = findings.iter().filter(|finding| finding["check"] == check).collect();
    assert_eq!(found.len(), 1, "{check} is in {findings:#?} once");
    found[0]
}

/// The only check that failed, with what it says.
fn failed(findings: &[Value]) -> (String, String) {
    let failed: Vec<&Value> = findings.iter().filter(|finding| finding["verdict"] == "fail").collect();
    assert_eq!(failed.len(), 1, "{findings:#?}");
    let text =
        |name: &str| failed[0][name].as_str().unwrap_or_else(|| panic!("{name}: {}", failed[0])).to_owned();
    (text("check"), format!("{} → {}", text("found"), text("advice")))
}

#[tokio::test]
async fn a_healthy_tenant_has_nothing_that_fails_and_no_secret_is_shown() {
    let tenant = OfflineTenant::start().await;
    let said = say(on(&tenant.emulator), &["doctor"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:#?}");
    for secret in [tenant.emulator.client_secret(), tenant.emulator.mail_api_key(), "eyJ"] {
        assert!(!said.out.contains(secret), "{said:#?}");
    }
    let (code, findings) = examine(on(&tenant.emulator)).await;
    assert_eq!(code, Some(0));
    for check in [
        "component",
        "policy",
        "settings",
        "dns",
        "tls",
        "domain",
        "clock",
        "token",
        "scopes",
        "rate-limit",
        "mail",
    ] {
        assert_eq!(of(&findings, check)["verdict"], "ok", "{findings:#?}");
        assert!(said.out.contains(check), "{check}: {}", said.out);
    }
    let writes = tenant.control.requests().into_iter().filter(|request| request.path != "/oauth/token");
    assert!(writes.into_iter().all(|request| request.method == "GET"), "nothing is changed");
}

#[tokio::test]
async fn the_offline_tenant_in_the_same_process_is_healthy() {
    let said = say(auth0_host(), &["--emulator", "doctor"]).await;
    assert_eq!(said.code, Some(0), "{said:#?}");
}

#[tokio::test]
async fn what_is_wrong_is_the_only_thing_that_fails_and_the_advice_is_about_it() {
    let tenant = OfflineTenant::start().await;
    let wrong_secret = {
        let mut command = on(&tenant.emulator);
        command.env("AUTH0_CLIENT_SECRET", "canary");
        command
    };
    let refused_token = {
        let mut command = on(&tenant.emulator);
        command.env("AUTH0_TOKEN", "canary.canary.canary");
        command
    };
    // Auth0 says something else of what has not even the form of a token.
    let no_token = {
        let mut command = on(&tenant.emulator);
        command.env("AUTH0_TOKEN", "canary");
        command
    };
    let wrong_audience = {
        let mut command = on(&tenant.emulator);
        command.env("AUTH0_AUDIENCE", "https://other.eu.auth0.com/api/v2/");
        command
    };
    let not_a_tenant = {
        let mut command = on(&tenant.emulator);
        command.env("AUTH0_BASE_URL", tenant.emulator.mail_base_url());
        command
    };
    let nobody_listens = {
        let mut command = on(&tenant.emulator);
        command.env("AUTH0_BASE_URL", "http://127.0.0.1:1");
        command
    };
    // `invalid` never resolves (RFC 6761). A machine without a network fails here too.
    let no_such_name = {
        let mut command = on(&tenant.emulator);
        command.env_remove("AUTH0_BASE_URL").env("AUTH0_DOMAIN", "acme.invalid");
        command
    };
    // Nobody listens there either, and nobody is asked.
    let not_public = {
        let mut command = on(&tenant.emulator);
        command.env("AUTH0_BASE_URL", "https://10.0.0.1");
        command
    };
    for (command, check, hint) in [
        (
            not_public,
            "dns",
            "a private address: every call is refused → to allow it, add its network to `allowed_networks`",
        ),
        (wrong_secret, "token", "secret"),
        (refused_token, "token", "AUTH0_AUDIENCE"),
        (no_token, "token", "AUTH0_AUDIENCE"),
        (wrong_audience, "token", "AUTH0_AUDIENCE"),
        (not_a_tenant, "domain", "spelling"),
        (nobody_listens, "tls", "firewalls"),
        (no_such_name, "dns", "spelling"),
    ] {
        let (code, findings) = examine(command).await;
        let (failed, text) = failed(&findings);
        assert_eq!((code, failed.as_str()), (Some(1), check), "{findings:#?}");
        // A name server that does not answer in time is no matter of spelling.
        let late = check == "dns" && text.contains("no answer within");
        let hint = if late { "check this machine's name server" } else { hint };
        assert!(text.contains(hint), "{text}");
        assert!(!format!("{findings:?}").contains("canary"), "{findings:#?}");
    }
}

#[tokio::test]
async fn a_policy_is_told_and_one_that_cannot_be_used_is_a_finding_beside_the_others() {
    let tenant = OfflineTenant::start().await;
    let (_, findings) = examine(on(&tenant.emulator)).await;
    let default =
        "the default; requests with the reach runs-code, exfiltrates, escalates, weakens are denied";
    assert!(of(&findings, "policy")["found"].as_str().unwrap().starts_with(default), "{findings:?}");
    let file = |name: &str, text: &str| File::new(&format!("policy-{name}"), text);
    let sound = file("sound", "[actions]\nallow = ['get-*']\n[requests]\nallow = ['GET /api/v2/**']");
    let mistyped = file("mistyped", "[actions]\nalow = ['get-*']");
    let unmatched = file("unmatched", "[actions]\ndeny = ['destroy-*']");
    let missing = PathBuf::from("/no/such/policy.toml");
    for (path, verdict, hint) in [
        (&sound.0, "ok", ": 2 rules; "),
        (&mistyped.0, "fail", "line 2, column 1"),
        (&unmatched.0, "fail", "`destroy-*` (line 2): it matches no action"),
        (&missing, "fail", "could not be read"),
    ] {
        let mut command = on(&tenant.emulator);
        command.arg("--policy").arg(path);
        let (code, findings) = examine(command).await;
        let policy = of(&findings, "policy");
        let found = policy["found"].as_str().unwrap();
        assert_eq!(policy["verdict"], verdict, "{policy}");
        assert!(found.contains(hint) && found.contains(path.to_str().unwrap()), "{policy}");
        assert_eq!(of(&findings, "scopes")["verdict"], "ok", "the rest is looked at: {findings:#?}");
        if verdict == "fail" {
            assert_eq!((code, failed(&findings).0.as_str()), (Some(1), "policy"), "{findings:#?}");
        } else {
            assert_eq!(code, Some(0), "{findings:#?}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_cache_that_is_damaged_or_open_to_others_is_a_warning() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    let tenant = OfflineTenant::start().await;
    let folder = std::env::temp_dir().join(format!("auth0-doctor-{}-cache", std::process::id()));
    let look = async || {
        let mut command = on(&tenant.emulator);
        command.env("AUTH0_CACHE", &folder);
        let (code, findings) = examine(command).await;
        assert_eq!(code, Some(0), "{findings:#?}");
        of(&findings, "cache").clone()
    };
    assert_eq!(look().await["verdict"], "ok");
    assert!(look().await["found"].as_str().unwrap().contains("in the cache"));
    let entry = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mut code = fs::read(&entry).unwrap();
    *code.last_mut().unwrap() ^= 1;
    fs::write(&entry, code).unwrap();
    let damaged = look().await;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let open = look().await;
    fs::remove_dir_all(&folder).unwrap();
    for (finding, hint) in [(damaged, "damaged"), (open, "`chmod go= ")] {
        assert_eq!(finding["verdict"], "warn", "{finding}");
        assert!(finding["advice"].as_str().unwrap().contains(hint), "{finding}");
        assert!(finding["found"].as_str().unwrap().contains("was compiled"), "{finding}");
    }
}

#[tokio::test]
async fn a_domain_of_another_tenant_is_told() {
    let tenant = OfflineTenant::start().await;
    let mut command = on(&tenant.emulator);
    command.env("AUTH0_DOMAIN", "login.acme.example").env("AUTH0_AUDIENCE", tenant.emulator.audience());
    let (_, findings) = examine(command).await;
    let domain = of(&findings, "domain");
    assert_eq!(domain["verdict"], "warn", "{findings:#?}");
    assert!(domain["found"].as_str().unwrap().contains(tenant.emulator.domain()), "{domain}");
}

#[tokio::test]
async fn scopes_that_lack_are_named_with_the_actions_that_need_them() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_scopes(&["read:users", "read:roles"]);
    let (code, findings) = examine(on(&tenant.emulator)).await;
    let scopes = of(&findings, "scopes");
    assert_eq!((code, &scopes["verdict"]), (Some(0), &json!("warn")), "{findings:#?}");
    let advice = scopes["advice"].as_str().unwrap();
    assert!(advice.contains("create:users (create-user") && !advice.contains("read:users ("), "{advice}");
    assert!(of(&findings, "mail")["found"].as_str().unwrap().contains("read:email_provider"));
}

#[tokio::test]
async fn a_clock_that_is_off_is_told() {
    let tenant = OfflineTenant::start().await;
    for (offset, direction) in [(120, "behind"), (-3600, "ahead")] {
        tenant.control.set_clock_offset(offset);
        let (code, findings) = examine(on(&tenant.emulator)).await;
        let clock = of(&findings, "clock");
        assert_eq!((code, &clock["verdict"]), (Some(0), &json!("warn")), "{clock}");
        assert!(clock["found"].as_str().unwrap().contains(direction), "{clock}");
    }
}

#[tokio::test]
async fn certificates_are_looked_at() {
    for (days, trusted, verdict, hint) in [
        (None, true, "ok", "more than 400 days"),
        (None, false, "fail", "certificate"),
        (Some(200), true, "ok", "days"),
        (Some(5), true, "warn", "ends in"),
        (Some(-2), true, "fail", "expired"),
    ] {
        let builder = Emulator::builder().tls(true).seed(Seed::demo());
        let builder = match days {
            Some(days) => builder.certificate_days(days),
            None => builder,
        };
        let emulator = builder.start().await.unwrap();
        let mut command = on(&emulator);
        let ca = File::new(&format!("{days:?}"), emulator.ca_pem().unwrap());
        if trusted {
            command.arg("--ca-cert").arg(&ca.0);
        }
        let (code, findings) = examine(command).await;
        let tls = of(&findings, "tls");
        assert_eq!((code == Some(1), &tls["verdict"]), (verdict == "fail", &json!(verdict)), "{findings:#?}");
        assert!(tls["found"].as_str().unwrap().to_lowercase().contains(hint), "{days:?}: {tls}");
        if verdict == "fail" {
            assert_eq!(of(&findings, "token")["verdict"], "skip", "{findings:#?}");
        } else {
            assert!(tls["found"].as_str().unwrap().contains("TLS 1.3, HTTP/2"), "{tls}");
        }
    }
}

#[tokio::test]
async fn a_component_that_is_none_fails_and_a_missing_tenant_is_misuse() {
    let said = say(auth0_host(), &["--emulator", "--component", "/dev/null", "doctor", "--json"]).await;
    let (check, _) = failed(said.json().as_array().unwrap());
    assert_eq!((said.code, check.as_str()), (Some(1), "component"), "{said:#?}");
    let said = say(auth0_host(), &["doctor"]).await;
    assert!(said.code == Some(2) && said.err.contains("AUTH0_DOMAIN"), "{said:#?}");
}

/// A file of this test's own, gone with it.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("auth0-doctor-{}-{name}.pem", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn mail_credentials_for_another_provider_than_the_tenant_s_are_told() {
    let tenant = OfflineTenant::start().await;
    let mut command = on(&tenant.emulator);
    command.env_remove("AUTH0_EMAIL_API_KEY").env("AUTH0_EMAIL_SMTP_HOST", "smtp.acme.example");
    let (code, findings) = examine(command).await;
    let mail = of(&findings, "mail");
    assert_eq!((code, &mail["verdict"]), (Some(0), &json!("warn")), "{mail}");
    assert!(mail["found"].as_str().unwrap().contains("another"), "{mail}");
}
