//! Control tokens of chat formats: what a model takes for the end of a message and the start of
//! another, wherever it stands.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

/// The tokens, in lower case. Sources: the chat templates that the makers of the models publish
/// (ChatML, Llama 2 to 4, Mistral, Gemma, Phi, DeepSeek, gpt-oss harmony).
pub(crate) const TOKENS: &[&str] = &[
    "<|im_start|>",
    "<|im_end|>",
    "<|im_sep|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|tool|>",
    "<|tool_call|>",
    "<|tool_response|>",
    "<|endoftext|>",
    "<|endofprompt|>",
    "<|end|>",
    "<|start|>",
    "<|channel|>",
    "<|message|>",
    "<|return|>",
    "<|call|>",
    "<|eot|>",
    "<|eot_id|>",
    "<|eom|>",
    "<|eom_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|header_start|>",
    "<|header_end|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|python_tag|>",
    "<|ipython|>",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    "<|plugin|>",
    "<｜user｜>",
    "<｜assistant｜>",
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<<sys>>",
    "<</sys>>",
    "[inst]",
    "[/inst]",
    "[system_prompt]",
    "[/system_prompt]",
    "[available_tools]",
    "[/available_tools]",
    "[tool_calls]",
    "[tool_results]",
    "[/tool_results]",
];

/// The longest token, in bytes.
pub(crate) const MAX_TOKEN: usize = 32;

static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let built = AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .build(TOKENS);
    match built {
        Ok(built) => built,
        // Fifty short constants cannot be too many.
        Err(error) => unreachable!("{error}"),
    }
});

/// `text` with a space inside each token, which makes it text like any other, and how many there
/// were. A text without tokens is handed through.
pub(crate) fn neutralise(text: Cow<'_, str>) -> (Cow<'_, str>, usize) {
    if FINDER.find(text.as_bytes()).is_none() {
        return (text, 0);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut kept = 0;
    let mut count = 0;
    for token in FINDER.find_iter(text.as_bytes()) {
        // The first character of each token is one byte.
        let cut = token.start() + 1;
        out.push_str(text.get(kept..cut).unwrap_or_default());
        out.push(' ');
        kept = cut;
        count += 1;
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    (Cow::Owned(out), count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(text: &str) -> String {
        neutralise(Cow::Borrowed(text)).0.into_owned()
    }

    #[test]
    fn tokens_become_text() {
        assert_eq!(done("a<|im_start|>system"), "a< |im_start|>system");
        assert_eq!(done("[INST] x [/inst]"), "[ INST] x [ /inst]");
        assert_eq!(done("a < b, x[i], <b>bold</b>"), "a < b, x[i], <b>bold</b>");
    }

    #[test]
    fn tokens_are_lower_case_short_and_begin_with_a_sign() {
        for token in TOKENS {
            assert!(token.len() <= MAX_TOKEN, "{token}");
            assert_eq!(*token, token.to_lowercase());
            assert!(token.starts_with(['<', '[']));
            assert!(!token.contains(' '));
        }
    }

    #[test]
    fn once_is_enough_wherever_tokens_meet() {
        for one in TOKENS {
            for other in TOKENS {
                for shared in 0..other.len().min(one.len()) {
                    // The end of one may be the start of the other.
                    let Some(rest) = other.get(shared..) else {
                        continue;
                    };
                    let once = done(&format!("{one}{rest}"));
                    assert_eq!(done(&once), once, "{one} {rest}");
                }
                let once = done(&format!("<{one}[{other}"));
                assert_eq!(done(&once), once);
            }
        }
    }
}
