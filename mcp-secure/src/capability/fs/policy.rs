//! Which names a grant keeps closed, whatever the path around them.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use super::{FsError, RelPath, fold::fold, rules};
use crate::error::{Error, Result};

/// What a rule closes, or what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Reading, listing, asking for metadata.
    Read,
    /// Creating, changing, removing, renaming from or to.
    Write,
}

/// One rule: a pattern for a single name, what it closes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(super) pattern: Cow<'static, str>,
    pub(super) closes: Access,
    pub(super) locked: Option<Access>,
    pub(super) reason: &'static str,
}

impl Rule {
    /// The pattern: a name, or a name with one `*`.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// [`Access::Read`] closes the name altogether, [`Access::Write`] only against change.
    pub fn closes(&self) -> Access {
        self.closes
    }

    /// What stays closed even if the name is allowed: nothing, writing, or everything.
    pub fn locked(&self) -> Option<Access> {
        self.locked
    }

    /// Why, in words for the caller.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    fn matches(&self, folded: &str) -> bool {
        match self.pattern.split_once('*') {
            None => *self.pattern == *folded,
            Some((start, end)) => has_shape(folded, start, end),
        }
    }

    /// Whether an exception does not count against it.
    fn is_locked_for(&self, access: Access) -> bool {
        self.locked.is_some_and(|from| from <= access)
    }
}

fn has_shape(name: &str, start: &str, end: &str) -> bool {
    name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
}

/// Which names a grant keeps closed.
///
/// Every component of every path is checked, at any depth, and both ends of a rename; so is
/// every component of what an in-folder symbolic link leads to. Names are compared folded:
/// compatibility-normalised, case-folded, without invisible characters, trailing dots and
/// spaces or an NTFS stream suffix, so `.GIT`, `.git.`, `.g\u{200b}it` and
/// `.git::$INDEX_ALLOCATION` are all `.git`, and so is its short name `GIT~1` (the lesson
/// of CVE-2014-9390, CVE-2019-1353 and CVE-2026-57441).
///
/// [`FsPolicy::default`] closes
///
/// * names that hold secrets (`.ssh`, `.env*`, `*.pem`, `id_ed25519*`, …) altogether;
/// * version-control folders altogether;
/// * **writing** what a coding agent, an editor or a shell reads as instructions
///   (`CLAUDE.md`, `AGENTS.md`, `mcp.json`, `.vscode`, `.bashrc`, …): text planted there
///   runs later, with the user's rights (the CurXecute class, CVE-2025-54135). These rules
///   are locked: no builder method opens them for writing;
/// * every other name that starts with a dot.
///
/// ```
/// use mcp_secure::capability::fs::{Access, FsPolicy};
///
/// let policy = FsPolicy::default()
///     .allow(".gitignore", Access::Write)?
///     .deny("drafts", "drafts are not for tools")?;
/// # Ok::<(), mcp_secure::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FsPolicy {
    rules: Vec<Rule>,
    allowed: HashMap<Box<str>, Access>,
    dotfiles: bool,
    pub(super) links: bool,
    pub(super) hard_links: bool,
    pub(super) mounts: bool,
}

impl Default for FsPolicy {
    fn default() -> Self {
        Self {
            rules: rules::all().collect(),
            allowed: HashMap::new(),
            dotfiles: false,
            links: true,
            hard_links: false,
            mounts: false,
        }
    }
}

impl FsPolicy {
    /// Opens one name, against every rule that closes it and is not locked.
    ///
    /// # Errors
    ///
    /// If the name is not a single name, or is asked for writing although a rule on it is
    /// locked.
    pub fn allow(mut self, name: &str, access: Access) -> Result<Self> {
        let folded = single_name(name)?;
        let locked = |rule: &&Rule| rule.is_locked_for(access) && rule.matches(&folded);
        if let Some(rule) = self.rules.iter().find(locked) {
            return Err(Error::new(format!(
                "`{name}` cannot be opened: the rule `{}` is locked ({})",
                rule.pattern, rule.reason
            ))
            .help("use another name, or allow it for reading only"));
        }
        let entry = self.allowed.entry(folded.into()).or_insert(access);
        *entry = (*entry).max(access);
        Ok(self)
    }

    /// Opens names that start with a dot, unless another rule closes them.
    #[must_use]
    pub fn allow_dotfiles(mut self) -> Self {
        self.dotfiles = true;
        self
    }

    /// Opens files that have a second name. Content-addressed stores (pnpm, git-annex) need
    /// it; the second name may be that of a file outside the folder.
    #[must_use]
    pub fn allow_hard_links(mut self) -> Self {
        self.hard_links = true;
        self
    }

    /// Lets paths cross into file systems that are mounted below the folder.
    #[must_use]
    pub fn allow_mounts(mut self) -> Self {
        self.mounts = true;
        self
    }

    /// Refuses to follow symbolic links for reading as well. By default those that stay in
    /// the folder are followed, and the policy is checked on what they lead to.
    #[must_use]
    pub fn refuse_symlinks(mut self) -> Self {
        self.links = false;
        self
    }

    /// Closes a name, or all names of a pattern with one `*`, altogether.
    ///
    /// # Errors
    ///
    /// If the pattern is more than one name or has more than one `*`.
    pub fn deny(self, pattern: &str, reason: &'static str) -> Result<Self> {
        self.rule(pattern, Access::Read, reason)
    }

    /// Closes a name, or all names of a pattern with one `*`, against change.
    ///
    /// # Errors
    ///
    /// If the pattern is more than one name or has more than one `*`.
    pub fn deny_write(self, pattern: &str, reason: &'static str) -> Result<Self> {
        self.rule(pattern, Access::Write, reason)
    }

    /// The rules, for whoever has to show them.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    fn rule(mut self, pattern: &str, closes: Access, reason: &'static str) -> Result<Self> {
        if pattern.matches('*').count() > 1 {
            return Err(Error::new(format!("`{pattern}` has more than one `*`"))
                .help("write one rule for each shape of name"));
        }
        let folded = match pattern.split_once('*') {
            None => single_name(pattern)?,
            Some((start, end)) => format!("{}*{}", fold(start), fold(end)),
        };
        if folded.contains(['/', '\\']) || matches!(&*folded, "" | "*") {
            return Err(not_a_name(pattern));
        }
        // What an author closes holds against every exception, before or after.
        let rule = Rule {
            pattern: folded.into(),
            closes,
            locked: Some(closes),
            reason,
        };
        self.rules.push(rule);
        Ok(self)
    }
}

/// A policy made ready for lookups, which happen for every name of every path: rules are
/// found by the first letter of what they match, or by the last where they start with `*`.
pub(super) struct Compiled {
    policy: FsPolicy,
    by_first: [Vec<Matcher>; LETTERS],
    by_last: [Vec<Matcher>; LETTERS],
    /// The stems of the DOS 8.3 names that closed names would get.
    stems: HashSet<Box<str>>,
}

/// A rule, taken apart. Without a `*` there is no end.
struct Matcher {
    start: Box<str>,
    end: Option<Box<str>>,
    rule: Rule,
}

impl Matcher {
    fn matches(&self, folded: &str) -> bool {
        match &self.end {
            None => *self.start == *folded,
            Some(end) => has_shape(folded, &self.start, end),
        }
    }
}

/// Bytes of UTF-8.
const LETTERS: usize = 256;

impl Compiled {
    pub(super) fn new(policy: FsPolicy) -> Self {
        let mut by_first = [const { Vec::new() }; LETTERS];
        let mut by_last = [const { Vec::new() }; LETTERS];
        for rule in policy.rules().cloned() {
            let (start, end) = match rule.pattern.split_once('*') {
                None => (&*rule.pattern, None),
                Some((start, end)) => (start, Some(end)),
            };
            let list = match start.bytes().next() {
                Some(first) => by_first.get_mut(usize::from(first)),
                None => end
                    .and_then(|end| end.bytes().next_back())
                    .and_then(|last| by_last.get_mut(usize::from(last))),
            };
            let (start, end) = (start.into(), end.map(Into::into));
            if let Some(list) = list {
                list.push(Matcher { start, end, rule });
            }
        }
        let stems = policy
            .rules()
            .filter_map(|rule| short_stem(&rule.pattern))
            .collect();
        Self {
            policy,
            by_first,
            by_last,
            stems,
        }
    }

    /// The policy it was made from.
    pub(super) fn policy(&self) -> &FsPolicy {
        &self.policy
    }

    /// Checks every component.
    pub(super) fn check(&self, path: &RelPath, access: Access) -> Result<(), FsError> {
        for name in path.components() {
            self.check_name(name, access)
                .map_err(|rule| FsError::Denied {
                    path: path.clone(),
                    rule: rule.pattern.clone().into_owned(),
                    reason: rule.reason,
                })?;
        }
        Ok(())
    }

    /// Checks one name; the error is the rule that closes it.
    pub(super) fn check_name<'a>(&'a self, name: &str, access: Access) -> Result<(), &'a Rule> {
        let folded = fold(name);
        let exceptions = &self.policy.allowed;
        let allowed = !exceptions.is_empty()
            && exceptions
                .get(&*folded)
                .is_some_and(|allowed| access <= *allowed);
        // A rule on writing closes writing only; one on reading closes both.
        let closes =
            |rule: &&Rule| rule.closes <= access && (!allowed || rule.is_locked_for(access));
        let list = |lists: &'a [Vec<Matcher>; LETTERS], letter: Option<u8>| {
            letter
                .and_then(|letter| lists.get(usize::from(letter)))
                .into_iter()
                .flatten()
        };
        let found = list(&self.by_first, folded.bytes().next())
            .chain(list(&self.by_last, folded.bytes().next_back()))
            .filter(|matcher| matcher.matches(&folded))
            .map(|matcher| &matcher.rule)
            .find(closes);
        if let Some(rule) = found {
            return Err(rule);
        }
        if allowed {
            return Ok(());
        }
        if folded.starts_with('.') && !self.policy.dotfiles {
            return Err(&rules::DOTFILE);
        }
        if folded.is_empty() {
            return Err(&rules::INVISIBLE);
        }
        if folded.contains('~') && self.is_short_name(&folded) {
            return Err(&rules::SHORT_NAME);
        }
        Ok(())
    }

    /// Whether this is what DOS would call a closed name: `GIT~1` for `.git`, `CLAUDE~1.MD`
    /// for `CLAUDE.local.md`, `GI7EBA~1` once four such names exist.
    fn is_short_name(&self, folded: &str) -> bool {
        let base = folded.split('.').next().unwrap_or_default();
        let Some((stem, number)) = base.rsplit_once('~') else {
            return false;
        };
        if base.len() > 8 || number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return false;
        }
        let hashed = match stem.split_at_checked(2) {
            Some((start, hash)) if hash.len() == 4 => {
                hash.bytes().all(|b| b.is_ascii_hexdigit()).then_some(start)
            }
            _ => None,
        };
        self.stems.iter().any(|closed| {
            // With a longer number there is room for fewer letters of the name.
            closed.starts_with(stem) && (stem.len() + number.len() >= 7 || stem == &**closed)
                || hashed.is_some_and(|start| closed.starts_with(start))
        })
    }
}

/// Up to six letters that start the 8.3 name of a name that needs one.
fn short_stem(pattern: &str) -> Option<Box<str>> {
    let name = pattern
        .split('*')
        .next()
        .unwrap_or_default()
        .trim_start_matches('.');
    let base = name.rsplit_once('.').map_or(name, |(base, _)| base);
    let stem: String = base
        .chars()
        .filter(|c| !matches!(c, '.' | ' '))
        .take(6)
        .collect();
    (!stem.is_empty()).then(|| stem.into())
}

fn single_name(name: &str) -> Result<String> {
    let parsed = RelPath::parse(name).map_err(|_| not_a_name(name))?;
    if parsed.is_root() || parsed.components().count() != 1 || name.contains('*') {
        return Err(not_a_name(name));
    }
    Ok(fold(name).into_owned())
}

fn not_a_name(name: &str) -> Error {
    Error::new(format!("`{name}` is not a single name")).help(
        "rules are about one component of a path, such as `.gitignore`; they hold at any depth",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn closed(policy: &Compiled, name: &str, access: Access) -> bool {
        policy.check_name(name, access).is_err()
    }

    #[test]
    fn disguises_of_a_closed_name_are_closed() {
        let policy = Compiled::new(FsPolicy::default().allow_dotfiles());
        for name in [
            ".git",
            ".GIT",
            ".Git",
            ".git.",
            ".git ",
            ".git. .",
            ".g\u{200b}it",
            ".gi\u{200c}t",
            "\u{feff}.git",
            ".git::$INDEX_ALLOCATION",
            ".git:x",
            "GIT~1",
            "git~2",
            "\u{ff0e}git",
            ".ｇｉｔ",
            ".ßh",
            ".\u{17f}sh",
            "SSH~1",
            ".ENV.local",
            ".env",
            "ENV~1",
            "server.PEM",
            "server.pem.",
            "x.ke\u{ad}y",
            "ID_RSA",
            "id_ed25519.pub",
            "ID_ED2~1",
            "GI7EBA~1",
            ".\u{212a}ube",
        ] {
            assert!(closed(&policy, name, Access::Read), "{name:?}");
            assert!(closed(&policy, name, Access::Write), "{name:?}");
        }
    }

    #[test]
    fn what_agents_and_shells_obey_is_readable_but_not_writable() {
        let policy = Compiled::new(FsPolicy::default().allow_dotfiles());
        for name in [
            "CLAUDE.md",
            "claude.MD",
            "CLAUDE.md.",
            "CLAU\u{200d}DE.md",
            "AGENTS.md",
            "GEMINI.md",
            "mcp.json",
            ".mcp.json",
            ".cursor",
            ".Cursor ",
            ".vscode",
            ".claude",
            ".bashrc",
            ".clinerules",
            ".windsurfrules",
            "copilot-instructions.md",
            "CLAUDE~1.MD",
            "x.code-workspace",
        ] {
            assert!(closed(&policy, name, Access::Write), "{name:?}");
        }
        assert!(!closed(&policy, "CLAUDE.md", Access::Read));
        assert!(!closed(&policy, ".vscode", Access::Read));
    }

    #[test]
    fn ordinary_names_are_open() {
        let policy = Compiled::new(FsPolicy::default());
        for name in [
            "notes.md",
            "git",
            "github",
            "environment.md",
            "Makefile",
            "claude.txt",
            "a~b",
            "key",
            "monkey",
            "x.md~",
            "report~draft.md",
            "2026-05-01T10:00:00.log",
            "日本語.md",
            "NOTES~1.MD",
            "backup~12.txt",
            "it~1",
        ] {
            assert!(!closed(&policy, name, Access::Write), "{name:?}");
        }
        for name in [".x", "...", "..x", "\u{200b}.x", "\u{200b}"] {
            assert!(closed(&policy, name, Access::Read), "{name:?}");
        }
    }

    #[test]
    fn exceptions_open_one_name_and_never_a_locked_one() {
        let policy = FsPolicy::default()
            .allow(".gitignore", Access::Write)
            .unwrap();
        let policy = Compiled::new(policy.allow(".git", Access::Read).unwrap());
        assert!(!closed(&policy, ".gitignore", Access::Write));
        assert!(!closed(&policy, ".GitIgnore", Access::Write));
        assert!(!closed(&policy, ".git", Access::Read));
        assert!(closed(&policy, ".git", Access::Write));
        assert!(closed(&policy, ".gitmodules", Access::Write));
        for locked in [".git", "CLAUDE.md", ".BASHRC", "mcp.json", ".envrc"] {
            assert!(
                FsPolicy::default().allow(locked, Access::Write).is_err(),
                "{locked}"
            );
        }
        assert!(FsPolicy::default().allow("a/b", Access::Read).is_err());
        assert!(FsPolicy::default().allow("*.pem", Access::Read).is_err());
    }

    #[test]
    fn an_authors_own_rule_holds_against_an_exception() {
        let policy = FsPolicy::default().allow("a.draft", Access::Read).unwrap();
        let policy = policy
            .deny("*.Draft", "x")
            .unwrap()
            .deny_write("log", "x")
            .unwrap();
        assert!(policy.clone().allow("b.draft", Access::Read).is_err());
        let policy = Compiled::new(policy);
        assert!(closed(&policy, "a.DRAFT", Access::Read));
        assert!(closed(&policy, "LOG", Access::Write));
        assert!(!closed(&policy, "log", Access::Read));
        for bad in ["a/b", "a*b*c", "", "*", "*/x", ".."] {
            assert!(FsPolicy::default().deny(bad, "x").is_err(), "{bad}");
        }
    }

    #[test]
    fn no_rule_is_written_in_a_form_that_folding_never_yields() {
        for rule in rules::all() {
            let name = format!("{}x", rule.pattern.replace('*', "x"));
            assert_eq!(*fold(&name), name, "{rule:?}");
            assert!(rule.pattern.matches('*').count() <= 1, "{rule:?}");
        }
    }
}
