//! Makes the table of secrets in answers and inputs of the table of operations, so that the host need not ask the
//! component, which it does not trust, what is a secret.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

use auth0_catalog::Operation;

fn main() -> Result<(), Box<dyn Error>> {
    for source in auth0_catalog::sources()? {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let operations = auth0_catalog::read()?;
    let out = env::var("OUT_DIR")?;
    let rules = rules(&operations, &auth0_catalog::undocumented_secrets()?)?;
    fs::write(Path::new(&out).join("secret_rules.rs"), rules)?;
    Ok(())
}

/// Writes the table that `egress/src/redaction/rules.rs` includes, in the order of method and length of path.
fn rules(operations: &[Operation], undocumented: &[String]) -> Result<String, std::fmt::Error> {
    let mut rows: Vec<(&str, Vec<&str>, String)> = Vec::new();
    for Operation { method, path, secrets, .. } in operations {
        let path =
            path.split('/').skip(1).map(|part| if part.starts_with('{') { "*" } else { part }).collect();
        let known = if secrets.members.is_empty() {
            "None".to_owned()
        } else {
            let parts = secrets.handle.split('/').map(|part| {
                let id = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
                id.map_or_else(|| format!("Part::Word({part:?})"), |id| format!("Part::Id({id:?})"))
            });
            let handle = parts.collect::<Vec<_>>().join(", ");
            format!(
                "Some(&AnswerSecrets {{ handle: &[{handle}], made: &{:?}, may_make: &{:?}, only_with: {:?}, \
                 documented: {}, members: {} }})",
                secrets.made,
                secrets.may_make,
                secrets.only_with,
                secrets.documented(),
                patterns(&secrets.members),
            )
        };
        rows.push((method, path, known));
    }
    rows.sort_by_key(|(method, path, _)| (*method, path.len()));
    let mut text = format!("static UNDOCUMENTED: &[Pattern] = {};\n", patterns(undocumented));
    text.push_str("static OPERATIONS: &[Operation] = &[\n");
    for (method, path, known) in rows {
        writeln!(text, "    Operation {{ method: {method:?}, path: &{path:?}, secrets: {known} }},")?;
    }
    text.push_str("];\n");
    Ok(text)
}

fn patterns(members: &[String]) -> String {
    let patterns = members.iter().map(|member| {
        let (above, last) = member.rsplit_once('.').unwrap_or(("", member));
        let above: Vec<&str> = above.split('.').filter(|name| !name.is_empty()).collect();
        let last = match (last, last.strip_prefix("*!"), last.strip_suffix(":text")) {
            ("*", ..) => "Last::Any".to_owned(),
            (_, Some(but), _) => format!("Last::AnyBut({but:?})"),
            (_, _, Some(name)) => format!("Last::Text({name:?})"),
            _ => format!("Last::Member({last:?})"),
        };
        format!("Pattern {{ above: &{above:?}, last: {last} }}")
    });
    format!("&[{}]", patterns.collect::<Vec<_>>().join(", "))
}
