//! The pages under `docs/` that nobody writes by hand.
//!
//! From the built component come the reference of the curated actions (`docs/actions.md`), that of the operations of the
//! Management API (`docs/operations-reference/`, a page for each family, since there are hundreds), and the manifest in
//! `docs/manifest.md`. It is asked through the host's command line, as any user can ask it; nothing is read from the sources.
//! So the pages cannot tell of anything that the built component does not do.
//!
//! What the host takes for secrets, and what it judges that requests can do, the component does not know: these pages
//! (`docs/secret-fields.md`, `docs/reach.md`) come from the table of operations.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::workspace::Workspace;
use crate::{component, host, process};

const COMMAND: &str = "cargo xtask reference";

/// The folder of the operations' pages; nothing else is in it.
const OPERATIONS: &str = "docs/operations-reference";

/// The page whose block between these lines is the manifest.
const MANIFEST: &str = "docs/manifest.md";
const MANIFEST_BEGINS: &str = "<!-- Written by `cargo xtask reference`: -->\n```text\n";
const MANIFEST_ENDS: &str = "```\n<!-- to here -->";

/// Lines of the manifest that change with each byte of the component, or with each commit: a page that had them would have to
/// be written anew whenever anything is built, and would be wrong for whoever builds with another compiler. Who wants
/// them asks the file at hand.
const OF_THE_BUILD: [&str; 3] = ["  revision ", "  digest ", "  size "];

/// What a page is to hold.
struct Page {
    path: PathBuf,
    text: String,
}

/// Write the pages, and take away those of families that are no more.
pub(crate) fn write(workspace: &Workspace) -> Result<ExitCode> {
    let pages = pages(workspace)?;
    for stale in stale(workspace, &pages)? {
        fs::remove_file(&stale).with_context(|| format!("cannot remove {}", stale.display()))?;
        process::say(&format!("removed {}", stale.display()));
    }
    for Page { path, text } in &pages {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    process::say(&format!("wrote {} pages", pages.len()));
    Ok(ExitCode::SUCCESS)
}

/// Compare the pages with what would be written.
pub(crate) fn check(workspace: &Workspace) -> Result<ExitCode> {
    let pages = pages(workspace)?;
    let mut differ = false;
    for stale in stale(workspace, &pages)? {
        differ = true;
        process::say(&format!("{} belongs to a family that the component does not have", stale.display()));
    }
    for Page { path, text } in &pages {
        let found = fs::read_to_string(path).unwrap_or_default();
        if found != *text {
            differ = true;
            let same = found.lines().zip(text.lines()).take_while(|(found, wanted)| found == wanted).count();
            process::say(&format!("{} differs from the component from line {} on", path.display(), same + 1));
        }
    }
    if differ {
        process::say(&format!("run `{COMMAND}`"));
        return Ok(ExitCode::FAILURE);
    }
    process::say(&format!("{} pages are up to date", pages.len()));
    Ok(ExitCode::SUCCESS)
}

/// Files among the operations' pages that are none of them.
fn stale(workspace: &Workspace, pages: &[Page]) -> Result<Vec<PathBuf>> {
    let folder = workspace.root().join(OPERATIONS);
    let Ok(files) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut stale = Vec::new();
    for file in files {
        let path = file.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if !pages.iter().any(|page| page.path == path) {
            stale.push(path);
        }
    }
    Ok(stale)
}

fn pages(workspace: &Workspace) -> Result<Vec<Page>> {
    component::build(workspace)?;
    let host = host::build(workspace)?;
    process::say("asking the component");
    let ask = |arguments: &[&str]| process::output(workspace.command(&host).args(arguments));
    let page = |name: &str, text: String| Page { path: workspace.root().join(name), text };
    let mut pages = vec![page("docs/actions.md", curated(&ask(&["actions", "--curated", "--markdown"])?))];
    let answer = ask(&["actions", "--operations", "--json"])?;
    let operations: Vec<Value> =
        serde_json::from_str(&answer).context("auth0-host actions did not print a JSON array")?;
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    for operation in &operations {
        *groups
            .entry(operation.get("group").and_then(Value::as_str).context("an action has no group")?)
            .or_default() += 1;
    }
    for group in groups.keys() {
        if !group.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')) {
            bail!("`{group}` is not usable as a file name");
        }
        let section = ask(&["actions", "--operations", "--markdown", "--group", group])?;
        pages.push(page(
            &format!("{OPERATIONS}/{group}.md"),
            format!("{}# Operations: {group}\n\n{section}", written("")),
        ));
    }
    pages.push(page(&format!("{OPERATIONS}/README.md"), index(&groups)));
    let found = fs::read_to_string(workspace.root().join(MANIFEST))
        .with_context(|| format!("cannot read {MANIFEST}"))?;
    pages.push(page(MANIFEST, with_manifest(&found, &ask(&["manifest"])?)?));
    let operations = auth0_catalog::read()?;
    let secrets = auth0_catalog::secret_table(
        &operations,
        &auth0_catalog::undocumented_secrets()?,
        &auth0_catalog::secrets_everywhere()?,
    );
    pages.push(page("docs/secret-fields.md", secrets));
    pages.push(page("docs/reach.md", auth0_catalog::reach_table(&operations)));
    Ok(pages)
}

fn written(what: &str) -> String {
    format!("<!-- Written by `{COMMAND}` from the component itself{what}; do not edit. -->\n")
}

fn curated(sections: &str) -> String {
    format!(
        "{}# Actions\n\n\
         The actions that are made for one purpose. Each operation of the Management API is an action besides: \
         [operations](operations-reference/README.md).\n\n\
         Every action as JSON: `auth0-host run ACTION key=value …`, `Tenant::run` in the library, and \
         `run-action` in the contract. The typed functions of the contract (`wit/`) do the same. Names are Auth0's \
         own. `auth0-host describe ACTION --json` prints the JSON Schemas that this page is made from.\n\n{sections}",
        written("")
    )
}

fn index(groups: &BTreeMap<&str, usize>) -> String {
    let mut text = format!(
        "{}# Operations\n\n\
         Every operation of Auth0's Management API is an action of this name: {} of them. Input is the parts of its \
         path, its query and its body side by side; a list takes `limit` and `cursor` whatever the operation's own paging \
         is. What an operation answers is passed on as Auth0 gives it. Those that are made for one purpose are on \
         [another page](../actions.md).\n\n| family | operations |\n|---|---|\n",
        written(""),
        groups.values().sum::<usize>(),
    );
    for (group, count) in groups {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| [{group}]({group}.md) | {count} |");
    }
    text
}

/// Put a manifest into its page.
fn with_manifest(page: &str, manifest: &str) -> Result<String> {
    let (before, rest) = page
        .split_once(MANIFEST_BEGINS)
        .with_context(|| format!("{MANIFEST} has no place for the manifest"))?;
    let (_, after) =
        rest.split_once(MANIFEST_ENDS).with_context(|| format!("the manifest in {MANIFEST} does not end"))?;
    let lines = manifest.lines().filter(|line| !OF_THE_BUILD.iter().any(|begin| line.starts_with(begin)));
    let manifest: String = lines.flat_map(|line| [line, "\n"]).collect();
    Ok(format!("{before}{MANIFEST_BEGINS}{manifest}{MANIFEST_ENDS}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_put_into_its_page_without_what_changes_with_each_build() {
        let page = format!("# Manifest\n\n{MANIFEST_BEGINS}old\n{MANIFEST_ENDS}\n\nmore\n");
        let manifest = "auth0-connector\n  version   0.1.0\n  digest    sha256:0\n  size      1 bytes\n";
        let expected = format!(
            "# Manifest\n\n{MANIFEST_BEGINS}auth0-connector\n  version   0.1.0\n{MANIFEST_ENDS}\n\nmore\n"
        );
        let written = with_manifest(&page, manifest).unwrap();
        assert_eq!(written, expected);
        assert_eq!(with_manifest(&written, manifest).unwrap(), expected);
        assert!(with_manifest("# Manifest\n", manifest).is_err());
    }

    #[test]
    fn the_index_links_each_family() {
        let text = index(&BTreeMap::from([("roles", 3), ("users", 40)]));
        assert!(text.contains("43 of them") && text.contains("| [roles](roles.md) | 3 |"), "{text}");
    }
}
