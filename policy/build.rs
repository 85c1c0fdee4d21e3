//! Makes what requests and their records are held to of the table of operations: which segments of a path are words of
//! the API, and what each writing operation can do beyond what it says.

use std::{collections::BTreeSet, env, error::Error, fmt::Write as _, fs, path::Path};

use auth0_catalog::{Judgement, Operation, Reach};

fn main() -> Result<(), Box<dyn Error>> {
    for source in auth0_catalog::sources()? {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let out = env::var("OUT_DIR")?;
    let operations = auth0_catalog::read()?;
    fs::write(Path::new(&out).join("path_words.rs"), words(&operations))?;
    fs::write(Path::new(&out).join("reach_table.rs"), reach(&operations)?)?;
    Ok(())
}

/// Writes the words that `policy/src/private_path.rs` includes.
fn words(operations: &[Operation]) -> String {
    let paths = operations.iter().flat_map(|operation| operation.path.split('/'));
    let words: BTreeSet<_> = paths.filter(|part| !part.is_empty() && !part.starts_with('{')).collect();
    let queries = operations.iter().flat_map(|operation| &operation.query);
    let names: BTreeSet<_> = queries.map(|member| member.name.as_str()).collect();
    let list = |all: BTreeSet<&str>| format!("&[&str] = &{:?};\n", Vec::from_iter(all));
    format!("static API_WORDS: {}static QUERY_NAMES: {}", list(words), list(names))
}

/// Writes the table that `policy/src/reach/table.rs` includes: all operations but those that the rule for reads covers.
fn reach(operations: &[Operation]) -> Result<String, std::fmt::Error> {
    let mut text = String::from("static OPERATIONS: &[Operation] = &[\n");
    for Operation { method, path, reach, .. } in operations {
        let harmless = reach.iter().all(|judgement| judgement.reach.is_none());
        if method == "GET" && harmless {
            continue;
        }
        let segments: Vec<&str> =
            path.split('/').skip(1).map(|part| if part.starts_with('{') { "*" } else { part }).collect();
        writeln!(
            text,
            "    Operation {{ method: {method:?}, path: {path:?}, segments: &{segments:?}, rows: &["
        )?;
        for Judgement { reach, members, reason } in reach {
            let reach = reach.map_or("None".to_owned(), |reach| format!("Some({})", variant(reach)));
            writeln!(text, "        Row {{ reach: {reach}, members: &{members:?}, reason: {reason:?} }},")?;
        }
        text.push_str("    ] },\n");
    }
    text.push_str("];\n");
    Ok(text)
}

fn variant(reach: Reach) -> &'static str {
    match reach {
        Reach::RunsCode => "Reach::RunsCode",
        Reach::Exfiltrates => "Reach::Exfiltrates",
        Reach::Escalates => "Reach::Escalates",
        Reach::TakesOver => "Reach::TakesOver",
        Reach::Weakens => "Reach::Weakens",
        Reach::GrantsPeople => "Reach::GrantsPeople",
    }
}
