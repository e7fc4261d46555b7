//! The words of every refusal. Code that must compile is in `ui/pass`, each a test of its own.
//!
//! After a change of words: `TRYBUILD=overwrite cargo test -p mcp-secure-tests-macros --test ui`,
//! and read every line of the difference as an author of a server would.

#[test]
fn mistakes_are_told_in_the_authors_own_place() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/fail/*.rs");
}
