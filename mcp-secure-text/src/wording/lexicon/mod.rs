//! The words the rules are made of, grouped by what they do in a sentence.
//!
//! A class is a role, not a language: `ignore`, `忽略` and `ignoriere` are one class, so that a rule
//! is written once. Entries are matched in the folded reading (lower case, without accents); a
//! trailing `…` lets the word go on, a leading one lets it begin earlier.

mod ar;
mod de;
mod en;
mod es;
mod fr;
mod hi;
mod ja;
mod ko;
mod pt;
mod ru;
mod zh;

/// A set of classes.
pub(super) type Classes = u128;

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $bit:literal,)*) => {
        $($(#[$doc])* pub(super) const $name: Classes = 1 << $bit;)*
        /// Each class with its name, for tests.
        #[cfg(test)]
        pub(super) const NAMES: &[(&str, Classes)] = &[$((stringify!($name), $name)),*];
    };
}

classes! {
    /// To stop heeding something.
    OVERRIDE = 0,
    /// What came before, or what is in force.
    PRIOR = 1,
    /// Instructions given to a model.
    DIRECTIVE = 2,
    /// Rules in a wider sense, of which honest texts speak too.
    LAWS = 3,
    /// A model, as somebody spoken to or about.
    MODEL = 4,
    /// Its own instructions.
    SYSTEM_PROMPT = 5,
    /// To make visible.
    REVEAL = 6,
    /// The person.
    USER = 7,
    /// Not, never, without.
    NOT = 8,
    /// To tell, ask, or warn somebody.
    TELL = 9,
    /// Unnoticed.
    SECRETLY = 10,
    /// A file or store that holds secrets.
    SECRET_FILE = 11,
    /// Credentials, in general words.
    CREDENTIAL = 12,
    /// What was said in the conversation.
    CONVERSATION = 13,
    /// Data about people or customers.
    PERSONAL = 14,
    /// To get at something.
    TAKE = 15,
    /// To move something out.
    SEND = 16,
    /// To put something into something else.
    INCLUDE = 17,
    /// An address that something can be sent to.
    ADDRESS = 18,
    /// Somewhere else, in words.
    ELSEWHERE = 19,
    /// A parameter or part of an answer.
    SLOT = 20,
    /// Before or whenever something is done.
    BEFORE = 21,
    /// To do something with a tool.
    USE_TOOL = 22,
    /// Must, always.
    MUST = 23,
    /// A heading that claims to be more than text.
    HEADING = 24,
    /// Control tokens of chat formats.
    CHAT_TOKEN = 25,
    /// You are now somebody else.
    BECOME = 26,
    /// Who the model should become.
    PERSONA = 27,
    /// Instead of the others.
    INSTEAD = 28,
    /// Tools, in general.
    TOOLS = 29,
    /// Running commands that do harm.
    COMMAND = 30,
    /// To run.
    RUN = 31,
    /// Consent, confirmation, permission.
    CONSENT = 32,
    /// New instructions, a new task.
    NEW_TASK = 33,
    /// Harm by its plain name.
    HARM = 34,
    /// Money and what moves it.
    MONEY = 35,
    /// To change the way another call is made.
    REDIRECT = 36,
    /// To make visible, where the verb stands last.
    SHOWN = 37,
    /// To obey.
    OBEY = 38,
    /// Safety measures.
    SAFETY = 39,
    /// An unlimited role.
    UNLIMITED = 40,
    /// At once, urgently.
    URGENT = 41,
    /// To keep in mind for later.
    REMEMBER = 42,
    /// An administrator, or somebody with all rights.
    ADMIN = 43,
    /// An image in Markdown or HTML whose address is somewhere else.
    IMAGE = 44,
    /// A place for data in an address.
    PLACEHOLDER = 45,
    /// This tool, here and now.
    THIS_TOOL = 46,
    /// To agree to something on behalf of the person.
    APPROVE = 47,
    /// Markup that nobody sees, opened.
    HIDDEN_MARKUP = 48,
    /// To move or put somewhere, where the verb stands last.
    MOVED = 49,
    /// To summarise, translate or do what was asked.
    TASK = 50,
    /// What is wrong with an earlier answer.
    FLAWED = 51,
    /// A claim to come from the vendor or the operator.
    AUTHORITY = 52,
    /// Decode what follows.
    DECODE = 53,
    /// Code or text in some encoding.
    ENCODED = 54,
    /// Everything that there is.
    WHOLE = 55,
    /// Without having asked, where the negation stands last.
    UNASKED = 56,
    /// To destroy.
    DESTROY = 58,
    /// To answer, or to end an answer.
    ANSWER = 59,
    /// This tool before all others.
    PREFER = 60,
    /// Mark-up that pretends to carry the voice of the system.
    TAG = 61,
    /// The name of a file that holds secrets, and nothing else.
    SECRET_PATH = 62,
    /// What models are talked into being.
    JAILBREAK = 63,
    /// Without, of an act that needs somebody.
    WITHOUT = 64,
    /// Somebody with a title and a colon, as in a transcript.
    SPEAKER = 65,
    /// The word tool itself.
    TOOL_WORD = 66,
    /// Requires nobody.
    STEP = 68,
    /// Gets at something, said of the tool itself.
    TAKES = 69,
    /// Praise of itself, or blame of others.
    CLAIM = 70,
    /// To be preferred.
    CHOOSE = 71,
    /// Another call than this one.
    OTHER_CALL = 72,
    /// To make it do something else.
    CHANGE = 73,
    /// What the person wants.
    USER_WILL = 74,
    /// Consent that nobody gave.
    AGREED = 75,
    /// To keep from the person.
    KEEP_HIDDEN = 76,
    /// Text taken for instructions.
    AS_ORDERS = 77,
    /// The model spoken to by name.
    CALL_MODEL = 78,
    /// Rights handed out by a text.
    PRIVILEGE = 79,
    /// More weight than other words.
    PRECEDENCE = 80,
    /// The value of a secret.
    VALUE_OF = 81,
    /// To hand over, as an argument.
    GIVE = 82,
    /// What only the model has.
    INNER = 83,
    /// What a model keeps.
    MEMORY = 84,
    /// To move money.
    SPEND = 85,
    /// To fetch and run.
    REMOTE_RUN = 86,
    /// Without a word, of an act that may be honest.
    SILENTLY = 90,
    /// By way of this tool.
    THROUGH = 91,
    /// A secret of the person, by their right to it.
    USER_SECRET = 92,
    /// The escape of a character that nobody would see.
    ESCAPED = 93,
    /// An order not to.
    DONT = 94,
    /// To tell somebody something.
    INFORM = 95,
    /// The person who would be told.
    WHOM = 96,
    /// Whatever the model will say.
    ALL_ANSWERS = 97,
    /// An order to forget, with all that belongs to it.
    FORGET = 98,
    /// A value that some interpreter would run.
    INJECTION = 99,
}

/// Classes whose words stand in many honest texts: no rule may wait for these alone.
pub(super) const COMMON: Classes = PRIOR
    | LAWS
    | REVEAL
    | SHOWN
    | USER
    | NOT
    | TAKE
    | INCLUDE
    | ADDRESS
    | SLOT
    | BEFORE
    | USE_TOOL
    | MUST
    | TOOLS
    | RUN
    | THIS_TOOL
    | WHOLE
    | TASK
    | WITHOUT
    | BECOME
    | TAKES
    | OTHER_CALL
    | CHANGE
    | GIVE
    | DONT
    | WHOM;

/// Classes whose words are frequent too: a rule waits for something else where it can.
pub(super) const FREQUENT: Classes = TOOL_WORD
    | DESTROY
    | PERSONAL
    | CREDENTIAL
    | SEND
    | MODEL
    | TELL
    | INSTEAD
    | CONSENT
    | SAFETY
    | SILENTLY
    | SECRET_FILE
    | REDIRECT
    | CLAIM
    | MOVED
    | SHOWN
    | DIRECTIVE
    | OVERRIDE
    | PERSONA
    | URGENT;

/// Words of one class.
pub(super) type Words = (Classes, &'static [&'static str]);

/// Every word list.
pub(super) const ALL: &[&[Words]] = &[
    &[(CHAT_TOKEN, crate::token::TOKENS)],
    en::WORDS,
    zh::WORDS,
    es::WORDS,
    de::WORDS,
    fr::WORDS,
    ru::WORDS,
    ja::WORDS,
    ko::WORDS,
    pt::WORDS,
    ar::WORDS,
    hi::WORDS,
];
