use serde_json::json;

use super::{elements::MOST_ELEMENTS, *};

/// Digits that neither an integer of 64 bits nor a float holds.
const DIGITS: &str = r#"{"big":12345678901234567890123,"dec":0.10,"exp":1e400,"neg":-0}"#;

/// Guards every embedder: a feature of serde_json is switched on for a whole program, and with `arbitrary_precision` a float
/// is read as text.
#[test]
fn the_library_does_not_change_how_its_user_s_numbers_are_read() {
    assert!(serde_json::from_str::<Value>("12345678901234567890123").unwrap().is_f64());
    assert!(serde_json::from_str::<Value>("1.0").unwrap().is_f64());
    assert_eq!(serde_json::from_str::<Value>("0.10").unwrap().to_string(), "0.1");
    assert!(serde_json::from_str::<Value>("1e400").is_err());
}

#[test]
fn a_text_keeps_its_digits_through_serde_too() {
    let document = Json::parse(format!("\n {DIGITS} ")).unwrap();
    assert_eq!(document.as_str(), DIGITS);
    assert_eq!(document.to_string(), DIGITS);
    assert_eq!(serde_json::to_string(&json_list(&document)).unwrap(), format!("[{DIGITS},{DIGITS}]"));
    let read: Vec<Json> = serde_json::from_str(&format!("[{DIGITS}]")).unwrap();
    assert_eq!(read, [document.clone()]);
    assert_eq!(Json::of(&json_list(&document)).unwrap().get("/1/dec").unwrap().as_str(), "0.10");
    assert_eq!(serde_json::from_value::<Json>(json!({"a": 1})).unwrap().as_str(), r#"{"a":1}"#);
}

fn json_list(document: &Json) -> [&Json; 2] {
    [document, document]
}

#[test]
fn what_is_not_json_is_refused_by_its_place() {
    for (text, place) in [
        ("", "line 1 column 0"),
        ("{", "line 1 column 1"),
        ("[1,]", "line 1 column 4"),
        ("{} {}", "line 1 column 4"),
        ("\n{\"a\": 01}", "line 2 column 8"),
        ("'a'", "line 1 column 1"),
        ("\"\u{1}\"", "line 1 column 1"),
        ("\u{feff}{}", "line 1 column 1"),
        ("NaN", "line 1 column 1"),
    ] {
        let error = Json::parse(text).unwrap_err().to_string();
        assert!(error.ends_with(place), "{text:?}: {error}");
        assert!(text.parse::<Json>().is_err() && Json::try_from(text.to_owned()).is_err());
    }
}

#[test]
fn neither_debug_nor_an_error_repeats_what_is_in_a_document() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Other {
        name: u32,
    }
    let document = Json::parse(r#"{"name": "canary"}"#).unwrap();
    let error = document.deserialize::<Other>().unwrap_err();
    let view = document.get("/name").unwrap();
    let told = format!("{document:?} {document:#?} {view:?} {error} {error:?}");
    assert!(!told.contains("canary"), "{told}");
    assert_eq!(format!("{document:?} {view:?}"), "Json { bytes: 18 } JsonView { bytes: 8 }");
    assert_eq!(error.to_string(), "it has another shape than was asked for at line 1 column 17");
    assert!(std::error::Error::source(&error).is_none());
}

#[test]
fn a_pointer_finds_what_rfc_6901_says() {
    // The document and most of the pointers of section 5.
    let document = r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6,
        " ": 7, "m~n": 8, "~1": 9, "foot": null, "\u0061b": 10, "twice": 1, "twice": 2}"#;
    let document = Json::parse(document).unwrap();
    for (pointer, expected) in [
        ("", Some(document.as_str())),
        ("/foo", Some(r#"["bar", "baz"]"#)),
        ("/foo/0", Some("\"bar\"")),
        ("/foo/1", Some("\"baz\"")),
        ("/foo/2", None),
        ("/foo/00", None),
        ("/foo/01", None),
        ("/foo/+1", None),
        ("/foo/-", None),
        ("/foo/", None),
        ("/foo/18446744073709551616", None),
        ("/foo/0/x", None),
        ("/", Some("0")),
        ("//", None),
        ("/a~1b", Some("1")),
        ("/c%d", Some("2")),
        ("/e^f", Some("3")),
        ("/g|h", Some("4")),
        ("/i\\j", Some("5")),
        ("/k\"l", Some("6")),
        ("/ ", Some("7")),
        ("/m~0n", Some("8")),
        ("/~01", Some("9")),
        ("/foot", Some("null")),
        ("/ab", Some("10")),
        ("/twice", Some("2")),
        ("foo", None),
        ("/nothing", None),
    ] {
        assert_eq!(document.get(pointer).map(JsonView::as_str), expected, "{pointer}");
    }
    assert_eq!(Json::null().get("/a"), None);
    assert_eq!(Json::parse("1e400").unwrap().get("/a"), None);
}

#[test]
fn items_and_members_are_parts_in_their_order() {
    let list = Json::parse("[ 1.0 , {\"a\":2}, [] ]").unwrap();
    let items: Vec<&str> = list.items().unwrap().into_iter().map(JsonView::as_str).collect();
    assert_eq!(items, ["1.0", "{\"a\":2}", "[]"]);
    let object = Json::parse(r#"{"b": 1e400, "a": "x", "b": 0.10, "\u0063": {}}"#).unwrap();
    let members: Vec<_> = object.members().unwrap();
    let members: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(members, [("b", "0.10"), ("a", "\"x\""), ("c", "{}")]);
    for none in ["1", "null", "\"[]\"", "{}"] {
        assert!(Json::parse(none).unwrap().items().is_err(), "{none}");
    }
    for none in ["1", "null", "\"{}\"", "[]"] {
        assert!(Json::parse(none).unwrap().members().is_err(), "{none}");
    }
}

#[test]
fn objects_and_arrays_are_put_together_of_parts() {
    let digits = Json::parse(DIGITS).unwrap();
    let [big, dec] = ["/big", "/dec"].map(|pointer| digits.get(pointer).unwrap());
    let whole = Json::object([("a\"b", Json::array([big, dec])), ("c", Json::from(json!({})))]);
    assert_eq!(whole.as_str(), r#"{"a\"b":[12345678901234567890123,0.10],"c":{}}"#);
    assert_eq!(Json::array::<Json>([]).as_str(), "[]");
}

#[test]
fn trees_of_values_come_and_go() {
    let tree = json!({"b": [1, null, true, "ä\n"], "a": 1.5});
    let document = Json::from(tree.clone());
    assert_eq!(document.as_str(), r#"{"b":[1,null,true,"ä\n"],"a":1.5}"#);
    assert_eq!(document.to_value().unwrap(), tree);
    assert_eq!(document, tree);
    assert_eq!(document.get("/b/3").unwrap(), json!("ä\n"));
    assert_eq!(Json::from(document.get("/b").unwrap()), json!([1, null, true, "ä\n"]));
    assert_eq!(Json::null(), Value::Null);
    // The text counts, and what has no tree is equal to none.
    assert_ne!(Json::parse("1.0").unwrap(), Json::parse("1.00").unwrap());
    assert_eq!(Json::parse("1.00").unwrap(), json!(1.0));
    assert_ne!(Json::parse("1e400").unwrap(), Value::Null);
    for (none, problem) in [("1e400", "out of range"), (r#""\ud800""#, "hex escape"), ("[[", "")] {
        let text = if problem.is_empty() { "[".repeat(129) + &"]".repeat(129) } else { none.to_owned() };
        let error = Json::parse(text).unwrap().to_value().unwrap_err().to_string();
        assert!(error.contains(problem), "{none}: {error}");
    }
    let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert!(Json::of(&keys).unwrap_err().to_string().contains("key must be a string"));
}

/// Guards the host's memory: a tree of `[[0],…]` takes some hundred times as much as its text.
#[test]
fn a_document_of_too_many_elements_is_kept_as_text_and_not_read() {
    let dense = Json::parse(format!("[{}[0]]", "[0],".repeat(MOST_ELEMENTS / 2))).unwrap();
    for error in [
        dense.to_value().unwrap_err(),
        dense.deserialize::<Vec<Json>>().unwrap_err(),
        dense.items().unwrap_err(),
        dense.members().unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "it has 1000002 elements, and at most 1000000 are read");
    }
    assert_eq!(dense.get("/1").unwrap().as_str(), "[0]");
    let most = Json::parse(format!("[{}0]", "0,".repeat(MOST_ELEMENTS - 1))).unwrap();
    assert!(most.to_value().is_ok());
}

/// Guards the host's stack: neither checking nor finding goes deeper with the document.
#[test]
fn a_document_of_a_million_levels_is_checked_and_looked_into() {
    let levels = 1_000_000;
    let deep =
        Json::parse(format!("{{\"a\":{}{},\"b\":1}}", "[".repeat(levels), "]".repeat(levels))).unwrap();
    assert_eq!(deep.get("/b").unwrap().as_str(), "1");
    assert_eq!(deep.get("/a/0").unwrap().as_str().len(), 2 * (levels - 1));
    assert!(deep.to_value().is_err());
}
