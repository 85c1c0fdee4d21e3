//! The page for engines, held to what the tests enforce.

use auth0_tests::program;

use super::kinds::rows;

#[test]
fn the_table_of_faults_on_the_page_is_the_one_that_the_tests_enforce() {
    let page = std::fs::read_to_string(program::root().join("docs/errors.md")).unwrap();
    let (_, table) = page.split_once("| fault | read |").expect("the page has a table of faults");
    let found: Vec<_> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let wanted: Vec<_> = rows().iter().map(super::kinds::Row::markdown).collect();
    assert_eq!(found, wanted, "docs/errors.md should read:\n{}", wanted.join("\n"));
}
