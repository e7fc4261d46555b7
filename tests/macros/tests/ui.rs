//! The words of every refusal, and code that must compile in surroundings that are not kind.
//!
//! After a change of words: `TRYBUILD=overwrite cargo test -p mcp-secure-tests-macros --test ui`,
//! and read every line of the difference as an author of a server would.

#[test]
fn mistakes_are_told_in_the_authors_own_place() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}
