//! The one thing that symbols do not show and sources do: instructions written by hand.

use std::path::PathBuf;

/// The first file that has `asm!` or one of its kind outside of a line comment, by its name.
pub(super) fn first_asm(sources: &[PathBuf]) -> Option<String> {
    let mut sources: Vec<_> = sources.iter().collect();
    sources.sort();
    sources
        .into_iter()
        .find(|path| {
            std::fs::read(path).is_ok_and(|bytes| has_asm(&String::from_utf8_lossy(&bytes)))
        })
        .map(|path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        })
}

fn has_asm(text: &str) -> bool {
    text.lines().any(|line| {
        let code = line.split("//").next().unwrap_or_default();
        let mut rest = code;
        while let Some(at) = rest.find("asm!") {
            let before = rest.get(..at).unwrap_or_default();
            // `asm!`, `global_asm!` and `naked_asm!`, not `llvm_asm!` or `my_asm!`.
            let word: &str = before
                .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()
                .unwrap_or_default();
            if matches!(word, "" | "global_" | "naked_") {
                return true;
            }
            rest = rest.get(at + 4..).unwrap_or_default();
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_or_another_macro_is_no_instruction() {
        assert!(has_asm("core::arch::asm!(\"syscall\")"));
        assert!(has_asm("  global_asm! {"));
        assert!(!has_asm("// like asm!(\"nop\")\nlet a = miasm!();"));
    }
}
