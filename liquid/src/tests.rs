use serde_json::{Map, Value, json};

use super::{Bound, Fault, Template, TemplateError, UnixSeconds};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

const NOW: UnixSeconds = UnixSeconds(1_709_647_629);

fn render(template: &str, variables: &Map<String, Value>, now: UnixSeconds) -> Result<String, TemplateError> {
    Template::parse(template)?.render(variables, now)
}

fn rendered(template: &str) -> Result<String, TemplateError> {
    render(template, &Map::new(), NOW)
}

#[test]
fn templates_render_as_liquidjs_renders_them() {
    let golden: Value = serde_json::from_str(include_str!("golden.json")).unwrap();
    let now = UnixSeconds(golden["now"].as_i64().unwrap());
    let mut wrong = Vec::new();
    for case in golden["cases"].as_array().unwrap() {
        let mut variables = object(golden["variables"].clone());
        variables.extend(case.get("variables").cloned().map(object).unwrap_or_default());
        let template = case["template"].as_str().unwrap();
        let ours = render(template, &variables, now);
        let expected = case["expected"].as_str();
        if ours.as_deref().ok() != expected {
            wrong.push(format!("{template}\n  LiquidJS {expected:?}\n  ours     {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn refused(template: &str) -> TemplateError {
    match rendered(template) {
        Ok(text) => panic!("{template} rendered {} bytes", text.len()),
        Err(error) => error,
    }
}

#[test]
fn errors_name_the_line_and_teach() {
    let table: &[(&str, u32, &str)] = &[
        (
            "a\nb\n{% capture x %}y{% endcapture %}",
            3,
            "tag `capture` is not part of Auth0's Liquid; allowed tags: for, cycle, tablerow, if,",
        ),
        ("{% break %}", 1, "tag `break`"),
        ("{% continue %}", 1, "tag `continue`"),
        ("{% render 'x' %}", 1, "tag `render`"),
        ("{% block x %}{% endblock %}", 1, "tag `block`"),
        ("{% liquid\nassign x = 1 %}", 1, "tag `liquid`"),
        ("{% echo 1 %}", 1, "tag `echo`"),
        ("{% # note %}", 1, "expected the name of a tag, found `# note`"),
        ("{% %}", 1, "expected the name of a tag"),
        ("\n{% include 'header' %}", 2, "tag `include` reads another template"),
        ("{% layout 'page' %}", 1, "tag `layout` reads another template"),
        (
            "\n\n{{ x\n | shout }}",
            3,
            "filter `shout` is not part of Auth0's Liquid; allowed filters: plus, minus,",
        ),
        ("{{ x | json }}", 1, "filter `json`"),
        ("{{ x | where: 'a' }}", 1, "filter `where`"),
        ("{{ x | Upcase }}", 1, "filter `Upcase`"),
        ("{% if false %}\n{{ x | shout }}{% endif %}", 2, "filter `shout`"),
        ("{% if false %}\n{% capture x %}{% endif %}", 2, "tag `capture`"),
        ("\n{% if x %}\n", 2, "tag `if` is never closed; end it with `{% endif %}`"),
        ("{% unless x %}", 1, "end it with `{% endunless %}`"),
        ("{% for i in x %}{% else %}", 1, "end it with `{% endfor %}`"),
        ("{% tablerow i in x %}", 1, "end it with `{% endtablerow %}`"),
        ("{% case x %}{% when 1 %}", 1, "end it with `{% endcase %}`"),
        ("\n{% comment %}\n{{ x }}", 2, "end it with `{% endcomment %}`"),
        ("\n{% raw %}\n{{ x }}", 2, "end it with `{% endraw %}`"),
        ("{% endif %}", 1, "tag `endif` stands outside its block"),
        ("{% if x %}{% endfor %}{% endif %}", 1, "tag `endfor` stands outside its block"),
        ("{% else %}", 1, "tag `else` stands outside its block"),
        ("{% tablerow i in x %}{% else %}{% endtablerow %}", 1, "tag `else` stands outside its block"),
        ("{% when 1 %}", 1, "tag `when` stands outside its block"),
        ("{% if x %}{% else %}\n{% elsif y %}{% endif %}", 2, "tag `elsif` stands outside its block"),
        ("{% if x %}{% else %}{% else %}{% endif %}", 1, "tag `else` stands outside its block"),
        ("{% case x %}{% else %}\n{% when 1 %}{% endcase %}", 2, "tag `when` stands outside its block"),
        ("{% if x %}\n{% else if y %}{% endif %}", 2, "for `else if` write `elsif`"),
        ("{% if %}{% endif %}", 1, "expected a value"),
        ("{% if x = 1 %}{% endif %}", 1, "expected `|` and a filter, or the end, found `= 1`"),
        ("{% if x | upcase == 'A' %}{% endif %}", 1, "`,`, `|` or the end after a filter"),
        ("{% if (a or b) and c %}{% endif %}", 1, "parentheses cannot group conditions"),
        ("{% for i of x %}{% endfor %}", 1, "expected `in`"),
        ("{% for %}{% endfor %}", 1, "expected a loop"),
        ("{% for i in %}{% endfor %}", 1, "expected a list after `in`"),
        ("{% assign x 1 %}", 1, "expected `=` after the name"),
        ("{% assign = 1 %}", 1, "expected an assignment"),
        ("{% assign x = %}", 1, "expected a value"),
        ("{% increment %}", 1, "expected the name of a counter"),
        ("{% cycle %}", 1, "expected values to cycle through"),
        ("{% case x %}{% when 1 and 2 %}{% endcase %}", 1, "`,` or `or` between the values"),
        ("{{ }}", 1, "expected a value"),
        ("a\n{{ x", 2, "expected `}}`"),
        ("{{ 'x }}", 1, "expected `}}`"),
        ("{% if x }", 1, "expected `%}`"),
        ("{% if 'x %}{% endif %}", 1, "expected a closing quote"),
        ("{{ x[1 }}", 1, "expected `]`"),
        ("{{ (1..) }}", 1, "expected a value"),
        ("{{ x | append }}", 1, "filter `append` needs a value"),
        ("{{ 1 | plus }}", 1, "filter `plus` needs a value"),
        ("\n{{ '%E0%A4%A' | url_decode }}", 2, "filter `url_decode` needs two hexadecimal digits"),
        ("{{ '%ff' | url_decode }}", 1, "filter `url_decode` decodes UTF-8 only"),
        ("{{ 'now' | date: '%Y', 'Europe/Berlin' }}", 1, "filter `date` knows no names of time zones"),
        ("{{ '{%' }}\n{% foo %}", 2, "tag `foo`"),
    ];
    for (template, line, text) in table {
        let error = refused(template);
        let shown = error.to_string();
        assert_eq!(error.line(), *line, "{template}: {shown}");
        assert!(shown.starts_with(&format!("line {line}")) && shown.contains(text), "{template}: {shown}");
        assert!(!shown.ends_with('.') && !shown.contains('\n'), "{shown}");
    }
}

#[test]
fn every_bound_stops_what_attacks_it_and_names_it() {
    let bomb = "{% assign a = '0123456789' %}".to_owned();
    let doubling = bomb.clone() + &"{% assign a = a | append: a %}\n".repeat(30);
    let mut replacing = bomb.clone();
    replacing.push_str(&"\n{% assign a = a | replace: '0', a %}".repeat(30));
    let joining =
        bomb.clone() + "{% assign l = (1..10000) %}{% assign b = l | join: a %}{% assign c = l | join: b %}";
    let kept: String = (0..2000)
        .map(|name| {
            format!("{{% assign v{name} = (1..9999) | join: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{name}' %}}")
        })
        .collect();
    let table: Vec<(String, Bound)> = vec![
        ("x".repeat(409_601), Bound::Template),
        ("{% if true %}".repeat(101) + &"{% endif %}".repeat(101), Bound::Depth),
        ("{% if true %}".repeat(30_000), Bound::Depth),
        ("{% for i in (1..2) %}".repeat(19_000), Bound::Depth),
        ("{% case 1 %}{% when 1 %}".repeat(17_000), Bound::Depth),
        (format!("{{{{ {}1{} }}}}", "(".repeat(100_000), "..2)".repeat(70_000)), Bound::Depth),
        (format!("{{{{ a{} }}}}", "[b".repeat(150_000)), Bound::Depth),
        ("{% for i in (1..1000000000) %}x{% endfor %}".into(), Bound::Range),
        ("{{ (1..10001) }}".into(), Bound::Range),
        ("{{ (-9e9..9e99) }}{% assign x = (-999999999999999999999..1) %}".into(), Bound::Range),
        ("{% assign big = '1e308' | times: 10 %}{{ (1..big) }}".into(), Bound::Range),
        ("{% for i in (1..9999) %}{% for j in (1..9999) %}{% endfor %}{% endfor %}".into(), Bound::Steps),
        ("{% for i in (1..9999) %}{% for j in (1..9999) %}{% increment c %}{% endfor %}{% endfor %}".into(), Bound::Steps),
        (format!("{{% for i in (1..9) %}}{{{{ 1{} }}}}{{% endfor %}}", " | abs".repeat(30_000)), Bound::Steps),
        (format!("{{% for i in (1..9) %}}{{{{ 1{} }}}}{{% endfor %}}", " and 1".repeat(30_000)), Bound::Steps),
        ("{% assign x = (1..99) | join %}{% for i in (1..9999) %}{{ x }}{% endfor %}".into(), Bound::Output),
        ("{% for i in (1..9999) %}".to_owned() + &"x".repeat(1000) + "{% endfor %}", Bound::Output),
        ("{% tablerow i in (1..9999) cols:1 %}".to_owned() + &"x".repeat(1000) + "{% endtablerow %}", Bound::Output),
        ("{% assign x = (1..99) | join %}{% for i in (1..9999) %}{% debug %}{% endfor %}".into(), Bound::Output),
        (doubling, Bound::Value),
        (replacing, Bound::Value),
        (joining, Bound::Value),
        (kept, Bound::Work),
        ("{{ 'x' | date: '%Y' }}{{ 0 | date: '%999999999Y' }}".into(), Bound::Value),
        ("{{ 0 | date: '%999999999999999999999999N' }}".into(), Bound::Value),
        ("{% assign a = (1..9999) | join: '0123456789' %}{% for i in (1..9999) %}{% if a contains 'zzz' %}{% endif %}{% endfor %}".into(), Bound::Work),
        ("{% assign a = (1..9999) | join: '0123456789' %}{% for i in (1..9999) %}{{ a.size }}{% endfor %}".into(), Bound::Work),
        ("{% assign a = (1..9999) | join: '0' %}{% assign b = a | append: '' %}{% for i in (1..9999) %}{% if a == b %}{% endif %}{% endfor %}".into(), Bound::Work),
        ("{% assign l = (1..9999) %}{% for i in l %}{% assign m = l | reverse %}{% endfor %}".into(), Bound::Work),
        ("{% assign l = (1..9999) %}{% for i in l %}{% if l contains 'x' %}{% endif %}{% endfor %}".into(), Bound::Work),
        ("{% assign a = (1..9999) | join: ' ' %}{% for i in (1..9999) %}{% assign l = a | split: '' %}{% endfor %}".into(), Bound::Work),
        ("{% assign l = (1..9999) | reverse %}{% for i in l %}{% assign m = l | sort %}{% endfor %}".into(), Bound::Steps),
    ];
    for (template, bound) in table {
        let error = rendered(&template).expect_err(template.get(..99).unwrap_or(&template));
        let start: String = template.chars().take(60).collect();
        assert_eq!(*error.fault(), Fault::Bound(bound), "{start}: {error}");
        assert!(error.to_string().contains(&bound.to_string()), "{error}");
    }
}

/// Guards against a comparison or filter that reads a value without paying: 10 000 iterations over 1 MB of blanks took
/// a minute. What is not named here as done in constant time must run out of its budget.
#[test]
fn whatever_reads_a_large_value_pays_for_it() {
    let variables = object(json!({
        "x": " ".repeat(1_000_000), "zeros": "0".repeat(1_000_000), "a": "a".repeat(1_000_000),
        "b": "a".repeat(1_000_000), "one": ["0".repeat(1_000_000)], "o": {}, "l": vec![""; 100_000],
        "m": vec![""; 100_000], "nested": [vec![""; 100_000]],
    }));
    let ends = |body: &str| {
        let template = format!("{{% for i in (1..10000) %}}{body}{{% endfor %}}");
        match render(&template, &variables, NOW) {
            Ok(_) => None,
            Err(error) => Some(error.fault().clone()),
        }
    };
    let mut wrong = Vec::new();
    let mut check = |body: String, constant: bool| {
        let found = ends(&body);
        let paid = matches!(found, Some(Fault::Bound(Bound::Work | Bound::Steps)));
        if if constant { found.is_some() } else { !paid } {
            wrong.push(format!("{body}: {found:?}"));
        }
    };
    for condition in [
        "x == blank",
        "blank != x",
        "a == b",
        "a != b",
        "l == m",
        "x > 5",
        "5 < zeros",
        "one >= 5",
        "5 <= one",
        "a < b",
        "l > m",
        "nested < 5",
        "x contains 'q'",
        "a contains b",
        "'q' contains a",
        "l contains 'q'",
        "l contains blank",
        "one contains blank",
        "o contains l and l contains o",
    ] {
        check(format!("{{% if {condition} %}}{{% endif %}}"), false);
    }
    for condition in [
        "x",
        "not x",
        "x and l",
        "x or l",
        "x == 5",
        "x == 'q'",
        "l == o",
        "l == blank",
        "l == empty",
        "x == empty",
    ] {
        check(format!("{{% if {condition} %}}{{% endif %}}"), true);
    }
    for tag in [
        "{{ x.size }}",
        "{{ x[5] }}",
        "{{ x[a] }}",
        "{{ o[a] }}",
        "{{ l[zeros] }}",
        "{{ [a] }}",
        "{{ l }}",
        "{{ nested }}",
        "{% case x %}{% when blank %}{% endcase %}",
        "{% case a %}{% when 1, b %}{% endcase %}",
        "{% for i in o limit: 1 %}{% endfor %}{% for i in one limit: zeros %}{% endfor %}",
        "{% for i in one offset: zeros %}{% endfor %}",
        "{% tablerow i in o cols: zeros %}{% endtablerow %}",
        "{% assign r = (zeros..0) %}",
        "{% assign r = (0..zeros) %}",
        "{% cycle a: '', '' %}",
        "{% cycle l: '', '' %}",
    ] {
        check(tag.to_owned(), false);
    }
    for tag in [
        "{% assign y = x %}",
        "{{ l.size }}",
        "{{ l.first }}",
        "{{ l[5] }}",
        "{% for i in l limit: 1 %}{% endfor %}",
    ] {
        check(tag.to_owned(), true);
    }
    // Filters that see only one end of a text, or only how many elements a list has.
    let one_end = ["first", "last", "default"];
    let alone = ["sort", "reverse"];
    let arithmetic = [
        "plus",
        "minus",
        "modulo",
        "times",
        "floor",
        "ceil",
        "round",
        "divided_by",
        "abs",
        "at_least",
        "at_most",
    ];
    for filter in super::filters::FILTERS {
        let name = filter.name;
        let arguments = if filter.least_arguments == 0 { "" } else { ": 1, 1" };
        check(
            format!("{{% assign y = zeros | {name}{arguments} %}}"),
            one_end.contains(&name) || alone.contains(&name),
        );
        let counts =
            one_end.contains(&name) || name == "size" || name == "date" || arithmetic.contains(&name);
        check(format!("{{% assign y = l | {name}{arguments} %}}"), counts);
    }
    for name in ["plus", "minus", "modulo", "times", "round", "divided_by", "at_least", "at_most"] {
        check(format!("{{% assign y = 1 | {name}: zeros %}}"), false);
    }
    for call in [
        "1 | append: a",
        "1 | prepend: a",
        "1 | split: a",
        "1 | replace: a",
        "1 | replace: 1, a",
        "1 | replace_first: 1, a",
        "1 | replace_first: a",
        "1 | remove: a",
        "1 | remove_first: a",
        "'a' | truncate: zeros",
        "'abc' | truncate: 1, a",
        "'a b' | truncatewords: zeros",
        "'a b' | truncatewords: 1, a",
        "1 | slice: zeros",
        "1 | slice: 0, zeros",
        "one | map: a",
        "one | sort: a",
        "one | sort_natural: a",
        "one | sort_natural",
        "one | join: a",
        "nested | join",
        "1 | date: a",
        "one | plus: 1",
        "1 | plus: one",
    ] {
        check(format!("{{% assign y = {call} %}}"), false);
    }
    // What the template itself repeats in each iteration.
    let name = "n".repeat(100_000);
    check(format!("{{% assign {name} = 1 %}}"), false);
    check(format!("{{% increment {name} %}}"), false);
    check(format!("{{% for {name} in one %}}{{% endfor %}}"), false);
    check(format!("{{% for i in one{} %}}{{% endfor %}}", " s".repeat(50_000)), false);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_template_tells_which_variables_it_may_read() {
    let table: &[(&str, bool, bool)] = &[
        ("debug the support_url", false, false),
        (
            "{{ 'support_url' }}{{ custom_vars.support_url }}{% raw %}{{ support_url }}{% endraw %}",
            false,
            false,
        ),
        ("{% comment %}{{ support_url }}{% endcomment %}", false, false),
        ("{{ support_url }}", true, false),
        ("{{ support_url.x }}", true, false),
        ("{{ ['support_url'] }}", true, false),
        ("{{ a[b[support_url]] }}", true, false),
        ("{{ 'x' | append: support_url }}", true, false),
        ("{{ 'x' | default: 1, allow_false: support_url }}", true, false),
        ("{{ (1..support_url) }}", true, false),
        ("{{ 'a'[support_url] }}", true, false),
        ("{% if a or support_url == 1 %}{% endif %}", true, false),
        ("{% if a %}{% elsif b %}{{ support_url }}{% endif %}", true, false),
        ("{% unless a %}{% else %}{{ support_url }}{% endunless %}", true, false),
        ("{% case support_url %}{% endcase %}", true, false),
        ("{% case a %}{% when 1, support_url %}{% endcase %}", true, false),
        ("{% case a %}{% when 1 %}{{ support_url }}{% endcase %}", true, false),
        ("{% case a %}{% else %}{{ support_url }}{% endcase %}", true, false),
        ("{% for i in support_url %}{% endfor %}", true, false),
        ("{% for i in a limit: support_url %}{% endfor %}", true, false),
        ("{% for i in a %}{{ support_url }}{% endfor %}", true, false),
        ("{% for i in a %}{% else %}{{ support_url }}{% endfor %}", true, false),
        ("{% tablerow i in a cols: support_url %}{% endtablerow %}", true, false),
        ("{% cycle support_url: 1, 2 %}", true, false),
        ("{% cycle 1, support_url %}", true, false),
        ("{% assign x = support_url %}", true, false),
        ("{% increment support_url %}", true, false),
        ("{% debug %}", false, true),
        ("{% if a %}{% debug %}{% endif %}", false, true),
        ("{{ [a] }}", false, true),
        ("{{ [a].support_url }}", false, true),
    ];
    for (text, named, any) in table {
        let template = Template::parse(text).unwrap();
        assert_eq!((template.names(&["support_url"]), template.may_show_any()), (*named, *any), "{text}");
    }
}

#[test]
fn a_bound_names_the_line_that_met_it() {
    let error = refused("a\n\n{% for i in (1..9) %}\n{{ (1..99999) }}\n{% endfor %}");
    assert_eq!((error.line(), error.near()), (4, "{{ (1..99999) }}"));
    assert_eq!(error.to_string(), "line 4, at `{{ (1..99999) }}`: a range has more than 10000 numbers");
}

#[test]
fn the_deepest_template_renders_in_half_of_the_guests_stack() {
    let nested = "{% for i in (1..1) %}{% if i == 1 %}{% unless no %}{% case i %}{% when 1 %}";
    let closing = "{% endcase %}{% endunless %}{% endif %}{% endfor %}";
    let path = format!("{{{{ a{}{} }}}}", "[b".repeat(98), "]".repeat(98));
    let template = nested.repeat(25) + "deep" + &path + &closing.repeat(25);
    let deep = std::thread::Builder::new().stack_size(512 << 10).spawn(move || {
        assert!(Template::parse(&template)?.names(&["no"]));
        rendered(&template)
    });
    assert_eq!(deep.unwrap().join().unwrap(), Ok("deep".to_owned()));
}

#[test]
fn debug_shows_what_a_template_can_use() {
    let variables = object(json!({"user": {"name": "A\"<b>", "n": [1, null, true]}, "tenant": "t", "x": 1}));
    let template = "{% assign made = user.n %}{% increment c %}{% for i in (1..1) %}{% debug %}{% endfor %}";
    let shown = render(template, &variables, NOW).unwrap();
    let dump: Value = serde_json::from_str(shown.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(
        dump,
        json!({
            "c": 1, "forloop": {"i": 0, "length": 1, "name": "i-(1..1)"}, "i": 1, "made": [1, null, true],
            "tenant": "t", "user": {"name": "A\"<b>", "n": [1, null, true]}, "x": 1,
        })
    );
}

#[test]
fn sorting_what_has_no_order_does_not_panic() {
    let items: Vec<Value> = (0..200)
        .map(|index| match index % 5 {
            0 => json!(index),
            1 => json!(format!("{}", 200 - index)),
            2 => json!(null),
            3 => json!([index, "x"]),
            _ => json!({"a": index}),
        })
        .collect();
    let variables = object(json!({"items": items}));
    assert!(render("{{ items | sort | size }}{{ items | sort_natural | size }}", &variables, NOW).is_ok());
}

#[test]
fn the_same_input_renders_the_same_text() {
    let variables = object(json!({"o": {"b": 1, "a": 2}}));
    let template = "{% for p in o %}{{ p[0] }}{% endfor %}{{ 'now' | date: '%s' }}{% debug %}";
    let first = render(template, &variables, NOW).unwrap();
    assert!(first.contains("1709647629"));
    assert!((0..20).all(|_| render(template, &variables, NOW).as_ref() == Ok(&first)));
}

/// Guards against panics in slicing and arithmetic: pieces of Liquid in any order must render or be refused.
#[test]
fn no_order_of_pieces_panics() {
    const PIECES: &[&str] = &[
        "{{",
        "}}",
        "{%",
        "%}",
        "-",
        "{{-",
        "-%}",
        " ",
        "\n",
        "é",
        "😀",
        "'",
        "\"",
        "\\",
        "|",
        ":",
        ",",
        ".",
        "..",
        "(",
        ")",
        "[",
        "]",
        "=",
        "==",
        ">",
        "1",
        "-1",
        "9e99",
        "a",
        "user",
        "if",
        "for",
        "in",
        "endif",
        "endfor",
        "raw",
        "endraw",
        "comment",
        "case",
        "when",
        "else",
        "assign",
        "cycle",
        "tablerow",
        "slice",
        "date",
        "truncate",
        "%Y",
        "%-5N",
        "size",
        "limit",
        "offset",
        "continue",
        "nil",
        "empty",
        "{% if a %}",
        "{% endif %}",
        "{% raw %}",
        "split",
    ];
    let mut state: u64 = 42;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let length = 1 + next(14);
        let template: String = (0..length).map(|_| PIECES[next(PIECES.len())]).collect();
        drop(rendered(&template));
        drop(rendered(&format!("{{{{ a{template} }}}}")));
        drop(rendered(&format!("{{{{ 'é1' | {template} }}}}")));
        drop(rendered(&format!("{{{{ 1 | date: '{template}' }}}}{{{{ '2024-0{template}' | date }}}}")));
    }
}
