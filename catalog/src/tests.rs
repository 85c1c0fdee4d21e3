use super::*;

fn all() -> Vec<Operation> {
    read().unwrap()
}

/// The one place where their numbers are written down: by them it shows that an operation was lost. Everything else counts,
/// and the pages are compared with the catalogue by `tests/readme.rs`.
#[test]
fn all_operations_are_there_and_most_of_them_whole() {
    let all = all();
    let known = all.iter().filter(|operation| !operation.success.is_empty()).count();
    let by_request = all.iter().filter(|operation| operation.known == Known::Request).count();
    assert_eq!((all.len(), known, by_request), (471, 452, 18));
}

#[test]
fn every_scope_is_a_verb_and_a_thing() {
    for operation in all() {
        assert!(!operation.scopes.is_empty(), "{}", operation.name);
        for scope in operation.scopes.iter().flatten() {
            let (verb, thing) = scope.split_once(':').unwrap();
            let verbs = ["read", "create", "update", "delete"];
            assert!(verbs.contains(&verb) && !thing.is_empty(), "{}: {scope}", operation.name);
        }
    }
}

#[test]
fn every_title_is_short_and_begins_with_a_verb_in_capitals() {
    for operation in all() {
        let Operation { title, name, .. } = operation;
        assert!(
            title.chars().next().unwrap().is_ascii_uppercase() && !title.ends_with('.'),
            "{name}: {title}"
        );
        assert!(title.chars().count() <= 75, "{name}: {title}");
    }
}

#[test]
fn types_are_read_from_their_texts_and_nothing_else_is() {
    let text = |format, longest| Kind::Text { format, longest };
    for (written, kind, null) in [
        ("string", text(Format::Any, None), false),
        ("string ..50", text(Format::Any, Some(50)), false),
        ("string(email)|null", text(Format::Email, None), true),
        ("integer", Kind::Integer { least: None, most: None }, false),
        ("integer 0..100", Kind::Integer { least: Some(0), most: Some(100) }, false),
        ("integer 1..", Kind::Integer { least: Some(1), most: None }, false),
        ("enum(a|b)", Kind::OneOf(vec!["a".to_owned(), "b".to_owned()]), false),
        ("one of 55", Kind::OneOfMany(55), false),
        ("array<one of 3>|null", Kind::List(Box::new(Kind::OneOfMany(3))), true),
        (
            "csv<enum(a|b)> ..9",
            Kind::Names { names: vec!["a".to_owned(), "b".to_owned()], longest: Some(9) },
            false,
        ),
        ("string|integer", Kind::TextOrInteger, false),
    ] {
        assert_eq!(written.parse(), Ok(Type { kind, null }), "{written}");
    }
    for written in [
        "",
        "text",
        "string(",
        "string(x)",
        "integer 1",
        "integer a..b",
        "number 1..2",
        "array<>",
        "one of x",
    ] {
        assert!(written.parse::<Type>().is_err(), "{written}");
    }
}

#[test]
fn an_entry_that_contradicts_itself_is_refused_by_its_name() {
    let folder = std::env::temp_dir().join(format!("auth0-catalog-{}", std::process::id()));
    fs::create_dir_all(folder.join("operations")).unwrap();
    fs::write(folder.join("members.toml"), "[things]\n[any]\n").unwrap();
    let things = "[thing]\nhandle = \"x/{a}/y/{id}\"\nmembers = [\"s\"]\n[bare]\nmembers = [\"s\"]\n";
    fs::write(folder.join("secrets.toml"), things).unwrap();
    fs::write(folder.join("reach.toml"), "reads = \"x\"\n").unwrap();
    let whole = "stage = \"GA\"\nscopes = [[\"read:x\"]]\ntitle = \"X\"\n";
    for (entry, problem) in [
        ("request = \"GET /x\"\neffect = \"update\"\n", "what reads only is a GET"),
        ("request = \"GET /x/{id}\"\neffect = \"read\"\n", "the path names"),
        ("request = \"FETCH /x\"\neffect = \"read\"\n", "is no method and path"),
        ("request = \"GET /x\"\neffect = \"read\"\npaging = \"offset\"\n", "`paging` without `rows`"),
        ("request = \"GET /x\"\neffect = \"read\"\nbeyond = \"x\"\n", "`beyond` without"),
        (
            "request = \"GET /x\"\neffect = \"read\"\nrows = \"x\"\nquery = { limit = \"integer\" }\n",
            "two members",
        ),
        ("request = \"GET /x\"\neffect = \"read\"\nquery = { a = \"text\" }\n", "`text` is no type"),
        ("request = \"POST /x\"\neffect = \"create\"\nbody = { a = \"string\" }\n", "without `body_form`"),
        (
            "request = \"GET /x\"\neffect = \"read\"\nsecrets = { of = \"other\" }\n",
            "secrets.toml has no `other`",
        ),
        ("request = \"GET /x\"\neffect = \"read\"\nsecrets = { made = [\"s\"] }\n", "`secrets` without `of`"),
        (
            "request = \"GET /x\"\neffect = \"read\"\nsecrets = { of = \"bare\", made = [\"t\"] }\n",
            "no secret of `bare`",
        ),
        (
            "request = \"GET /x\"\neffect = \"read\"\nsecrets = { of = \"thing\" }\n",
            "wants more than `/x` names",
        ),
        (
            "request = \"GET /x\"\neffect = \"read\"\nsecrets = { of = \"bare\", only_with = \"w\" }\n",
            "without `may_make`",
        ),
    ] {
        fs::write(folder.join("operations/x.toml"), format!("[\"x.y\"]\n{whole}{entry}")).unwrap();
        let error = read_from(&folder).unwrap_err().to_string();
        assert!(error.starts_with("x.y: ") && error.contains(problem), "{entry}: {error}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn every_kind_of_thing_that_has_secrets_is_answered_by_an_operation() {
    let secrets: toml::Table =
        fs::read_to_string(Path::new(FOLDER).join("secrets.toml")).unwrap().parse().unwrap();
    let all = all();
    for (name, thing) in secrets.into_iter().filter(|(name, _)| name != "everywhere") {
        let members: Vec<_> =
            thing["members"].as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect();
        let has =
            |found: &Secrets| members.iter().all(|member| found.members.iter().any(|own| own == member));
        assert!(
            all.iter().any(|operation| operation.secrets.of == name && has(&operation.secrets)),
            "{name}"
        );
        let parts = members.iter().flat_map(|member| member.split('.'));
        let parts = parts.map(|part| part.trim_start_matches("*!").trim_end_matches(":text"));
        let named =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        assert!(parts.clone().all(|part| part == "*" || named(part)), "{name}: {members:?}");
    }
}

#[test]
fn what_the_documentation_calls_a_secret_is_one_and_what_only_sounds_like_one_is_none() {
    let all = all();
    let members = |name: &str| all.iter().find(|operation| operation.name == name).unwrap().secrets.clone();
    assert_eq!(members("clients.rotateSecret").made, ["client_secret"]);
    assert_eq!(members("users.regenerateRecoveryCode").made, ["recovery_code"]);
    assert!(members("clients.list").members.iter().all(|member| !member.contains("refresh_token")));
    for none in [
        "tickets.changePassword",
        "users.sessions.list",
        "refreshTokens.get",
        "keys.signing.get",
        "logs.list",
    ] {
        let found = all.iter().find(|operation| operation.name == none);
        assert!(found.is_none_or(|operation| operation.secrets == Secrets::default()), "{none}");
    }
}

#[test]
fn every_operation_has_its_reach_and_the_reason_for_it() {
    for operation in all() {
        assert!(!operation.reach.is_empty(), "{}", operation.name);
        for Judgement { reason, reach, .. } in &operation.reach {
            let name = &operation.name;
            assert!(reason.split(' ').count() > 4 && !reason.ends_with('.'), "{name}: {reason}");
            assert!(!reason.starts_with(char::is_uppercase), "{name}: completes a sentence: {reason}");
            assert!(
                operation.method != "GET" || reach.is_none(),
                "{name}: the rule for reads says otherwise"
            );
        }
    }
}

#[test]
fn what_gives_power_or_takes_accounts_over_is_judged_so() {
    let all = all();
    let judged = |name: &str, member: &str| -> Vec<&'static str> {
        let operation =
            all.iter().find(|operation| operation.name == name).unwrap_or_else(|| panic!("{name}"));
        let about = |judgement: &&Judgement| match member {
            "" => judgement.members.is_empty(),
            member => judgement.members.iter().any(|known| known == member),
        };
        operation
            .reach
            .iter()
            .filter(about)
            .map(|judgement| judgement.reach.map_or("none", Reach::as_str))
            .collect()
    };
    for (name, member, expected) in [
        ("clientGrants.create", "", &["escalates"][..]),
        ("clients.rotateSecret", "", &["escalates"]),
        ("clients.update", "", &[]),
        ("clients.update", "client_secret", &["escalates"]),
        ("clients.update", "callbacks", &["exfiltrates"]),
        ("clients.update", "refresh_token", &["escalates", "weakens"]),
        ("clients.update", "client_metadata", &["none"]),
        ("connections.update", "options.customScripts", &["runs-code"]),
        ("connections.create", "options.discovery_url", &["exfiltrates"]),
        ("users.update", "password", &["takes-over"]),
        ("users.update", "blocked", &["none"]),
        ("users.update", "app_metadata", &["grants-people"]),
        ("tickets.changePassword", "", &["takes-over"]),
        ("jobs.usersExports.create", "", &["exfiltrates"]),
        ("jobs.usersImports.create", "", &["takes-over", "grants-people"]),
        ("forms.create", "", &["runs-code", "exfiltrates"]),
        ("roles.delete", "", &["none"]),
        ("users.get", "", &["none"]),
    ] {
        assert_eq!(judged(name, member), expected, "{name} {member}");
    }
}

#[test]
fn a_reach_that_leaves_something_out_or_contradicts_itself_is_refused_by_the_operation_s_name() {
    let folder = std::env::temp_dir().join(format!("auth0-reach-{}", std::process::id()));
    fs::create_dir_all(folder.join("operations")).unwrap();
    fs::write(folder.join("members.toml"), "[things]\n[any]\n").unwrap();
    fs::write(folder.join("secrets.toml"), "").unwrap();
    let entry = "[\"x.y\"]\nstage = \"GA\"\nscopes = [[\"read:x\"]]\ntitle = \"X\"\nrequest = \"PATCH /x\"\neffect = \"update\"\n\
         body_form = \"closed\"\nbody = { a = \"string\", b = \"object\" }\n";
    fs::write(folder.join("operations/x.toml"), entry).unwrap();
    let row = |list: &str, members: &str| {
        format!("[[{list}]]\nreason = \"it says so in so many words\"\noperations = [\"x.y\"]\n{members}\n")
    };
    let all = "members = [\"a\", \"b\"]";
    for (rows, problem) in [
        (String::new(), "does not judge it"),
        (row("none", "") + &row("weakens", ""), "and something else as well"),
        (row("weakens", "members = [\"a\"]"), "not its member `b`"),
        (row("weakens", "members = [\"a\", \"b\", \"c\"]"), "names `c`"),
        (row("weakens", "members = []"), "names no member"),
        (row("weakens", all) + &row("none", "members = [\"a\"]"), "`a` in two ways"),
        (row("weakens", all) + &row("escalates", "members = [\"b.c\"]"), "`b` in two ways"),
        (row("weakens", "") + "[[none]]\nreason = \"x\"\noperations = [\"x.z\"]\n", "no such operation"),
    ] {
        fs::write(folder.join("reach.toml"), format!("reads = \"x\"\n{rows}")).unwrap();
        let error = read_from(&folder).unwrap_err().to_string();
        assert!(error.starts_with("x.") && error.contains(problem), "{rows}: {error}");
    }
    for rows in [
        row("weakens", ""),
        row("weakens", "members = [\"a\"]") + &row("escalates", "members = [\"b.c\", \"a\"]"),
    ] {
        fs::write(folder.join("reach.toml"), format!("reads = \"x\"\n{rows}")).unwrap();
        read_from(&folder).unwrap();
    }
    fs::remove_dir_all(&folder).unwrap();
}
