//! What words do together: the rules.
//!
//! A rule names a mechanism: who is spoken to, what is demanded, what must not be told. Its weight
//! says how much of the evidence it is; from [`ENOUGH`] on, a text is flagged.

use super::lexicon::*;

/// The evidence that flags a text.
pub(super) const ENOUGH: u32 = 100;

/// One mechanism.
#[derive(Debug)]
#[cfg_attr(not(test), allow(dead_code))]
pub(super) struct Rule {
    pub(super) id: &'static str,
    /// What the author of the text should do.
    pub(super) advice: &'static str,
    /// Where the attack is described.
    pub(super) source: &'static str,
    /// Weight in a description, and in what a tool returns.
    pub(super) weight: (u32, u32),
    /// Classes in order, each with the most bytes between it and the one before.
    pub(super) patterns: &'static [Pattern],
    /// Texts it must flag.
    pub(super) attacks: &'static [&'static str],
    /// Texts of the same words that it must leave alone.
    pub(super) honest: &'static [&'static str],
}

pub(super) type Pattern = &'static [(usize, Classes)];

/// What a stranger is after, by its own name.
/// What a stranger is after, by its own name.
/// What a stranger is after, by its own name.
/// What a stranger is after, by its own name.
/// What a stranger is after, by its own name.
/// What a stranger is after, by its own name.
/// What a stranger is after, by its own name.
/// What a stranger is after, by its own name.
const DATA: Classes = SECRET_FILE | SECRET_PATH | CONVERSATION;
/// The same, in words that honest texts use as well.
const ANY_DATA: Classes = DATA | CREDENTIAL | PERSONAL;
/// To take out or to put in.
const MOVE: Classes = SEND | INCLUDE | TAKE;
/// A place to send things to.
const OUT: Classes = ADDRESS | ELSEWHERE;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "wording/override",
        advice: "say what the tool does: a text has no say over the instructions before it",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (100, 100),
        patterns: &[
            &[(0, OVERRIDE), (24, PRIOR), (28, DIRECTIVE)],
            &[(0, OVERRIDE), (30, DIRECTIVE), (24, PRIOR)],
            &[(0, PRIOR), (24, DIRECTIVE), (24, OVERRIDE)],
            &[(0, OVERRIDE), (12, PRIOR), (12, PRIOR), (20, LAWS)],
            &[(0, OVERRIDE), (12, SYSTEM_PROMPT)],
            &[
                (0, HEADING | TAG),
                (40, OVERRIDE),
                (30, PRIOR | SAFETY | LAWS),
            ],
            &[(0, OVERRIDE), (8, WHOLE), (20, DIRECTIVE)],
            &[(0, OVERRIDE), (3, DIRECTIVE)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/override-rules",
        advice: "do not speak of setting rules aside",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (60, 60),
        patterns: &[
            &[(0, OVERRIDE), (16, PRIOR), (16, LAWS)],
            &[(0, PRIOR), (16, LAWS | SAFETY), (20, OVERRIDE)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/safety-bypass",
        advice: "do not speak of setting safety measures aside",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (100, 100),
        patterns: &[
            &[(0, OVERRIDE), (24, SAFETY)],
            &[(0, SAFETY), (24, OVERRIDE)],
            &[(0, WITHOUT), (30, SAFETY), (40, SAFETY)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/no-safety",
        advice: "do not promise work without safety measures",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (60, 60),
        patterns: &[&[(0, WITHOUT | NOT), (24, SAFETY)], &[(0, UNLIMITED)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/persona",
        advice: "do not give the model another role",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (100, 100),
        patterns: &[
            &[(0, BECOME), (24, PERSONA | JAILBREAK | UNLIMITED)],
            &[(0, PERSONA), (16, BECOME)],
            &[(0, NEW_TASK), (40, BECOME)],
            &[(0, MODEL), (24, UNLIMITED | JAILBREAK)],
            &[(0, JAILBREAK), (24, MODEL)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/persona-name",
        advice: "do not name roles that models are talked into",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (60, 70),
        patterns: &[&[(0, JAILBREAK)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/new-task",
        advice: "do not give the model other instructions",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (50, 70),
        patterns: &[&[(0, NEW_TASK)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/system-prompt",
        advice: "do not ask for the instructions of the model",
        source: "OWASP LLM07:2025 System Prompt Leakage",
        weight: (100, 100),
        patterns: &[
            &[(0, REVEAL), (40, SYSTEM_PROMPT)],
            &[(0, SYSTEM_PROMPT), (40, SEND), (40, OUT)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/system-prompt-mentioned",
        advice: "do not speak of the instructions of the model",
        source: "OWASP LLM07:2025 System Prompt Leakage",
        weight: (40, 30),
        patterns: &[&[(0, SYSTEM_PROMPT)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/conceal",
        advice: "say to the person what happens; nothing a tool does is to be kept from them",
        source: "Invariant Labs, MCP tool poisoning (2025)",
        weight: (60, 60),
        patterns: &[
            &[(0, NOT), (16, TELL), (24, USER)],
            &[(0, NOT), (16, USER), (24, TELL)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/no-consent",
        advice: "leave consent to the person",
        source: "OWASP ASI09 Human-Agent Trust Exploitation",
        weight: (60, 60),
        patterns: &[
            &[(0, WITHOUT), (40, CONSENT)],
            &[(0, NOT), (8, TELL), (40, CONSENT)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/secretly",
        advice: "say openly what happens",
        source: "Invariant Labs, MCP tool poisoning (2025)",
        weight: (60, 60),
        patterns: &[&[(0, SECRETLY)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/secret-file",
        advice: "do not ask for files that hold secrets",
        source: "Invariant Labs, MCP tool poisoning (2025)",
        weight: (100, 60),
        patterns: &[
            &[(0, TAKE | SEND | INCLUDE), (40, SECRET_PATH)],
            &[(0, SECRET_PATH), (30, SEND | INCLUDE | TAKE)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/secret-store",
        advice: "do not ask for stores of secrets",
        source: "Invariant Labs, MCP tool poisoning (2025)",
        weight: (50, 40),
        patterns: &[
            &[(0, TAKE | SEND | INCLUDE), (40, SECRET_FILE)],
            &[(0, TAKE), (16, CREDENTIAL)],
            &[(0, SECRET_FILE), (24, SEND | TAKE)],
            &[(0, TAKES), (30, SECRET_PATH | CREDENTIAL)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/exfiltration",
        advice: "do not ask for data of the person or of the conversation to be passed on",
        source: "CyberArk, full-schema poisoning (2025)",
        weight: (100, 100),
        patterns: &[
            &[(0, SEND), (60, ANY_DATA), (60, OUT)],
            &[(0, SEND | INCLUDE), (50, DATA), (60, SLOT)],
            &[(0, BEFORE), (60, SEND | INCLUDE), (50, DATA)],
            &[(0, BEFORE), (40, TAKE), (30, DATA), (60, SEND | INCLUDE)],
            &[(0, BEFORE), (60, SEND), (30, ANY_DATA), (60, OUT)],
            &[
                (0, SLOT),
                (60, SEND | INCLUDE),
                (50, SECRET_PATH | CONVERSATION),
            ],
            &[(0, TAKE), (40, SECRET_PATH), (60, SEND | INCLUDE)],
            &[(0, HEADING | TAG), (80, TAKE | SEND), (50, ANY_DATA)],
            &[(0, MODEL), (20, MUST), (30, SEND | INCLUDE), (50, ANY_DATA)],
            &[
                (0, MUST),
                (30, SEND | INCLUDE),
                (50, CONVERSATION | SECRET_PATH),
            ],
            &[(0, HARM), (24, ANY_DATA | SYSTEM_PROMPT)],
            &[(0, SEND), (24, PERSONAL), (40, CONVERSATION)],
            &[(0, TAKE), (40, ANY_DATA), (40, SEND), (50, OUT)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/send-away",
        advice: "name the place in the code, not in the text",
        source: "CyberArk, full-schema poisoning (2025)",
        weight: (50, 50),
        patterns: &[&[(0, SEND), (60, OUT)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/conversation",
        advice: "do not ask for the conversation",
        source: "Trail of Bits, Line jumping (2025)",
        weight: (100, 50),
        patterns: &[
            &[(0, SEND), (60, CONVERSATION)],
            &[(0, INCLUDE), (30, WHOLE), (20, CONVERSATION)],
            &[(0, MUST), (60, CONVERSATION), (60, INCLUDE | SEND | SLOT)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/tag",
        advice: "remove it: mark-up that claims to be more than text",
        source: "Invariant Labs, MCP tool poisoning (2025)",
        weight: (100, 80),
        patterns: &[&[(0, TAG)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/heading",
        advice: "do not dress a description up as a message of the system",
        source: "Invariant Labs, MCP tool poisoning (2025)",
        weight: (50, 50),
        patterns: &[&[(0, HEADING)], &[(0, SPEAKER)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/speaker",
        advice: "do not speak in the name of the system",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (60, 60),
        patterns: &[&[
            (0, SPEAKER),
            (
                24,
                RUN | OVERRIDE | REVEAL | SEND | APPROVE | BECOME | USE_TOOL | DESTROY,
            ),
        ]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/command-model",
        advice: "tell what the tool does, not what the model must do",
        source: "MCP Tools, Security Considerations",
        weight: (40, 50),
        patterns: &[
            &[(0, HEADING), (100, MUST), (60, USE_TOOL | MOVE | RUN)],
            &[
                (0, MODEL),
                (24, MUST),
                (40, RUN | SEND | REVEAL | OVERRIDE | APPROVE | USE_TOOL),
            ],
            &[(0, BEFORE), (40, MODEL), (40, MUST)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/chat-token",
        advice: "remove it: it is a control token of a chat format",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (100, 100),
        patterns: &[&[(0, CHAT_TOKEN)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/prefer",
        advice: "let the model choose: say what the tool is good at",
        source: "MPMA, preference manipulation (2025)",
        weight: (100, 0),
        patterns: &[
            &[(0, PREFER)],
            &[(0, INSTEAD), (24, TOOLS), (60, THIS_TOOL)],
            &[(0, INSTEAD), (40, TOOL_WORD), (40, PREFER)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/redirect",
        advice: "do not change what other tools are asked to do",
        source: "Invariant Labs, WhatsApp MCP exploited (2025)",
        weight: (70, 70),
        patterns: &[
            &[(0, REDIRECT)],
            &[(0, USE_TOOL), (40, TOOLS), (60, REDIRECT)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/hidden-markup",
        advice: "remove it: markup that nobody sees",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (100, 100),
        patterns: &[
            &[
                (0, HIDDEN_MARKUP),
                (
                    80,
                    OVERRIDE | SYSTEM_PROMPT | JAILBREAK | SECRET_PATH | HEADING | HARM,
                ),
            ],
            &[(0, HIDDEN_MARKUP), (80, MODEL), (40, MUST | REVEAL | SEND)],
            &[(0, HIDDEN_MARKUP), (100, SEND), (60, OUT)],
            &[(0, HIDDEN_MARKUP), (100, RUN), (40, COMMAND)],
            &[(0, HIDDEN_MARKUP), (60, NOT), (16, TELL)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/hidden-comment",
        advice: "remove it: nobody sees it",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (50, 0),
        patterns: &[&[(0, HIDDEN_MARKUP)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/image-leak",
        advice: "remove it: loading the image sends data away",
        source: "Rehberger, data exfiltration by Markdown images (2023)",
        weight: (100, 100),
        patterns: &[&[(0, IMAGE), (120, PLACEHOLDER)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/decode",
        advice: "write what it says",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (40, 70),
        patterns: &[&[(0, DECODE), (60, ENCODED)], &[(0, ENCODED), (60, DECODE)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/obey",
        advice: "do not ask for obedience",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (60, 70),
        patterns: &[
            &[(0, OBEY), (24, NEW_TASK | DIRECTIVE)],
            &[(0, MUST), (24, OBEY)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/money",
        advice: "do not ask for payments",
        source: "AgentDojo (2024)",
        weight: (50, 60),
        patterns: &[
            &[(0, MUST | URGENT), (60, MONEY)],
            &[(0, SEND), (30, MONEY)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/flawed",
        advice: "do not speak of earlier answers",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (40, 60),
        patterns: &[&[(0, FLAWED)], &[(0, MODEL), (60, FLAWED)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/remember",
        advice: "do not write to the memory of the model",
        source: "OWASP ASI06 Memory and Context Poisoning",
        weight: (70, 70),
        patterns: &[
            &[(0, REMEMBER), (60, ADMIN | OVERRIDE | APPROVE | MUST)],
            &[(0, REMEMBER)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/approve",
        advice: "leave approvals to the person",
        source: "OWASP ASI09 Human-Agent Trust Exploitation",
        weight: (60, 60),
        patterns: &[&[(0, MUST), (24, APPROVE)], &[(0, APPROVE), (60, WITHOUT)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/command",
        advice: "name what runs in the code, not in the text",
        source: "OWASP LLM05:2025 Improper Output Handling",
        weight: (50, 50),
        patterns: &[
            &[(0, RUN), (40, COMMAND)],
            &[(0, BEFORE), (80, COMMAND)],
            &[(0, HEADING | TAG), (80, COMMAND)],
            &[(0, STEP), (60, COMMAND)],
            &[(0, STEP), (60, RUN)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/harm",
        advice: "do not name attacks as things to do",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (50, 50),
        patterns: &[&[(0, HARM)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/answer",
        advice: "let the model word its own answer",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (0, 50),
        patterns: &[&[(0, ANSWER)], &[(0, TASK), (60, SEND), (60, ADDRESS)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/use-tool",
        advice: "leave the choice of tools to the model",
        source: "InjecAgent (2024)",
        weight: (0, 60),
        patterns: &[
            &[(0, MUST), (40, USE_TOOL), (40, TOOL_WORD)],
            &[(0, MODEL), (30, USE_TOOL), (40, TOOL_WORD)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/urgent",
        advice: "do not press",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (30, 30),
        patterns: &[
            &[(0, URGENT), (40, MUST | SEND | RUN | MODEL | FLAWED)],
            &[(0, MUST), (10, URGENT)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/authority",
        advice: "do not claim to speak for others",
        source: "OWASP LLM01:2025 Prompt Injection",
        weight: (40, 40),
        patterns: &[
            &[(0, AUTHORITY), (60, MUST | SEND | OVERRIDE)],
            &[(0, MUST), (80, AUTHORITY)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/destroy",
        advice: "do not ask for destruction",
        source: "AgentDojo (2024)",
        weight: (0, 40),
        patterns: &[&[(0, MUST), (40, DESTROY)], &[(0, DESTROY), (40, NOT)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/unasked",
        advice: "leave consent to the person",
        source: "OWASP ASI09 Human-Agent Trust Exploitation",
        weight: (50, 50),
        patterns: &[
            &[(0, SEND | APPROVE | RUN), (60, WITHOUT), (40, CONSENT)],
            &[(0, WITHOUT), (40, CONSENT), (60, SEND | APPROVE)],
        ],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/send-elsewhere",
        advice: "name the place in the code, not in the text",
        source: "CyberArk, full-schema poisoning (2025)",
        weight: (60, 20),
        patterns: &[&[(0, SEND), (60, ELSEWHERE)]],
        attacks: &[],
        honest: &[],
    },
    Rule {
        id: "wording/step",
        advice: "tell what the tool does, not what must come first",
        source: "Trail of Bits, Line jumping (2025)",
        weight: (60, 50),
        patterns: &[
            &[(0, STEP), (60, MUST | RUN | MODEL)],
            &[(0, MUST), (40, STEP)],
            &[(0, RUN), (60, STEP)],
            &[(0, STEP), (60, SECRET_PATH)],
        ],
        attacks: &[],
        honest: &[],
    },
];
