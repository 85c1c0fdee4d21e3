//! What a new version of the package may change, by a package that has one of everything.

use wit_component::semver_check;
use wit_parser::{Resolve, WorldId};
use xtask::contract::Shape;
use xtask::contract::evolution::{Difference, compare};

const RELEASED: &str = "\
package connector:auth0@0.2.0;

/// Types.
@since(version = 0.2.0)
interface types {
    @since(version = 0.2.0)
    record error { code: string, status: option<u16> }
    @since(version = 0.2.0)
    enum disposition { fix-input, give-up }
    @since(version = 0.2.0)
    variant target { all, one(string) }
    @since(version = 0.2.0)
    flags parts { name, email }
    @since(version = 0.2.0)
    type json = string;
    @since(version = 0.2.0)
    type pairs = list<tuple<string, json>>;
}

@since(version = 0.2.0)
interface users {
    @since(version = 0.2.0)
    use types.{error, json};
    /// Get one.
    @since(version = 0.2.0)
    get-user: func(user-id: string, raw: option<bool>) -> result<json, error>;
    @since(version = 0.2.0)
    delete-user: func(user-id: string) -> result<_, error>;
}

@since(version = 0.2.0)
world plugin {
    export types;
}

@since(version = 0.2.0)
world connector {
    export types;
    export users;
}
";

/// A change: what it is, the text before and after, and what is said of it.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// Changes that an old caller notices.
const BREAKING: [Case; 21] = [
    (
        "a dropped function",
        "    @since(version = 0.2.0)\n    delete-user: func(user-id: string) -> result<_, error>;\n",
        "",
        &["interface `users`: the function `delete-user` is gone", "put it back"],
    ),
    ("a renamed function", "delete-user:", "remove-user:", &["`delete-user` is gone"]),
    (
        "another parameter",
        "delete-user: func(user-id: string)",
        "delete-user: func(user-id: string, hard: bool)",
        &[
            "interface `users`: the function `delete-user` has a new parameter `hard`",
            "add another beside it",
        ],
    ),
    (
        "a parameter less",
        "(user-id: string, raw: option<bool>)",
        "(user-id: string)",
        &["`get-user` no longer has the parameter `raw`"],
    ),
    (
        "a parameter of another name",
        "get-user: func(user-id",
        "get-user: func(id",
        &["`get-user` no longer has the parameter `user-id`"],
    ),
    (
        "a parameter of another type",
        "raw: option<bool>",
        "raw: bool",
        &["`get-user` has the parameter `raw` as `bool`, was `option<bool>`"],
    ),
    (
        "another result",
        "result<json, error>",
        "result<option<json>, error>",
        &["`get-user` has the result as `result<option<json>, error>`, was `result<json, error>`"],
    ),
    (
        "a function that became async",
        "get-user: func",
        "get-user: async func",
        &["`get-user` is of the kind `async function` now"],
    ),
    (
        "a field more",
        "status: option<u16>",
        "status: option<u16>, hint: option<string>",
        &["interface `types`: the record `error` has a new field `hint`", "add another beside it", "0.3.0"],
    ),
    (
        "a field less",
        "code: string, status: option<u16>",
        "code: string",
        &["`error` no longer has the field `status`"],
    ),
    (
        "a field of another type",
        "status: option<u16>",
        "status: option<u32>",
        &["`error` has the field `status` as `option<u32>`, was `option<u16>`"],
    ),
    (
        "fields in another order",
        "code: string, status: option<u16>",
        "status: option<u16>, code: string",
        &["`error` has its parts in another order"],
    ),
    (
        "a case more of an enum",
        "fix-input, give-up",
        "fix-input, retry-later, give-up",
        &["interface `types`: the enum `disposition` has a new case `retry-later`"],
    ),
    (
        "a case less of an enum",
        "fix-input, give-up",
        "fix-input",
        &["`disposition` no longer has the case `give-up`"],
    ),
    (
        "a case more of a variant",
        "one(string)",
        "one(string), some(json)",
        &["the variant `target` has a new case `some`"],
    ),
    (
        "a case of another type",
        "one(string)",
        "one(u32)",
        &["`target` has the case `one` as `u32`, was `string`"],
    ),
    ("a flag more", "name, email", "name, email, phone", &["the flags `parts` has a new flag `phone`"]),
    (
        "another meaning of a name",
        "type json = string",
        "type json = list<u8>",
        &["the type `json` has the definition as `list<u8>`, was `string`"],
    ),
    (
        "an enum that became a variant",
        "enum disposition { fix-input, give-up }",
        "variant disposition { fix-input, give-up }",
        &["the enum `disposition` is of the kind `variant` now"],
    ),
    (
        "a world that offers less",
        "    export users;\n",
        "",
        &["world `connector`: the interface `users` is gone"],
    ),
    (
        "a world that asks for more",
        "world plugin {\n",
        "world plugin {\n    import users;\n",
        &["world `plugin`: the import `users` is new", "0.3.0"],
    ),
];

/// Changes that an old caller does not notice, of a new version.
const ADDITIONS: [Case; 7] = [
    (
        "a function",
        "    @since(version = 0.2.0)\n    delete-user:",
        "    @since(version = 0.2.1)\n    block-user: func(user-id: string) -> result<_, error>;\n    @since(version = 0.2.0)\n    delete-user:",
        &["interface `users`: the function `block-user` is new"],
    ),
    (
        "a type",
        "    @since(version = 0.2.0)\n    type json",
        "    @since(version = 0.2.1)\n    record hint { text: string }\n    @since(version = 0.2.0)\n    type json",
        &["interface `types`: the record `hint` is new"],
    ),
    (
        "an interface",
        "@since(version = 0.2.0)\ninterface users",
        "@since(version = 0.2.1)\ninterface roles {\n    @since(version = 0.2.1)\n    count: func() -> u32;\n}\n\n@since(version = 0.2.0)\ninterface users",
        &["interface `roles` is new"],
    ),
    (
        "a world that offers more",
        "world plugin {\n",
        "world plugin {\n    export users;\n",
        &["world `plugin`: the interface `users` is new"],
    ),
    (
        "a world",
        "@since(version = 0.2.0)\nworld connector",
        "@since(version = 0.2.1)\nworld reader {\n    export users;\n}\n\n@since(version = 0.2.0)\nworld connector",
        &["world `reader` is new"],
    ),
    ("documentation", "/// Get one.", "/// Get one user: `GET /users/{id}`.", &[]),
    (
        "a deprecation",
        "    @since(version = 0.2.0)\n    delete-user:",
        "    @since(version = 0.2.0)\n    @deprecated(version = 0.2.0)\n    delete-user:",
        &[],
    ),
];

fn shape(text: &str) -> Shape {
    Shape::parse(text).unwrap_or_else(|error| panic!("{error:#}\n{text}"))
}

/// The released package as another version, after a change.
fn changed(version: &str, before: &str, after: &str) -> Shape {
    assert_eq!(RELEASED.matches(before).count(), 1, "{before}");
    shape(&RELEASED.replace(before, after).replacen("@0.2.0;", &format!("@{version};"), 1))
}

fn words(differences: &[Difference]) -> String {
    differences.iter().map(|difference| format!("{difference}\n")).collect()
}

#[test]
fn what_an_old_caller_notices_is_refused_in_the_same_version_and_in_a_compatible_one() {
    for (what, before, after, expected) in BREAKING {
        for version in ["0.2.0", "0.2.1"] {
            let said = words(&compare(&shape(RELEASED), &changed(version, before, after)).unwrap());
            let mut expected = expected.iter().filter(|_| !said.is_empty());
            assert!(!said.is_empty(), "{what} passed in {version}");
            assert!(expected.all(|part| said.contains(part)), "{what} in {version}: {said}");
        }
        let free = compare(&shape(RELEASED), &changed("0.3.0", before, after)).unwrap();
        assert_eq!(words(&free), "", "{what}");
    }
}

#[test]
fn what_is_added_needs_a_new_version_and_no_more() {
    for (what, before, after, expected) in ADDITIONS {
        let later = compare(&shape(RELEASED), &changed("0.2.1", before, after)).unwrap();
        assert_eq!(words(&later), "", "{what}");
        // In the version itself there can be no `@since` of a later one.
        let same = changed("0.2.0", before, &after.replace("0.2.1", "0.2.0"));
        let said = words(&compare(&shape(RELEASED), &same).unwrap());
        assert_eq!(said.is_empty(), expected.is_empty(), "{what}: {said}");
        assert!(expected.iter().all(|part| said.contains(part)), "{what}: {said}");
        assert!(said.is_empty() || said.contains("raise the version to 0.2.1"), "{what}: {said}");
    }
}

#[test]
fn what_is_added_says_since_when() {
    let before = "    @since(version = 0.2.0)\n    delete-user:";
    for (since, said) in
        [("", "says nothing of it"), ("    @since(version = 0.2.0)\n", "says `@since(version = 0.2.0)`")]
    {
        let after = format!("{since}    block-user: func();\n{before}");
        let found = words(&compare(&shape(RELEASED), &changed("0.2.1", before, &after)).unwrap());
        assert!(found.contains("the function `block-user` is new in this version and "), "{found}");
        assert!(found.contains(said) && found.contains("write `@since(version = 0.2.1)`"), "{found}");
    }
}

#[test]
fn a_version_owes_to_those_that_an_engine_takes_it_for() {
    let released = |version: &str| shape(&RELEASED.replacen("@0.2.0;", &format!("@{version};"), 1));
    let dropped = |version: &str| changed(version, "    export users;\n", "");
    for (before, now, owes) in [
        ("0.2.0", "0.2.9", true),
        ("0.2.0", "0.3.0", false),
        ("0.2.0", "0.2.1-rc.1", false),
        ("0.2.0", "1.0.0", false),
        ("1.2.0", "1.3.0", true),
        ("1.2.0", "2.0.0", false),
        ("0.3.0", "0.2.1", false),
    ] {
        let found = compare(&released(before), &dropped(now)).unwrap();
        assert_eq!(!found.is_empty(), owes, "{before} to {now}");
    }
    let error = compare(&released("0.2.5"), &dropped("0.2.4")).unwrap_err().to_string();
    assert!(error.contains("0.2.4 cannot be released after 0.2.5"), "{error}");
}

#[test]
fn packages_of_different_names_are_not_compared() {
    let other = shape(&RELEASED.replacen("connector:auth0@", "connector:okta@", 1));
    let error = compare(&shape(RELEASED), &other).unwrap_err().to_string();
    assert!(error.contains("connector:okta is no version of connector:auth0"), "{error}");
}

/// Two versions in one set, with their worlds `connector`.
fn both(old: &str, new: &str) -> (Resolve, WorldId, WorldId) {
    let mut resolve = Resolve::new();
    let mut world = |text: &str| {
        let package = resolve.push_source("package.wit", text).unwrap();
        resolve.packages[package].worlds["connector"]
    };
    let (old, new) = (world(old), world(new));
    (resolve, old, new)
}

/// Guards the reversed call in `evolution`: where `wit-component` changes the meaning of its arguments, this fails.
#[test]
fn as_its_arguments_are_named_wit_component_would_accept_a_dropped_function_and_refuse_a_new_one() {
    let version =
        |before: &str, after: &str| RELEASED.replacen("@0.2.0;", "@0.2.1;", 1).replace(before, after);
    let delete = "    delete-user: func(user-id: string) -> result<_, error>;\n";
    let dropped = version(&format!("    @since(version = 0.2.0)\n{delete}"), "");
    let added =
        version(delete, &format!("{delete}    block-user: func(user-id: string) -> result<_, error>;\n"));
    for (what, new, accepted_as_named) in [("dropped", &dropped, true), ("added", &added, false)] {
        let (resolve, old, new) = both(RELEASED, new);
        let named = semver_check(resolve.clone(), old, new);
        assert_eq!(named.is_ok(), accepted_as_named, "{what}: {named:?}");
        let reversed = semver_check(resolve, new, old);
        assert_eq!(reversed.is_ok(), !accepted_as_named, "{what}: {reversed:?}");
    }
}
