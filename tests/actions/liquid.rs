//! Liquid inside the real component: no tag and no filter may meet a clock or a source of randomness that traps there.

use std::time::Duration;

use auth0_emulator::Seed;
use auth0_host::{ErrorCode, Limits};
use auth0_tests::OfflineTenant;
use serde_json::{Value, json};

async fn render(tenant: &OfflineTenant, body: &str, custom_vars: Value) -> String {
    tenant.control.clear_outbox();
    let input = json!({"to": "ana@acme.example", "subject": "s", "body": body, "custom_vars": custom_vars});
    tenant.run("send-email", input).await;
    tenant.control.outbox().remove(0).html.unwrap()
}

#[tokio::test]
async fn every_tag_renders_in_the_component() {
    let tenant = OfflineTenant::start().await;
    for (template, expected) in [
        ("{% for i in (1..3) %}{{ i }}{% else %}none{% endfor %}", "123"),
        ("{% for i in nothing %}x{% else %}none{% endfor %}", "none"),
        ("{% for i in (1..4) %}{% cycle 'a', 'b' %}{% endfor %}", "abab"),
        (
            "{% tablerow i in (1..2) cols:1 %}{{ i }}{% endtablerow %}",
            "<tr class=\"row1\"><td class=\"col1\">1</td></tr><tr class=\"row2\"><td class=\"col1\">2</td></tr>",
        ),
        ("{% if custom_vars.n > 5 %}big{% elsif custom_vars.n == 5 %}five{% else %}small{% endif %}", "five"),
        ("{% unless custom_vars.n == 4 %}not four{% endunless %}", "not four"),
        ("{% case custom_vars.n %}{% when 4 %}four{% when 5 %}five{% else %}other{% endcase %}", "five"),
        ("{% assign x = 'a' | append: 'b' %}{{ x }}", "ab"),
        ("{% increment c %}{% increment c %}", "01"),
        ("{% decrement c %}{% decrement c %}", "-1-2"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("a{% comment %}{{ x }}{% endcomment %}b", "ab"),
    ] {
        assert_eq!(render(&tenant, template, json!({"n": 5})).await, expected, "{template}");
    }
    let dump = render(&tenant, "{% debug %}", json!({"n": 5})).await;
    assert!(dump.contains("custom_vars") && dump.contains("friendly_name"), "{dump}");
}

#[tokio::test]
async fn every_filter_renders_in_the_component() {
    let tenant = OfflineTenant::start().await;
    for (expression, expected) in [
        ("1 | plus: 2", "3"),
        ("5 | minus: 7", "-2"),
        ("7 | modulo: 4", "3"),
        ("6 | times: 7", "42"),
        ("1.9 | floor", "1"),
        ("1.1 | ceil", "2"),
        ("2.567 | round: 2", "2.57"),
        ("10 | divided_by: 4", "2.5"),
        ("-5 | abs", "5"),
        ("1 | at_least: 3", "3"),
        ("9 | at_most: 3", "3"),
        ("'a' | append: 'b'", "ab"),
        ("'a' | prepend: 'b'", "ba"),
        ("'ana' | capitalize", "Ana"),
        ("'ana' | upcase", "ANA"),
        ("'ANA' | downcase", "ana"),
        ("'  a ' | strip", "a"),
        ("'  a' | lstrip", "a"),
        ("'a  ' | rstrip", "a"),
        ("custom_vars.lines | strip_newlines", "ab"),
        ("'a-b' | split: '-' | join: '+'", "a+b"),
        ("'aa' | replace: 'a', 'b'", "bb"),
        ("'aa' | replace_first: 'a', 'b'", "ba"),
        ("'aba' | remove: 'a'", "b"),
        ("'aba' | remove_first: 'a'", "ba"),
        ("'abcdef' | truncate: 5", "ab..."),
        ("'a b c' | truncatewords: 2", "a b..."),
        ("'<a>&' | escape", "&lt;a&gt;&amp;"),
        ("'&lt;<' | escape_once", "&lt;&lt;"),
        ("'a b/ü' | url_encode", "a+b%2F%C3%BC"),
        ("'a+b%2F' | url_decode", "a b/"),
        ("'<b>x</b>' | strip_html", "x"),
        ("custom_vars.lines | newline_to_br | strip_newlines", "a<br />b"),
        ("'abcdef' | slice: 1, 2", "bc"),
        ("custom_vars.people | map: 'name' | join", "Zoe adam"),
        ("custom_vars.list | sort | join", "1 2 3"),
        ("custom_vars.people | map: 'name' | sort_natural | join", "adam Zoe"),
        ("custom_vars.list | first", "3"),
        ("custom_vars.list | last", "2"),
        ("custom_vars.list | reverse | join", "2 1 3"),
        ("custom_vars.list | size", "3"),
        ("'2024-03-05T14:07:09Z' | date: '%Y-%m-%d %H:%M'", "2024-03-05 14:07"),
        ("nothing | default: 'x'", "x"),
    ] {
        let vars = json!({"list": [3, 1, 2], "lines": "a\nb", "people": [{"name": "Zoe"}, {"name": "adam"}]});
        assert_eq!(render(&tenant, &format!("{{{{ {expression} }}}}"), vars).await, expected, "{expression}");
    }
}

#[tokio::test]
async fn now_is_the_time_of_the_host_s_clock() {
    let tenant = OfflineTenant::start().await;
    let seconds: u64 = render(&tenant, "{{ 'now' | date: '%s' }}", json!({})).await.parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(seconds) < 120, "{seconds}, and the clock says {now}");
}

#[tokio::test]
async fn a_template_error_names_field_line_and_cause() {
    let tenant = OfflineTenant::start().await;
    for (subject, body, field, line, cause) in [
        ("{{ x | shout }}", "b", "subject", "line 1", "shout"),
        ("s", "a\nb\n{% capture x %}y{% endcapture %}", "body", "line 3", "capture"),
        ("s", "\n{% if x %}", "body", "line 2", "endif"),
        ("s", "{% include 'header' %}", "body", "line 1", "include"),
        ("s", "{{ unclosed", "body", "line 1", "}}"),
        ("s", "\n\n{{ 1 | divided_by: 0 | nope }}", "body", "line 3", "nope"),
    ] {
        let input = json!({"to": "ana@acme.example", "subject": subject, "body": body});
        let error = tenant.refused("send-email", input).await;
        assert_eq!(error.code, ErrorCode::InvalidInput, "{body}: {error}");
        for part in [field, line, cause] {
            assert!(error.message.contains(part), "{part} in: {error}");
        }
    }
    assert_eq!(tenant.mail_requests().len(), 0);
}

#[tokio::test]
async fn a_template_that_would_never_end_or_grow_without_bound_is_stopped_with_an_error() {
    // By the component's own bounds, which do not count time: a slow machine would come to the host's limit before.
    let limits = Limits::new().cpu(Duration::from_secs(60));
    let tenant = OfflineTenant::tuned(Seed::demo(), |settings| {
        settings.limits(limits).deadline(Duration::from_secs(120))
    })
    .await;
    let double = "{% assign x = x | append: x %}".repeat(60);
    for body in [
        "{% for i in (1..1000000000) %}x{% endfor %}".to_owned(),
        "{% for a in (1..10000) %}{% for b in (1..10000) %}{% for c in (1..10000) %}{% endfor %}{% endfor %}{% endfor %}".to_owned(),
        format!("{{% assign x = 'xxxxxxxxxxxxxxxx' %}}{double}{{{{ x }}}}"),
        format!("{}{}", "{% if true %}".repeat(3000), "{% endif %}".repeat(3000)),
        format!("{{{{ {}1{} }}}}", "(".repeat(20_000), "..2)".repeat(20_000)),
        format!("{{{{ x{} }}}}", "[x".repeat(20_000)),
        "{{ (1..1000000000) | join }}".to_owned(),
    ] {
        let shown: String = body.chars().take(60).collect();
        let error = tenant.refused("send-email", json!({"to": "ana@acme.example", "subject": "s", "body": body})).await;
        assert_eq!(error.code, ErrorCode::InvalidInput, "{shown}: {error}");
    }
    let error = tenant
        .run("send-email", json!({"to": "ana@acme.example", "subject": "s", "body": "still alive"}))
        .await;
    assert_eq!(error, json!({"success": true}));
}
