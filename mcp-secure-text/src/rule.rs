//! The stable names of the rules, as they stand in [`Finding::rule`](crate::Finding::rule).
//!
//! A name is never reused for something else; new rules get new names.

/// Unicode tag characters, U+E0000 to U+E007F: a second ASCII that nobody sees. They are right in
/// the flags of England, Scotland and Wales, the three that Unicode recommends, and nowhere else.
pub const TAG_CHARACTER: &str = "hidden/tag-character";

/// Variation selectors where none belongs: each carries one byte or half a one. Right are one
/// selector after an emoji, a keycap (`1` to `9`, `#`, `*` before U+20E3), an ideograph, a
/// Mongolian letter, or a character with standardised variants.
pub const VARIATION_SELECTOR: &str = "hidden/variation-selector";

/// Zero width space, joiner, non-joiner, word joiner and byte order mark. Right are joiners inside
/// emoji and next to letters of joining scripts, and spaces next to letters of scripts that are
/// written without visible ones.
pub const ZERO_WIDTH: &str = "hidden/zero-width";

/// Embeddings, overrides and isolates of text direction (CVE-2021-42574): what a person sees is
/// not the order a model reads.
pub const BIDI_CONTROL: &str = "hidden/bidi-control";

/// A left-to-right, right-to-left or Arabic letter mark in text that has no right-to-left letter
/// before it or on its line, or more than one of them in a row.
pub const DIRECTION_MARK: &str = "hidden/direction-mark";

/// Letters with no shape (Hangul fillers, Khmer inherent vowels, the Mongolian vowel separator)
/// outside the syllables they belong to.
pub const FILLER: &str = "hidden/filler";

/// A blank Braille cell away from Braille text.
pub const BRAILLE_BLANK: &str = "hidden/braille-blank";

/// A combining grapheme joiner that does not stand between two marks.
pub const GRAPHEME_JOINER: &str = "hidden/grapheme-joiner";

/// A soft hyphen. Hyphenated words are no attack, so one alone is a warning; two with less than
/// two letters between them are no hyphenation.
pub const SOFT_HYPHEN: &str = "hidden/soft-hyphen";

/// Invisible times, plus, separator and function application, U+2061 to U+2064.
pub const MATH_OPERATOR: &str = "hidden/math-operator";

/// Format characters that Unicode has deprecated, U+206A to U+206F.
pub const DEPRECATED_FORMAT: &str = "hidden/deprecated-format";

/// Any other invisible format character (shorthand, musical, hieroglyphic) away from the
/// characters it formats.
pub const FORMAT_CHARACTER: &str = "hidden/format-character";

/// Interlinear annotation, U+FFF9 to U+FFFB.
pub const ANNOTATION: &str = "hidden/annotation";

/// The object replacement character.
pub const OBJECT_REPLACEMENT: &str = "hidden/object-replacement";

/// Code points that Unicode keeps free for invisible characters of the future.
pub const IGNORABLE: &str = "hidden/ignorable";

/// Noncharacters, such as U+FFFE.
pub const NONCHARACTER: &str = "hidden/noncharacter";

/// Private-use characters: each font, and each model, reads them in its own way.
pub const PRIVATE_USE: &str = "hidden/private-use";

/// C0 and C1 control characters that are not line breaks.
pub const CONTROL: &str = "hidden/control";

/// A terminal escape sequence (ECMA-48 CSI, OSC, DCS and others), as one finding.
pub const ESCAPE_SEQUENCE: &str = "hidden/escape-sequence";

/// A carriage return that no line feed follows: on a terminal it writes over the line before it.
pub const CARRIAGE_RETURN: &str = "hidden/carriage-return";

/// Line and paragraph separator, next line, vertical tab and form feed.
pub const LINE_SEPARATOR: &str = "hidden/line-separator";

/// A line break or a tab in a field that has one line.
pub const LINE_BREAK: &str = "hidden/line-break";

/// More than eight combining marks on one character.
pub const COMBINING_RUN: &str = "hidden/combining-run";

/// Space that pushes what follows it out of sight: five line breaks, or sixty spaces, and then more.
pub const PADDING: &str = "structure/padding";

/// A description longer than 8 KiB (a warning) or 16 KiB.
pub const LENGTH: &str = "structure/length";

/// A word of Latin letters and of look-alikes from another alphabet (UTS #39).
pub const MIXED_SCRIPT: &str = "structure/mixed-script";

/// A Markdown link that shows the address of one host and leads to another.
pub const LINK_MISMATCH: &str = "structure/link-mismatch";

/// A link that runs code when it is followed: `javascript:`, `data:text/html`.
pub const ACTIVE_LINK: &str = "structure/active-link";

/// The name of a parameter that asks for a secret or for the conversation.
pub const PARAMETER: &str = "structure/parameter";

// The rules about words; what they are made of is in `wording/`.

/// A demand to ignore, forget or overrule the instructions that came before.
pub const WORDS_OVERRIDE: &str = "wording/override";

/// A demand to set other rules, limits or messages aside.
pub const WORDS_OVERRIDE_RULES: &str = "wording/override-rules";

/// A demand to set safety or security measures aside.
pub const WORDS_SAFETY_BYPASS: &str = "wording/safety-bypass";

/// A promise of work without safety measures, or that nothing will be refused.
pub const WORDS_NO_SAFETY: &str = "wording/no-safety";

/// A demand to be somebody else: an unrestricted model, an administrator, a shell.
pub const WORDS_PERSONA: &str = "wording/persona";

/// The name of a role that models are talked into.
pub const WORDS_PERSONA_NAME: &str = "wording/persona-name";

/// An announcement of other instructions or of another task.
pub const WORDS_NEW_TASK: &str = "wording/new-task";

/// A demand to show the instructions of the model.
pub const WORDS_SYSTEM_PROMPT: &str = "wording/system-prompt";

/// The instructions of the model, spoken of at all.
pub const WORDS_SYSTEM_PROMPT_MENTIONED: &str = "wording/system-prompt-mentioned";

/// A demand not to tell, show or ask the person.
pub const WORDS_CONCEAL: &str = "wording/conceal";

/// A demand to act without consent or confirmation.
pub const WORDS_NO_CONSENT: &str = "wording/no-consent";

/// Acts that are to go unnoticed.
pub const WORDS_SECRETLY: &str = "wording/secretly";

/// A demand for a file that holds secrets.
pub const WORDS_SECRET_FILE: &str = "wording/secret-file";

/// A demand for credentials, by general words.
pub const WORDS_SECRET_STORE: &str = "wording/secret-store";

/// A demand to pass on secrets, the conversation or data about people.
pub const WORDS_EXFILTRATION: &str = "wording/exfiltration";

/// Sending to an address, or to somewhere else in general.
pub const WORDS_SEND_AWAY: &str = "wording/send-away";

/// A demand for the conversation.
pub const WORDS_CONVERSATION: &str = "wording/conversation";

/// Mark-up that claims to be more than text: `<IMPORTANT>`, `[HIDDEN]`.
pub const WORDS_TAG: &str = "wording/tag";

/// A heading that claims to come from the system, or to be meant for the model.
pub const WORDS_HEADING: &str = "wording/heading";

/// An order in the name of the system, as in a transcript.
pub const WORDS_SPEAKER: &str = "wording/speaker";

/// Orders to the model rather than words about the tool.
pub const WORDS_COMMAND_MODEL: &str = "wording/command-model";

/// A control token of a chat format: `<|im_start|>`, `[INST]`.
pub const WORDS_CHAT_TOKEN: &str = "wording/chat-token";

/// A demand to be used before or instead of all other tools.
pub const WORDS_PREFER: &str = "wording/prefer";

/// A demand to change where other messages go.
pub const WORDS_REDIRECT: &str = "wording/redirect";

/// Orders in markup that nobody sees: comments, `display:none`.
pub const WORDS_HIDDEN_MARKUP: &str = "wording/hidden-markup";

/// Markup that nobody sees, in a description.
pub const WORDS_HIDDEN_COMMENT: &str = "wording/hidden-comment";

/// An image whose address carries data away.
pub const WORDS_IMAGE_LEAK: &str = "wording/image-leak";

/// A demand to decode something and read it.
pub const WORDS_DECODE: &str = "wording/decode";

/// A demand for obedience.
pub const WORDS_OBEY: &str = "wording/obey";

/// A demand to move money.
pub const WORDS_MONEY: &str = "wording/money";

/// A claim that an earlier answer was wrong.
pub const WORDS_FLAWED: &str = "wording/flawed";

/// A demand to remember something for good.
pub const WORDS_REMEMBER: &str = "wording/remember";

/// A demand to approve on behalf of the person.
pub const WORDS_APPROVE: &str = "wording/approve";

/// A command to run that does harm or comes from elsewhere.
pub const WORDS_COMMAND: &str = "wording/command";

/// Attacks by their plain names.
pub const WORDS_HARM: &str = "wording/harm";

/// A demand for certain words in the answer.
pub const WORDS_ANSWER: &str = "wording/answer";

/// A demand to use a certain tool, in what a tool returned.
pub const WORDS_USE_TOOL: &str = "wording/use-tool";

/// Urgency.
pub const WORDS_URGENT: &str = "wording/urgent";

/// A claim to speak for the vendor, the administrator or the law.
pub const WORDS_AUTHORITY: &str = "wording/authority";

/// A demand to destroy data.
pub const WORDS_DESTROY: &str = "wording/destroy";

/// Sending or running something without the consent of the person.
pub const WORDS_UNASKED: &str = "wording/unasked";

/// Sending to a place that is named by nobody: third parties, our cloud.
pub const WORDS_SEND_ELSEWHERE: &str = "wording/send-elsewhere";

/// A step that must come before anything else.
pub const WORDS_STEP: &str = "wording/step";

/// A demand to change how other tools are called.
pub const WORDS_OTHER_CALL: &str = "wording/other-call";

/// Praise of itself together with a demand to be chosen.
pub const WORDS_CLAIMS: &str = "wording/claims";

/// A demand to be chosen.
pub const WORDS_CHOOSE: &str = "wording/choose";

/// A demand for what only the model has: its context, its reasoning, its list of tools.
pub const WORDS_INNER: &str = "wording/inner";

/// A demand for the value of a secret.
pub const WORDS_VALUE_OF: &str = "wording/value-of";

/// Words that keep the person from knowing.
pub const WORDS_KEEP_HIDDEN: &str = "wording/keep-hidden";

/// A claim that the person has agreed already.
pub const WORDS_AGREED: &str = "wording/agreed";

/// A claim about what the person wants, or that it does not count.
pub const WORDS_USER_WILL: &str = "wording/user-will";

/// Text that is to be taken for instructions.
pub const WORDS_AS_ORDERS: &str = "wording/as-orders";

/// The model, spoken to by name.
pub const WORDS_CALL_MODEL: &str = "wording/call-model";

/// The model, spoken to by name and given an order.
pub const WORDS_CALL_MODEL_TO: &str = "wording/call-model-to";

/// Rights handed out by a text.
pub const WORDS_PRIVILEGE: &str = "wording/privilege";

/// A claim to outweigh other instructions.
pub const WORDS_PRECEDENCE: &str = "wording/precedence";

/// Words that write to the memory of the model.
pub const WORDS_MEMORY: &str = "wording/memory";

/// A demand to pay.
pub const WORDS_SPEND: &str = "wording/spend";

/// Fetching a program and running it.
pub const WORDS_REMOTE_RUN: &str = "wording/remote-run";

/// Silence that may be honest, and may not.
pub const WORDS_SILENTLY: &str = "wording/silently";

/// A demand for a secret of the person.
pub const WORDS_USER_SECRET: &str = "wording/user-secret";

/// Fetching a program and running it, as a command line.
pub const WORDS_RUN_THIS: &str = "wording/run-this";

/// The escape of a terminal control, a tag character or a bidirectional override.
pub const WORDS_ESCAPED_CONTROL: &str = "wording/escaped-control";

/// An order not to tell the person.
pub const WORDS_DONT_TELL: &str = "wording/dont-tell";

/// A demand about everything the model will say.
pub const WORDS_ALL_ANSWERS: &str = "wording/all-answers";

/// A demand to send something somewhere.
pub const WORDS_MUST_SEND: &str = "wording/must-send";

/// A value that an interpreter would run, in a default, an example or an enumeration.
pub const WORDS_INJECTION: &str = "wording/injection";

/// All rules.
///
/// ```
/// use mcp_secure_text::rule;
/// assert!(rule::ALL.contains(&rule::ZERO_WIDTH));
/// ```
pub const ALL: &[&str] = &[
    TAG_CHARACTER,
    VARIATION_SELECTOR,
    ZERO_WIDTH,
    BIDI_CONTROL,
    DIRECTION_MARK,
    FILLER,
    BRAILLE_BLANK,
    GRAPHEME_JOINER,
    SOFT_HYPHEN,
    MATH_OPERATOR,
    DEPRECATED_FORMAT,
    FORMAT_CHARACTER,
    ANNOTATION,
    OBJECT_REPLACEMENT,
    IGNORABLE,
    NONCHARACTER,
    PRIVATE_USE,
    CONTROL,
    ESCAPE_SEQUENCE,
    CARRIAGE_RETURN,
    LINE_SEPARATOR,
    LINE_BREAK,
    COMBINING_RUN,
    PADDING,
    LENGTH,
    MIXED_SCRIPT,
    LINK_MISMATCH,
    ACTIVE_LINK,
    PARAMETER,
    WORDS_OVERRIDE,
    WORDS_OVERRIDE_RULES,
    WORDS_SAFETY_BYPASS,
    WORDS_NO_SAFETY,
    WORDS_PERSONA,
    WORDS_PERSONA_NAME,
    WORDS_NEW_TASK,
    WORDS_SYSTEM_PROMPT,
    WORDS_SYSTEM_PROMPT_MENTIONED,
    WORDS_CONCEAL,
    WORDS_NO_CONSENT,
    WORDS_SECRETLY,
    WORDS_SECRET_FILE,
    WORDS_SECRET_STORE,
    WORDS_EXFILTRATION,
    WORDS_SEND_AWAY,
    WORDS_CONVERSATION,
    WORDS_TAG,
    WORDS_HEADING,
    WORDS_SPEAKER,
    WORDS_COMMAND_MODEL,
    WORDS_CHAT_TOKEN,
    WORDS_PREFER,
    WORDS_REDIRECT,
    WORDS_HIDDEN_MARKUP,
    WORDS_HIDDEN_COMMENT,
    WORDS_IMAGE_LEAK,
    WORDS_DECODE,
    WORDS_OBEY,
    WORDS_MONEY,
    WORDS_FLAWED,
    WORDS_REMEMBER,
    WORDS_APPROVE,
    WORDS_COMMAND,
    WORDS_HARM,
    WORDS_ANSWER,
    WORDS_USE_TOOL,
    WORDS_URGENT,
    WORDS_AUTHORITY,
    WORDS_DESTROY,
    WORDS_UNASKED,
    WORDS_SEND_ELSEWHERE,
    WORDS_STEP,
    WORDS_OTHER_CALL,
    WORDS_CLAIMS,
    WORDS_CHOOSE,
    WORDS_INNER,
    WORDS_VALUE_OF,
    WORDS_KEEP_HIDDEN,
    WORDS_AGREED,
    WORDS_USER_WILL,
    WORDS_AS_ORDERS,
    WORDS_CALL_MODEL,
    WORDS_CALL_MODEL_TO,
    WORDS_PRIVILEGE,
    WORDS_PRECEDENCE,
    WORDS_MEMORY,
    WORDS_SPEND,
    WORDS_REMOTE_RUN,
    WORDS_SILENTLY,
    WORDS_USER_SECRET,
    WORDS_RUN_THIS,
    WORDS_ESCAPED_CONTROL,
    WORDS_DONT_TELL,
    WORDS_ALL_ANSWERS,
    WORDS_MUST_SEND,
    WORDS_INJECTION,
];

/// What is known of a rule: why it is there, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// Its stable name.
    pub id: &'static str,
    /// What the author of a text should do.
    pub advice: &'static str,
    /// Where the attack is described.
    pub source: &'static str,
}

/// What is known of the rule `id`, one of [`ALL`].
///
/// ```
/// use mcp_secure_text::rule;
///
/// let about = rule::about(rule::WORDS_DECODE).unwrap();
/// assert_eq!(about.advice, "write what it says");
/// assert!(rule::about("hidden/nothing").is_none());
/// ```
pub fn about(id: &str) -> Option<About> {
    let id = ALL.iter().find(|known| **known == id).copied()?;
    let source = match id {
        BIDI_CONTROL | DIRECTION_MARK => "CVE-2021-42574, Trojan Source; UTS #55",
        ESCAPE_SEQUENCE | CONTROL | CARRIAGE_RETURN => {
            "Trail of Bits, Deceiving users with ANSI terminal codes in MCP (2025)"
        }
        TAG_CHARACTER => "Goodside, ASCII smuggling (2024); UTS #51, Emoji tag sequences",
        VARIATION_SELECTOR => "Butler, Smuggling arbitrary data through an emoji (2025)",
        MIXED_SCRIPT => "UTS #39, Unicode Security Mechanisms",
        PADDING | LENGTH => "Invariant Labs, MCP tool poisoning (2025)",
        LINK_MISMATCH | ACTIVE_LINK => "OWASP LLM05:2025 Improper Output Handling",
        PARAMETER => "HiddenLayer, parameter abuse (2025)",
        _ => match crate::wording::about(id) {
            Some((advice, source)) => return Some(About { id, advice, source }),
            None => "UTR #36, Unicode Security Considerations",
        },
    };
    Some(About {
        id,
        advice: advice(id),
        source,
    })
}

/// What to do about a finding of `rule`, in one sentence for the author of the text.
pub(crate) fn advice(rule: &'static str) -> &'static str {
    match rule {
        TAG_CHARACTER => "remove it: tag characters spell text that only a model reads",
        VARIATION_SELECTOR => "remove it: a selector belongs after an emoji or an ideograph, once",
        ZERO_WIDTH => "remove it: it splits or hides words without a trace",
        BIDI_CONTROL => "remove it: it shows the text in another order than it is read",
        DIRECTION_MARK => "remove it: a direction mark belongs next to right-to-left text, once",
        FILLER | BRAILLE_BLANK => "remove it, or write a space",
        GRAPHEME_JOINER => "remove it: it belongs between two combining marks",
        SOFT_HYPHEN => "remove it: nothing here hyphenates",
        MATH_OPERATOR => "remove it, or write the operator",
        DEPRECATED_FORMAT => "remove it: Unicode has deprecated it",
        FORMAT_CHARACTER => "remove it: what it formats is not here",
        ANNOTATION => "remove it, and write the annotation in brackets",
        OBJECT_REPLACEMENT => "remove it: the object it stands for is not here",
        IGNORABLE | NONCHARACTER => "remove it: it is no character",
        PRIVATE_USE => "remove it: it means something else in every font",
        CONTROL => "remove it",
        ESCAPE_SEQUENCE => "remove it: on a terminal it changes or hides what is shown",
        CARRIAGE_RETURN => "write a line feed",
        LINE_SEPARATOR => "write a line feed, or a space where there is one line",
        LINE_BREAK => "write a space: this field has one line",
        COMBINING_RUN => "keep the first eight marks",
        PADDING => "remove it: it pushes what follows out of sight",
        LENGTH => "shorten it: nobody reads that much before approving a tool",
        MIXED_SCRIPT => "write the word in one alphabet",
        LINK_MISMATCH => "show the address that the link leads to",
        ACTIVE_LINK => "remove it: following it runs code",
        PARAMETER => "ask for what the tool needs under its own name",
        _ => "remove it",
    }
}
