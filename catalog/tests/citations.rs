//! Comments cite facts by the number of their section in `docs/facts.md`: each of these sections is there.
//!
//! It is tested here because this package builds in seconds; the citations are those of the whole repository.

#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// How the names of files end that may cite facts.
const ENDS: [&str; 4] = [".rs", ".toml", ".wit", ".md"];

/// Files that may cite facts, below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !["target", "node_modules"].contains(&&*name) && !name.starts_with('.') {
                files(&path, found);
            }
        } else if ENDS.iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
}

/// The words of a text, without what makes its lines comments: a citation may go on in the next line.
fn words(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches(['/', '!', '#', '*']));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// The numbers of the sections that a text cites: `facts, section 4`, `facts, sections 4, 6 and 7`.
fn cited(text: &str) -> Vec<u32> {
    let words = words(text);
    let citations = words.split("facts, section").skip(1);
    let numbers = citations.flat_map(|rest| {
        let list = rest.trim_start_matches('s').split([')', ';', ':', '.']).next().unwrap_or_default();
        let numbers = list.split([',', ' ']).filter(|word| !word.is_empty() && *word != "and");
        numbers.map_while(|word| word.parse().ok()).collect::<Vec<_>>()
    });
    numbers.collect()
}

/// The numbers of the sections that the page has, in order.
fn sections() -> Vec<u32> {
    let page = fs::read_to_string(root().join("docs/facts.md")).unwrap();
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    headings.filter_map(|heading| heading.split_once(". ")?.0.parse().ok()).collect()
}

#[test]
fn sections_of_facts_are_numbered_without_a_gap() {
    let sections = sections();
    assert!(sections.len() > 10, "{sections:?}");
    assert!((1..).zip(&sections).all(|(number, section)| number == *section), "{sections:?}");
}

#[test]
fn each_section_of_facts_that_is_cited_exists() {
    let sections = sections();
    let mut paths = Vec::new();
    files(root(), &mut paths);
    let mut citations = 0;
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let odd = !path.ends_with(file!()) && text.contains("facts sheet");
        assert!(!odd, "{} cites a sheet: cite a section of docs/facts.md", path.display());
        for section in cited(&text) {
            citations += 1;
            assert!(sections.contains(&section), "{} cites section {section}", path.display());
        }
    }
    assert!(citations > 30, "citations are found: {citations}");
}

#[test]
fn a_citation_is_found_in_each_form_that_comments_have() {
    for (text, expected) in [
        ("/// Renewed early (facts, section 1).", &[1][..]),
        ("//! Limits (facts,\n//! section 10), so", &[10]),
        ("/// counted by the minute (facts, section\n/// 3), and", &[3]),
        ("# Evidence: facts, sections 4, 6 and 7; Auth0's document", &[4, 6, 7]),
        ("// (free plan: 300; facts, section 3). (facts, section 4: jobs)", &[3, 4]),
        ("/// The facts of a call. RFC 9110, section 15", &[]),
    ] {
        assert_eq!(cited(text), expected, "{text}");
    }
}
