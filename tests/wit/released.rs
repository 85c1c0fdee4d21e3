//! The versions that were released, as this repository keeps them.

use std::fs;
use std::path::Path;
use std::process::Command;

use xtask::contract::released::{Release, Tags, differences, release, rewritten, versions};

use crate::workspace::{Folder, root};

#[test]
fn the_contract_keeps_what_its_released_versions_promise() {
    assert!(!versions(root()).unwrap().is_empty(), "there is nothing to compare with");
    let found = differences(root()).unwrap_or_else(|error| panic!("{error:#}"));
    let lines: String = found.iter().map(|difference| format!("{difference}\n")).collect();
    assert!(
        found.is_empty(),
        "{lines}Where the version is in no tag yet, `cargo xtask wit --release` writes it anew."
    );
}

#[test]
fn what_was_released_is_what_its_tag_has() {
    match rewritten(root()).unwrap() {
        Tags::Compared(found) => {
            let lines: String = found.iter().map(|text| format!("{text}\n")).collect();
            assert!(found.is_empty(), "{lines}");
        }
        Tags::Unknown(why) => eprintln!("SKIPPED: {why}"),
    }
}

/// A repository with a contract of one function.
fn repository(name: &str) -> Folder {
    let folder = Folder::new(name);
    fs::create_dir(folder.path().join("wit")).unwrap();
    contract(&folder, "0.2.0", "/// Counts.\n    count: func() -> u32;");
    git(folder.path(), &["init", "--quiet"]);
    fs::create_dir(folder.path().join("wit/schema")).unwrap();
    schema(&folder, "A list.", r#"["id", "title"]"#);
    folder
}

/// Writes the schema of an answer.
fn schema(folder: &Folder, description: &str, required: &str) {
    let text = format!(
        r#"{{"description": "{description}", "type": "object", "required": {required},
            "properties": {{"id": {{"type": "string"}}, "title": {{"type": "string"}}}}}}"#
    );
    fs::write(folder.path().join("wit/schema/action-list.json"), text).unwrap();
}

fn contract(folder: &Folder, version: &str, functions: &str) {
    let text = format!("package connector:auth0@{version};\n\ninterface users {{\n    {functions}\n}}\n");
    fs::write(folder.path().join("wit/world.wit"), text).unwrap();
}

fn git(folder: &Path, args: &[&str]) {
    git_at(folder, args, None);
}

fn git_at(folder: &Path, args: &[&str], date: Option<&str>) {
    let who = ["-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"];
    let mut git = Command::new("git");
    git.args(who).args(args).envs(date.map(|date| ("GIT_COMMITTER_DATE", date))).current_dir(folder);
    let status = git.status().unwrap();
    assert!(status.success(), "git {args:?}");
}

/// Commits all that is there, and tags it. The date says which of two tags is the older one.
fn tag(folder: &Folder, name: &str, date: &str) {
    git(folder.path(), &["add", "wit"]);
    let date = format!("{date}T12:00:00Z");
    let message = ["commit", "--quiet", "--message", "release", "--date", &date];
    git_at(folder.path(), &message, Some(&date));
    git(folder.path(), &["tag", name]);
}

/// Names what is not as it was tagged.
fn changed(folder: &Folder) -> Vec<String> {
    match rewritten(folder.path()).unwrap() {
        Tags::Compared(found) => found.iter().map(ToString::to_string).collect(),
        Tags::Unknown(why) => panic!("{why}"),
    }
}

#[test]
fn a_version_is_written_anew_until_a_tag_contains_it() {
    let folder = repository("release");
    assert!(matches!(release(folder.path()).unwrap(), Release::Written(_)));
    assert!(matches!(release(folder.path()).unwrap(), Release::Unchanged(_)));
    contract(&folder, "0.2.0", "count: func() -> u64;");
    assert!(matches!(release(folder.path()).unwrap(), Release::Written(_)));
    tag(&folder, "v0.1.0", "2026-01-01");
    contract(&folder, "0.2.0", "/// Counts users.\n    count: func() -> u64;");
    assert!(matches!(release(folder.path()).unwrap(), Release::Kept(_)));
    contract(&folder, "0.2.0", "count: func() -> u32;");
    let error = release(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains(
            "0.2.0 is tagged, and differs:\ninterface `users`: the function `count` has the result"
        ),
        "{error}"
    );
    contract(&folder, "0.3.0", "count: func() -> u32;");
    assert!(matches!(release(folder.path()).unwrap(), Release::Written(_)));
    assert_eq!(versions(folder.path()).unwrap().len(), 2);
}

#[test]
fn a_version_that_breaks_an_earlier_one_is_not_written() {
    let folder = repository("breaking");
    release(folder.path()).unwrap();
    contract(&folder, "0.2.1", "add: func() -> u32;");
    let error = release(folder.path()).unwrap_err().to_string();
    assert!(error.contains("the function `count` is gone"), "{error}");
    assert!(!folder.path().join("wit/released/0.2.1").exists());
}

#[test]
fn the_schemas_are_released_with_the_package_and_compared() {
    let folder = repository("schemas");
    release(folder.path()).unwrap();
    assert!(folder.path().join("wit/released/0.2.0/schema/action-list.json").exists());
    schema(&folder, "A page.", r#"["id", "title"]"#);
    assert!(differences(folder.path()).unwrap().is_empty());
    schema(&folder, "A page.", r#"["id"]"#);
    let found = differences(folder.path()).unwrap();
    let said: String = found.iter().map(ToString::to_string).collect();
    assert!(said.contains("schema/action-list.json: the member `title` may be left out now"), "{said}");
    contract(&folder, "0.2.1", "count: func() -> u32;");
    let error = release(folder.path()).unwrap_err().to_string();
    assert!(error.contains("the member `title` may be left out now"), "{error}");
    // A file that a candidate no longer has does not stay behind.
    contract(&folder, "0.2.0", "count: func() -> u32;");
    fs::remove_file(folder.path().join("wit/schema/action-list.json")).unwrap();
    assert!(matches!(release(folder.path()).unwrap(), Release::Written(_)));
    assert!(!folder.path().join("wit/released/0.2.0/schema/action-list.json").exists());
}

#[test]
fn a_tagged_text_is_held_to_the_oldest_tag_that_contains_it() {
    let folder = repository("tagged");
    release(folder.path()).unwrap();
    tag(&folder, "z-first", "2026-01-01");
    assert_eq!(changed(&folder), [""; 0]);
    // The package and the text of its version, changed alike: to each other they fit.
    for file in ["wit/world.wit", "wit/released/0.2.0/world.wit"] {
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("u32", "u64")).unwrap();
    }
    assert!(differences(folder.path()).unwrap().is_empty());
    let expected = "wit/released/0.2.0/world.wit is not what was released with the tag z-first: `git checkout z-first -- \
                    wit/released/0.2.0/world.wit` puts it back";
    assert_eq!(changed(&folder), [expected]);
    assert_eq!(release(folder.path()).unwrap_err().to_string(), expected);
    // A later tag that has the change makes it no better.
    tag(&folder, "a-second", "2026-02-01");
    assert_eq!(changed(&folder), [expected]);
    // Nor does it help to take the version away.
    fs::remove_dir_all(folder.path().join("wit/released/0.2.0")).unwrap();
    let gone = changed(&folder);
    assert_eq!(gone.len(), 2, "{gone:?}");
    assert!(gone[0].starts_with("wit/released/0.2.0/schema/action-list.json is not"), "{gone:?}");
}

#[test]
fn without_tags_or_without_a_repository_the_rest_is_compared_all_the_same() {
    let folder = repository("untagged");
    release(folder.path()).unwrap();
    let Tags::Unknown(why) = rewritten(folder.path()).unwrap() else { panic!("there are no tags") };
    assert!(why.contains("there is no tag here"), "{why}");
    fs::remove_dir_all(folder.path().join(".git")).unwrap();
    let Tags::Unknown(why) = rewritten(folder.path()).unwrap() else { panic!("there is no repository") };
    assert!(why.contains("git cannot tell what is tagged"), "{why}");
    contract(&folder, "0.2.0", "add: func() -> u32;");
    assert_eq!(differences(folder.path()).unwrap().len(), 2);
}
