//! The main job on a file of people: what is in the report, what happens to a bad row, and that it can be done again.

use std::fs;

use auth0_tests::program::{Said, auth0_host, root, run};

const HEADER: &str = "action,email,given_name,family_name,department,title,start_date,locale,roles";

fn demo(arguments: &[&str]) -> Said {
    run(auth0_host().args(["demo", "--emulator"]).args(arguments))
}

fn file(name: &str, rows: &str) -> String {
    let folder = std::env::temp_dir().join(format!("auth0-tests-{}-demo", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("{HEADER}\n{rows}")).unwrap();
    path.display().to_string()
}

/// The report without what differs from run to run: times, durations, ids and numbers of bytes.
fn lasting(text: &str) -> String {
    text.split(['\n', ' ', ','])
        .filter(|word| !word.is_empty() && !word.chars().any(|c| c.is_ascii_digit()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_example_is_done_whole_and_the_report_says_for_whom() {
    let said = demo(&[]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let people = fs::read_to_string(root().join("cli/examples/joiners.csv")).unwrap();
    for row in people.lines().skip(1) {
        let email = row.split(',').nth(1).unwrap();
        assert!(said.out.contains(email), "{email} is in the report: {}", said.out);
    }
    for part in ["POST", "/api/v2/users", "DELETE", "wasi:http/outgoing-handler", "sessions", "Acme Billing"]
    {
        assert!(said.out.contains(part), "{part} is in the report: {}", said.out);
    }
    assert!(!said.all().contains('\u{1b}'), "no colours where there is no terminal");
}

#[test]
fn done_twice_it_gives_the_same_result() {
    let (first, second) = (demo(&[]), demo(&[]));
    assert_eq!((first.code, second.code), (Some(0), Some(0)));
    assert_eq!(lasting(&first.out), lasting(&second.out));
}

#[test]
fn a_bad_row_is_told_by_line_and_column_and_the_others_are_done() {
    let path = file(
        "bad.csv",
        "joiner,new.person@acme.example,New,Person,Sales,Clerk,2026-12-01,en,Employee\n\
         joiner,no address,Bad,Person,Sales,Clerk,2026-12-01,en,Employee\n\
         leaver,lena.fischer@acme.example,,,,,,,\n\
         promoter,tom.becker@acme.example,,,,,,,\n\
         joiner,other.person@acme.example,Other,Person,Sales,Clerk,soon,en,Employee\n",
    );
    let said = demo(&["--input", &path]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    for place in ["line 3, column 2", "line 5, column 1", "line 6, column 7"] {
        assert!(said.out.contains(place), "{place}: {}", said.out);
    }
    for done in ["new.person@acme.example", "lena.fischer@acme.example"] {
        assert!(said.out.contains(done), "{done}: {}", said.out);
    }
}

#[test]
fn a_row_that_the_tenant_refuses_is_told_and_the_others_are_done() {
    let path = file(
        "refused.csv",
        "joiner,new.person@acme.example,New,Person,Sales,Clerk,2026-12-01,en,No Such Role\n\
         leaver,nobody@acme.example,,,,,,,\n\
         leaver,lena.fischer@acme.example,,,,,,,\n",
    );
    let said = demo(&["--input", &path]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    for part in ["No Such Role", "nobody@acme.example", "lena.fischer@acme.example"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
}

#[test]
fn a_file_that_cannot_be_used_is_exit_code_2() {
    let path = file("empty-rows.csv", "");
    let wrong = std::env::temp_dir().join(format!("auth0-tests-{}-wrong.csv", std::process::id()));
    fs::write(&wrong, "who,when\na,b\n").unwrap();
    for (path, hint) in [("/no/such/file.csv", "/no/such/file.csv"), (wrong.to_str().unwrap(), "line 1")] {
        let said = demo(&["--input", path]);
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.err.contains(hint), "{said:#?}");
    }
    let said = demo(&["--input", &path]);
    assert!(matches!(said.code, Some(0 | 1)), "no rows are nothing to do: {said:#?}");
    fs::remove_file(wrong).unwrap();
}

#[test]
fn a_spreadsheet_s_file_with_bom_and_crlf_is_read() {
    let folder = std::env::temp_dir().join(format!("auth0-tests-{}-bom.csv", std::process::id()));
    let text = format!("\u{feff}{HEADER}\r\nleaver,lena.fischer@acme.example,,,,,,,\r\n");
    fs::write(&folder, text).unwrap();
    let said = demo(&["--input", folder.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    fs::remove_file(folder).unwrap();
}
