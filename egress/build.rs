//! Makes the table of secrets in answers and inputs of the table of operations, so that the host need not ask the
//! component, which it does not trust, what is a secret.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

use auth0_catalog::{Everywhere, Operation};

fn main() -> Result<(), Box<dyn Error>> {
    for source in auth0_catalog::sources()? {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let operations = auth0_catalog::read()?;
    let out = env::var("OUT_DIR")?;
    let everywhere = auth0_catalog::secrets_everywhere()?;
    let rules = rules(&operations, &auth0_catalog::undocumented_secrets()?, &everywhere)?;
    fs::write(Path::new(&out).join("secret_rules.rs"), rules)?;
    Ok(())
}

/// Writes the table that `egress/src/redaction/rules.rs` includes, in the order of method and length of path.
fn rules(
    operations: &[Operation],
    undocumented: &[String],
    everywhere: &Everywhere,
) -> Result<String, std::fmt::Error> {
    let mut rows: Vec<(&str, Vec<&str>, String)> = Vec::new();
    // What is searched for: first what is looked for everywhere, then what is where nothing is documented.
    let mut searches = vec![words(&everywhere.members), words(undocumented)];
    for Operation { method, path, secrets, .. } in operations {
        let all: Vec<String> = secrets.members.iter().chain(&everywhere.members).cloned().collect();
        let words = words(&all);
        let search = searches.iter().position(|other| *other == words).unwrap_or(searches.len());
        if search == searches.len() {
            searches.push(words);
        }
        let except: Vec<&String> = everywhere
            .except
            .iter()
            .filter(|exception| exception.covers(path))
            .flat_map(|exception| &exception.below)
            .collect();
        let except = format!("{except:?}");
        let path: Vec<&str> =
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
        let known = format!("secrets: {known}, except: &{except}, search: {search}");
        rows.push((method, path, known));
    }
    rows.sort_by_key(|(method, path, _)| (*method, path.len()));
    let mut text = format!("static UNDOCUMENTED: &[Pattern] = {};\n", patterns(undocumented));
    writeln!(text, "static EVERYWHERE: &[Pattern] = {};", patterns(&everywhere.members))?;
    let searches: Vec<String> = searches
        .iter()
        .map(|words| {
            format!(
                "Search::new({})",
                words.as_ref().map_or("None".to_owned(), |words| format!("Some(&{words:?})"))
            )
        })
        .collect();
    writeln!(text, "static SEARCHES: [Search; {}] = [{}];", searches.len(), searches.join(", "))?;
    text.push_str("static OPERATIONS: &[Operation] = &[\n");
    for (method, path, known) in rows {
        writeln!(text, "    Operation {{ method: {method:?}, path: &{path:?}, {known} }},")?;
    }
    text.push_str("];\n");
    Ok(text)
}

/// Returns a word for each secret without which it is not in an answer: the longest of its names. `None` where one of
/// them may have any name.
fn words(members: &[String]) -> Option<Vec<String>> {
    fn word(member: &str) -> Option<&str> {
        let names = member.split('.').map(|name| name.trim_end_matches(":text"));
        names.filter(|name| !name.starts_with('*')).max_by_key(|name| name.len())
    }
    let mut words = members.iter().map(|member| word(member)).collect::<Option<Vec<&str>>>()?;
    words.sort_unstable();
    words.dedup();
    // One that has another in it is found with that.
    let all = words.clone();
    words.retain(|word| !all.iter().any(|other| word != other && word.contains(other)));
    Some(words.into_iter().map(str::to_owned).collect())
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
