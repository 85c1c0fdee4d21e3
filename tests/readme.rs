//! The README and the pages under `docs/`: what they tell people to type works as written, and what they list is what
//! there is.
//!
//! Each line of the README's `sh` blocks is one command of one shell session. [`how`] knows how to run it; a command
//! that it does not know fails the test, so that none can stay untested. The reader's machine is replaced in these
//! places, and in no other:
//!
//! - The tenant `acme.eu.auth0.com` is an offline one of that domain. `AUTH0_BASE_URL` says where it listens, and
//!   wasmtime, which hands no variable on by itself, gets `--env AUTH0_BASE_URL`.
//! - `YOUR_CLIENT_ID` and `YOUR_CLIENT_SECRET` are that tenant's.
//! - `auth0-host` and `wasmtime` are the programs that this test run belongs to, not those of `PATH`.
//! - `cargo xtask demo` is run as the command that it ends in. It would build component and host once more, for one
//!   package instead of the workspace, which has other features and so takes minutes.
//! - `cargo xtask test` is what runs this test, so it is looked for in `.ci/run` instead.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use auth0_catalog::Known;
use auth0_emulator::{Emulator, Fault, Seed};
use auth0_host::{ActionError, Policy};
use auth0_tests::library::{self, Library};
use auth0_tests::{host, program};
use serde_json::Value;

use crate::json_interface::ACTIONS;

/// The tenant and the user that the README names.
const SEED: &str = r#"{
    "domain": "acme.eu.auth0.com",
    "users": [{"user_id": "auth0|507f1f77bcf86cd799439011", "email": "ana@acme.example"}]
}"#;

/// How a command of the README is run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    /// It sets a variable for those that follow.
    Export,
    /// As it is; it needs no tenant or brings its own.
    Offline,
    /// On the tenant that the exports name.
    OfflineTenant,
    /// On that tenant, of which it wants nothing but a token.
    Token,
    /// On that tenant too, with the component authenticating by itself.
    Wasmtime,
    /// As the command that `cargo xtask demo` ends in.
    Demo,
    /// Not here: `.ci/run` does.
    Suite,
}

fn how(command: &str) -> Option<How> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        ["export", _] => Some(How::Export),
        ["cargo", "xtask", "demo"] => Some(How::Demo),
        ["cargo", "xtask", "test"] => Some(How::Suite),
        ["auth0-host", "actions" | "describe" | "manifest" | "policy", ..] => Some(How::Offline),
        ["auth0-host", "scopes", ..] => Some(How::Token),
        ["auth0-host", "doctor"] => Some(How::OfflineTenant),
        ["auth0-host", options @ ..] if options.contains(&"run") => {
            Some(if options.contains(&"--emulator") { How::Offline } else { How::OfflineTenant })
        }
        ["wasmtime", "run", ..] => Some(How::Wasmtime),
        _ => None,
    }
}

fn read(path: &str) -> String {
    let path = program::root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()))
}

/// The fenced blocks of a page in this language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, begun)) = rest.split_once(&fence) {
        let (block, after) = begun.split_once("\n```").expect("a block ends");
        blocks.push(block.to_owned());
        rest = after;
    }
    blocks
}

/// The commands of the README, in order.
fn commands() -> Vec<String> {
    let blocks = blocks(&read("README.md"), "sh").join("\n").replace("\\\n", " ");
    blocks
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// The program of a prepared command, quoted for a shell.
fn quoted(command: &Command) -> String {
    format!("'{}'", command.get_program().to_string_lossy())
}

/// The help of `cargo xtask`, which names its commands.
fn tasks() -> String {
    program::run(program::xtask().arg("--help")).out
}

/// Names between backticks.
fn names(page: &str) -> BTreeSet<&str> {
    page.split('`').skip(1).step_by(2).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_of_the_readme_works_as_written() {
    let seed = Seed::from_json(SEED).expect("the seed is one");
    let tenant = Emulator::builder().seed(seed).start().await.expect("a tenant starts on any free port");
    let control = tenant.control();
    let replace = |text: &str| {
        text.replace("YOUR_CLIENT_ID", tenant.client_id())
            .replace("YOUR_CLIENT_SECRET", tenant.client_secret())
    };
    let host = quoted(&program::auth0_host());
    let mut session = format!("set -e\nexport AUTH0_BASE_URL={}\n", tenant.base_url());
    let mut ran = Vec::new();
    for command in commands() {
        let how = how(&command).unwrap_or_else(|| {
            panic!(
                "`{command}` stands in README.md and nothing here knows how to run it: teach tests/readme.rs"
            )
        });
        let line = match how {
            How::Export => {
                session += &replace(&format!("{command}\n"));
                continue;
            }
            How::Suite => {
                assert!(read(".ci/run").contains(&format!("\n{command}")), ".ci/run runs `{command}`");
                continue;
            }
            How::Demo => {
                let ends_in = "ARGS go to `auth0-host --emulator demo`";
                assert!(tasks().contains(ends_in), "`{command}` ends in what is run here");
                format!("{host} --emulator demo")
            }
            How::Offline | How::OfflineTenant | How::Token => command.replacen("auth0-host", &host, 1),
            How::Wasmtime => {
                let wasmtime = format!("{} run --env AUTH0_BASE_URL", quoted(&program::wasmtime()));
                command.replacen("wasmtime run", &wasmtime, 1)
            }
        };
        control.reset_counters();
        // Without the variables of whoever runs the tests, in the folder where the README stands.
        let mut shell = Command::new("sh");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AUTH0_"))
        {
            shell.env_remove(name);
        }
        shell.current_dir(program::root()).env("NO_COLOR", "1").arg("-c").arg(format!("{session}{line}"));
        let said =
            tokio::task::spawn_blocking(move || program::run(&mut shell)).await.expect("the command ran");
        assert_eq!(said.code, Some(0), "`{command}`: {said:#?}");
        assert!(!said.out.trim().is_empty(), "`{command}` prints something");
        let seen = control.requests();
        match how {
            How::Demo => assert!(said.out.contains("Requests that left the sandbox"), "{}", said.out),
            How::Offline => assert!(seen.is_empty(), "`{command}` needs no other tenant: {seen:#?}"),
            How::Token => {
                let tokens = seen.iter().filter(|request| request.path == "/oauth/token").count();
                assert_eq!((tokens, seen.len()), (1, 1), "`{command}` looks at a token: {seen:#?}");
            }
            How::OfflineTenant | How::Wasmtime => {
                let mut calls = seen.iter().filter(|request| request.path.starts_with("/api/v2/")).peekable();
                assert!(calls.peek().is_some(), "`{command}`: {seen:#?}");
                assert!(calls.all(|request| request.authorized), "`{command}`: {seen:#?}");
            }
            How::Export | How::Suite => {}
        }
        // wasmtime exits with 0 whatever the function answers.
        assert!(how != How::Wasmtime || said.out.starts_with("ok("), "`{command}`: {}", said.out);
        ran.push(how);
    }
    for how in [How::Demo, How::Offline, How::OfflineTenant, How::Wasmtime] {
        assert!(
            ran.contains(&how),
            "README.md has no command of the kind {how:?}: are its blocks still found?"
        );
    }
    tenant.shutdown().await;
}

#[test]
fn a_command_that_nobody_knows_is_not_passed_over() {
    for command in [
        "rm -rf target",
        "auth0-host demo",
        "cargo xtask wasmtime",
        "export A=1 B=2",
        "wasmtime serve x.wasm",
    ] {
        assert_eq!(how(command), None, "{command}");
    }
}

/// The code of an example of the library, without what it says of itself.
fn example(name: &str) -> String {
    let file = read(&format!("host/examples/{name}.rs"));
    let code: Vec<&str> = file.lines().filter(|line| !line.starts_with("//!")).collect();
    code.join("\n").trim().to_owned()
}

#[test]
fn the_example_in_the_readme_is_the_one_that_is_built() {
    assert_eq!(blocks(&read("README.md"), "rust"), [example("embed")]);
}

#[test]
fn the_whole_engine_on_the_page_on_embedding_is_the_one_that_is_built() {
    let shown = blocks(&read("docs/embedding.md"), "rust");
    let engine = example("engine");
    assert!(shown.contains(&engine), "docs/embedding.md shows host/examples/engine.rs as it is");
}

/// The signatures of the methods in a trait that a page shows, without blanks and without their bodies.
fn shown_signatures(page: &str, head: &str) -> BTreeSet<String> {
    let body = page.split(&format!("{head} {{")).nth(1).and_then(|rest| rest.split("\n}").next());
    let body = body.unwrap_or_else(|| panic!("the page shows `{head}`"));
    let lines = body.lines().map(str::trim).filter(|line| line.starts_with("fn "));
    lines
        .map(|line| line.split(" {").next().unwrap_or(line).split(';').next().unwrap_or(line))
        .map(library::squeezed)
        .collect()
}

#[test]
fn the_page_on_embedding_has_the_signatures_of_the_traits_that_an_engine_implements() {
    let page = blocks(&read("docs/embedding.md"), "rust").join("\n");
    let library = Library::read();
    for (of, name, bounds) in [
        ("auth0_egress", "CredentialSource", "Send + Sync"),
        ("auth0_egress", "SecretSink", "Send + Sync"),
        ("auth0_egress", "RequestObserver", "Send + Sync"),
        ("auth0_host", "AuditSink", "fmt::Debug + Send + Sync + 'static"),
    ] {
        let there = library.signatures(of, name);
        assert!(!there.is_empty(), "{name} has methods");
        assert_eq!(shown_signatures(&page, &format!("pub trait {name}: {bounds}")), there, "{name}");
    }
}

#[test]
fn the_readme_names_each_import_of_the_component_and_no_other() {
    let readme = read("README.md");
    let mut named = BTreeSet::new();
    for name in names(&readme).into_iter().filter(|name| name.starts_with("wasi:") && name.contains('/')) {
        let (package, interfaces) = name.split_once('/').expect("it has a slash");
        for interface in interfaces.trim_matches(['{', '}']).split(',') {
            named.insert(format!("{package}/{interface}"));
        }
    }
    let imports = &host().component().imports;
    let imported = imports.iter().map(|name| name.split('@').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(named, imported);

    let embedding = read("docs/embedding.md");
    let listed = names(&embedding);
    for import in &imported {
        assert!(listed.contains(import.as_str()), "docs/embedding.md names {import}");
    }
}

#[test]
fn numbers_of_actions_on_the_pages_are_those_of_the_catalogue() {
    let operations = auth0_catalog::read().expect("the catalogue can be read");
    let (all, curated) = (operations.len(), ACTIONS.len());
    let by_request = operations.iter().filter(|operation| operation.known == Known::Request).count();
    let with_parameters = all - by_request;
    for (page, phrase) in [
        ("README.md", format!("\n{curated} actions are made for a purpose")),
        ("README.md", format!("every operation of the Management API, {all} of them, is an action")),
        (
            "docs/catalogue.md",
            format!("{all} in the summer of 2026, {with_parameters} of them with parameters"),
        ),
        ("docs/catalogue.md", format!("Of {by_request} operations, only path, scopes and stage are known")),
        ("docs/operations-reference/README.md", format!("is an action of this name: {all} of them.")),
    ] {
        // A phrase may go over the end of a line.
        let text = read(page);
        let found = text.contains(&phrase) || text.replace('\n', " ").contains(&phrase);
        assert!(found, "{page} does not say \"{phrase}\"");
    }
    // What the component says of itself.
    let texts: Vec<String> = pages().iter().map(|page| read(page)).collect();
    let told: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.strip_prefix("Actions: "))
        .collect();
    assert_eq!(told, [(curated + all).to_string()]);
}

#[test]
fn the_readme_lists_the_variables_and_exit_codes_of_the_command_s_help() {
    let help = program::run(program::auth0_host().arg("--help")).out;
    let readme = read("README.md");
    let listed = names(&readme);
    let word = |letter: char| !(letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_');
    // What ends in `_` stands for several, which docs/email.md has.
    let whole = |word: &&str| word.starts_with("AUTH0_") && !word.ends_with('_');
    let variables: BTreeSet<&str> = help.split(word).filter(whole).collect();
    assert!(variables.len() > 5, "{help}");
    for variable in variables {
        // `AUTH0_EMAIL_SES_…` stands for several.
        let is_listed = listed.iter().any(|name| name.trim_end_matches('…') == variable);
        assert!(is_listed, "README.md lists {variable}");
    }
    let codes =
        help.split("Exit codes:").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("help has codes");
    for line in codes.trim().lines() {
        let code = line.split_whitespace().next().unwrap_or_default();
        assert!(readme.contains(&format!("\n| {code} | ")), "README.md lists exit code {code}");
    }
}

/// The pages that people read: those at the root and all of `docs/`.
fn pages() -> Vec<String> {
    let files = fs::read_dir(program::root().join("docs")).expect("there is a folder of pages");
    let names = files.map(|file| file.expect("it can be listed").file_name().to_string_lossy().into_owned());
    let docs = names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    let root = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];
    root.map(str::to_owned).into_iter().chain(docs).collect()
}

/// The anchors that GitHub gives the headings of a page.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | ' ');
    headings
        .map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn links_within_the_repository_lead_somewhere() {
    let pages = pages();
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        let path = program::root().join(&page);
        for link in read(&page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if file.contains("://") {
                continue;
            }
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            assert!(target.exists(), "{page} links to {link}, which is not there");
            let there = anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor);
            assert!(there, "{page} links to {link}, and there is no such heading");
        }
    }
}

#[test]
fn samples_on_the_pages_are_what_they_look_like() {
    let seed = |text: &str| Seed::from_json(text).map(drop).map_err(|error| error.to_string());
    let error = |text: &str| {
        let sample: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let read: ActionError = serde_json::from_value(sample.clone()).map_err(|error| error.to_string())?;
        let written = serde_json::to_value(read).map_err(|error| error.to_string())?;
        if written == sample { Ok(()) } else { Err(format!("an error has other members: {written}")) }
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).map(drop).map_err(|error| error.to_string());
    let policy = |text: &str| Policy::from_toml(text).map(drop).map_err(|error| error.to_string());
    type Check<'a> = &'a dyn Fn(&str) -> Result<(), String>;
    for (page, language, at_least, check) in [
        ("docs/emulator.md", "json", 1, &seed as Check<'_>),
        ("docs/errors.md", "json", 1, &error),
        ("docs/credentials.md", "json", 1, &json),
        ("docs/mcp.md", "json", 4, &json),
        ("docs/policy.md", "toml", 1, &policy),
    ] {
        let samples = blocks(&read(page), language);
        assert!(samples.len() >= at_least, "{page} has samples");
        for sample in samples {
            check(&sample).unwrap_or_else(|problem| panic!("{page}: {problem} in {sample}"));
        }
    }
    let curl = blocks(&read("docs/emulator.md"), "sh").join("\n");
    let fault = curl.split('\'').nth(1).expect("a fault is posted");
    serde_json::from_str::<Fault>(fault).unwrap_or_else(|error| panic!("{error} in {fault}"));
}

#[test]
fn commands_on_the_pages_are_ones_that_there_are() {
    let host = quoted(&program::auth0_host());
    let xtask = tasks();
    let mut commands = 0;
    for page in pages() {
        for line in blocks(&read(&page), "sh").join("\n").replace("\\\n", " ").lines() {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if let Some(arguments) = line.strip_prefix("auth0-host ") {
                // Whatever comes before `--help` is read first, and refused where it is not understood.
                let said =
                    program::run(Command::new("sh").arg("-c").arg(format!("{host} {arguments} --help")));
                assert_eq!(said.code, Some(0), "{page}: `{line}`: {}", said.err);
                commands += 1;
            } else if let Some(task) = line.strip_prefix("cargo xtask ") {
                let name = task.split(' ').next().unwrap_or_default();
                assert!(xtask.contains(&format!("\n  {name} ")), "{page}: there is no `{line}`");
            }
        }
    }
    assert!(commands > 5, "the pages have commands");
}

#[test]
fn variables_on_the_pages_are_ones_that_are_read() {
    let word = |letter: char| !(letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_');
    let commands = [
        "", "run", "doctor", "emulator", "mcp", "demo", "scopes", "manifest", "actions", "describe", "policy",
    ];
    let help = commands.map(|command| {
        let said = program::run(program::auth0_host().args(command.split_terminator(' ')).arg("--help"));
        assert_eq!(said.code, Some(0), "{command}: {}", said.err);
        said.out
    });
    // What a secret sink's command gets, and what the commands of this repository listen to.
    let others = [Library::read().words("auth0_egress", "CommandSink"), tasks()];
    let told = help.iter().chain(&others).flat_map(|text| text.split(word));
    // Credentials for the email provider stand on a page of their own, which is held to the code by the command's own tests.
    let email = read("docs/email.md");
    let of_mail = |name: &&str| {
        ["SES", "AZURE", "MS365", "SMTP"].iter().any(|of| name.starts_with(&format!("AUTH0_EMAIL_{of}_")))
    };
    let known: BTreeSet<&str> = told.chain(email.split(word).filter(of_mail)).collect();
    let mut found = BTreeSet::new();
    for page in pages() {
        let text = read(&page);
        // What ends in `_` stands for several, and so does its beginning of each of them.
        for name in text.split(word).filter(|name| name.starts_with("AUTH0_") && !name.ends_with('_')) {
            let file = name.strip_suffix("_FILE").is_some_and(|name| known.contains(name));
            assert!(known.contains(name) || file, "{page} names {name}, which nothing reads");
            found.insert(name.to_owned());
        }
    }
    assert!(found.len() > 30, "{found:?}");
}

#[test]
fn the_page_on_embedding_lists_each_setting_and_option() {
    let page = read("docs/embedding.md");
    let (listed, library) = (names(&page), Library::read());
    for (of, name, least) in [
        ("auth0_host", "Settings", 15),
        ("auth0_host", "Limits", 10),
        ("auth0_host", "HostBuilder", 2),
        ("auth0_egress", "CallOptions", 6),
    ] {
        let methods = library.setters(of, name);
        assert!(methods.len() >= least, "{name}: {methods:?}");
        for method in methods {
            assert!(listed.contains(method.as_str()), "docs/embedding.md names `{method}` of {name}");
        }
    }
}

#[test]
fn the_page_on_embedding_lists_each_error_and_each_remedy() {
    let page = read("docs/embedding.md");
    let (listed, library) = (names(&page), Library::read());
    for (of, name, least) in [
        ("auth0_host", "Error", 10),
        ("auth0_host", "Disposition", 5),
        ("auth0_host", "ErrorCode", 14),
        ("auth0_policy", "Remedy", 20),
    ] {
        let variants = library.variants(of, name);
        assert!(variants.len() >= least, "{name}: {variants:?}");
        for variant in variants {
            let is_listed =
                listed.contains(variant.as_str()) || listed.contains(format!("{name}::{variant}").as_str());
            assert!(is_listed, "docs/embedding.md names `{variant}` of {name}");
        }
    }
}

#[test]
fn names_of_the_library_on_the_pages_are_ones_that_there_are() {
    let library = Library::read();
    let word = |letter: char| !(letter.is_alphanumeric() || letter == '_');
    let mut found = 0;
    // The changes tell what things were called before.
    for page in pages().into_iter().filter(|page| page != "CHANGELOG.md") {
        let text = read(&page);
        // Without the blocks: those that are whole are built, and each of their fences is three backticks.
        let prose: String = text.split("```").step_by(2).collect();
        for name in names(&prose) {
            // `Type::name`, whatever is given to it; other crates' names begin in lower case.
            let Some((of, rest)) = name.split_once("::") else { continue };
            if !of.starts_with(|first: char| first.is_ascii_uppercase()) || of.contains(word) {
                continue;
            }
            let member = rest.split(word).next().unwrap_or_default();
            assert!(
                library.has(of, member),
                "{page} names `{name}`, and the library has no `{of}::{member}`"
            );
            found += 1;
        }
    }
    assert!(found > 50, "the pages name the library: {found}");
}

#[test]
fn the_page_on_the_offline_tenant_lists_each_member_of_a_seed() {
    let page = read("docs/emulator.md");
    let listed = names(&page);
    let sample = r#"{"connections": [{}], "resource_servers": [{}], "roles": [{}], "clients": [{}], "users": [{}],
        "organizations": [{}], "logs": [{}]}"#;
    let seed =
        serde_json::to_value(Seed::from_json(sample).expect("members are optional")).expect("a seed is JSON");
    for (family, content) in seed.as_object().expect("a seed is an object") {
        let named = |member: &str| listed.contains(member) || listed.contains(format!("{member}[]").as_str());
        assert!(named(family), "{family}");
        for member in
            content.pointer("/0").and_then(Value::as_object).into_iter().flat_map(|object| object.keys())
        {
            assert!(named(member), "{family}: {member}");
        }
    }
}
