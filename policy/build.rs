//! Makes what records of requests go by of the table of operations: which segments of a path are words of the API.

use std::{collections::BTreeSet, env, error::Error, fs, path::Path};

use auth0_catalog::Operation;

fn main() -> Result<(), Box<dyn Error>> {
    for source in auth0_catalog::sources()? {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("path_words.rs"), words(&auth0_catalog::read()?))?;
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
