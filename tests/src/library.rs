//! What is public in the library, as rustdoc writes it down: what the pages say of it is held to that.
//!
//! Sources are no good for it: a name in them may be private, of another type, or in a comment.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::program;

/// The crates that an engine may come to use.
const CRATES: [&str; 4] = ["auth0_policy", "auth0_egress", "auth0_host", "auth0_emulator"];

/// The documentation of the types and traits of the library.
#[derive(Debug)]
pub struct Library(Vec<Item>);

#[derive(Debug)]
struct Item {
    of: &'static str,
    name: String,
    html: String,
}

impl Library {
    /// Reads what `cargo xtask test` had rustdoc write.
    pub fn read() -> Self {
        let mut items = Vec::new();
        for of in CRATES {
            collect(&program::documentation().join(of), of, &mut items);
        }
        assert!(items.len() > 100, "{} types and traits are documented", items.len());
        Self(items)
    }

    /// Whether there is such a type or trait with such a method, variant, field or constant.
    pub fn has(&self, name: &str, member: &str) -> bool {
        let kinds = ["method", "tymethod", "variant", "structfield", "associatedconstant"];
        let ids = kinds.map(|kind| format!("id=\"{kind}.{member}\""));
        let mut named = self.0.iter().filter(|item| item.name == name);
        named.any(|item| ids.iter().any(|id| item.html.contains(id)))
    }

    /// All that is said of a type, which stands in this crate.
    pub fn words(&self, of: &str, name: &str) -> String {
        self.pages(of, name).map(text).collect()
    }

    /// The variants of an enum.
    pub fn variants(&self, of: &str, name: &str) -> BTreeSet<String> {
        let ids = self.pages(of, name).flat_map(|html| html.split("<section id=\"variant.").skip(1));
        ids.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
    }

    /// The methods by which a type is set: they take it, and more or give it back.
    pub fn setters(&self, of: &str, name: &str) -> BTreeSet<String> {
        let signatures = self.pages(of, name).flat_map(headers);
        let methods = signatures.filter_map(|signature| {
            let (method, rest) = signature.strip_prefix("pub fn ")?.split_once('(')?;
            let sets = rest.trim_start().starts_with("self,")
                || (rest.starts_with("self)") && rest.ends_with("-> Self"));
            sets.then(|| method.split('<').next().unwrap_or(method).to_owned())
        });
        methods.collect()
    }

    /// The signatures of a trait's methods, without blanks.
    pub fn signatures(&self, of: &str, name: &str) -> BTreeSet<String> {
        let all = self.pages(of, name).flat_map(headers);
        all.filter(|signature| signature.starts_with("fn ")).map(|signature| squeezed(&signature)).collect()
    }

    fn pages(&self, of: &str, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |item| item.of == of && item.name == name).map(|item| item.html.as_str())
    }
}

/// A signature without blanks, and without the comma that a list over several lines ends in.
pub fn squeezed(signature: &str) -> String {
    let text: String = signature.split_whitespace().collect();
    text.replace(",)", ")")
}

/// Signatures on a page.
fn headers(html: &str) -> impl Iterator<Item = String> {
    let parts = html.split("<h4 class=\"code-header\">").skip(1);
    parts.map(|rest| text(rest.split("</h4>").next().unwrap_or_default()))
}

fn collect(folder: &Path, of: &'static str, items: &mut Vec<Item>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| {
        panic!("{}: {error}: run `cargo xtask test`, which makes it", folder.display())
    });
    for path in entries.map(|entry| entry.expect("it can be listed").path()) {
        if path.is_dir() {
            collect(&path, of, items);
            continue;
        }
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if let ["struct" | "enum" | "trait" | "type", name, "html"] =
            file.split('.').collect::<Vec<_>>().as_slice()
        {
            let html = fs::read_to_string(&path);
            let html = html.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            items.push(Item { of, name: (*name).to_owned(), html });
        }
    }
}

/// What a reader sees of HTML.
fn text(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text += part.split_once('>').map_or(part, |(_, rest)| rest);
    }
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'").replace("&quot;", "\"");
    text.replace("&nbsp;", " ").replace('\u{a0}', " ").replace("&amp;", "&")
}
