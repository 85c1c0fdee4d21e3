//! The library as a dependency by git.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cargo::{output, root, turn};
use crate::project;

fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    // The same content is the same commit, whoever makes it and when: then cargo has it already.
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "test").env(format!("GIT_{who}_EMAIL"), "test@example.invalid");
        git.env(format!("GIT_{who}_DATE"), "2026-01-01T00:00:00Z");
    }
    git.arg("-C").arg(folder);
    git
}

fn line(git: &mut Command) -> String {
    output(git).trim().to_owned()
}

/// Makes a repository with one commit: what is committed in the checkout, or, where it has changes, what is in its
/// folders. Returns the commit. Not the checkout's own repository, which may be shallow or a worktree.
fn snapshot(repository: &Path) -> String {
    let root = root();
    let changes = line(git(root).args(["status", "--porcelain"]));
    let tree = if changes.is_empty() {
        line(git(root).args(["rev-parse", "HEAD^{tree}"]))
    } else {
        eprintln!("the checkout has changes, which are tested with what is committed:\n{changes}");
        let index = repository.with_extension("index");
        let _ = fs::remove_file(&index);
        output(git(root).args(["read-tree", "HEAD"]).env("GIT_INDEX_FILE", &index));
        output(git(root).args(["add", "--all"]).env("GIT_INDEX_FILE", &index));
        line(git(root).arg("write-tree").env("GIT_INDEX_FILE", &index))
    };
    let commit = line(git(root).args(["commit-tree", &tree, "-m", "What is tested"]));
    output(git(root).args(["init", "--quiet", "--bare"]).arg(repository));
    let to = repository.to_str().expect("the folder for temporary files has a name in UTF-8");
    output(git(root).args(["push", "--quiet", "--force", to, &format!("{commit}:refs/heads/main")]));
    commit
}

#[test]
fn a_project_that_depends_on_the_library_by_git_runs_an_action_with_nothing_built_beside_it() {
    let _turn = turn();
    let repository = project::folder("repository.git");
    fs::create_dir_all(repository.parent().expect("it lies in a folder")).expect("a folder can be made");
    let commit = snapshot(&repository);
    let url = format!("file://{}", repository.display());
    let dependency = |name: &str| format!("{name} = {{ git = \"{url}\", rev = \"{commit}\" }}\n");
    let program = output(git(&repository).args(["show", &format!("{commit}:host/examples/embed.rs")]));
    let users = project::run(
        "git-dependency",
        &(dependency("auth0-host") + &dependency("auth0-emulator")),
        &program,
        |_| Some(format!("git+{url}?rev={commit}#{commit}")),
    );
    assert_eq!(users["items"].as_array().map(Vec::len), Some(2), "{users}");
    assert!(users["items"][0]["email"].is_string(), "{users}");
}
