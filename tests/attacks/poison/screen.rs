//! What a person sees of a text: the little of a terminal and of the bidirectional algorithm
//! that the attacks need.

/// A terminal after a text was written to it.
#[derive(Default)]
pub struct Screen {
    lines: Vec<String>,
    row: usize,
    concealed: bool,
    pub clipboard: Option<String>,
    /// Where the links lead, whatever their words say.
    pub links: Vec<String>,
}

impl Screen {
    pub fn showing(text: &str) -> Self {
        let mut screen = Self {
            lines: vec![String::new()],
            ..Self::default()
        };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(sequence) = rest.strip_prefix("\u{1B}[") {
                let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                screen.control(&sequence[..=end]);
                rest = &sequence[end + 1..];
            } else if let Some(command) = rest.strip_prefix("\u{1B}]") {
                let (command, after) = command.split_once('\u{7}').unwrap();
                screen.command(command);
                rest = after;
            } else {
                screen.put(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        screen
    }

    pub fn text(&self) -> String {
        self.lines.join("\n").trim().to_owned()
    }

    fn put(&mut self, c: char) {
        if c == '\n' {
            self.row += 1;
            self.lines
                .resize(self.lines.len().max(self.row + 1), String::new());
        } else if !self.concealed && !is_invisible(c) {
            self.lines[self.row].push(c);
        }
    }

    fn control(&mut self, sequence: &str) {
        match sequence {
            "8m" => self.concealed = true,
            "0m" => self.concealed = false,
            "1A" => self.row = self.row.saturating_sub(1),
            "2K" => self.lines[self.row].clear(),
            _ => {}
        }
    }

    fn command(&mut self, command: &str) {
        if let Some(text) = command.strip_prefix("52;c;") {
            self.clipboard = super::texts::from_base64(text);
        } else if let Some(link) = command.strip_prefix("8;;").filter(|link| !link.is_empty()) {
            self.links.push(link.to_owned());
        }
    }
}

/// The letters in the order in which they are seen: an override turns them round.
pub fn as_seen(text: &str) -> String {
    let mut seen = String::new();
    let mut parts = text.split('\u{202E}');
    seen.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (turned, rest) = part.split_once('\u{202C}').unwrap_or((part, ""));
        seen.extend(turned.chars().rev());
        seen.push_str(rest);
    }
    seen.chars().filter(|c| !is_invisible(*c)).collect()
}

/// Of the characters that the attacks here use.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{E0000}'..='\u{E01EF}' | '\0'..='\u{8}' | '\u{B}'..='\u{1F}' | '\u{7F}'..='\u{9F}')
}
