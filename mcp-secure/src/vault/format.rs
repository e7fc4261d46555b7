//! The bytes of a vault.
//!
//! ```text
//! "MCPSVLT" 01                          magic and version
//! id 16 · generation 8
//! slots   1: id 8 · kind 1 · [salt 16 · memory 4 · passes 4 · lanes 4] · nonce 24 · wrapped 48
//! records 4: name · version 4 · placement · created 8 · hosts 2 · nonce 24 · sealed
//! mac 32                                HMAC-SHA256 over all before it
//! ```
//!
//! Numbers are big-endian and texts have their length before them. A random master key seals the
//! records, and each slot has that key wrapped under another one (as LUKS does): to change who
//! opens the vault no record is written anew. The subkeys for records and for the MAC come from
//! the master key by HKDF, with the id as salt.
//!
//! A record is sealed with all that is said about it as associated data (id of the vault, name,
//! version, placement, hosts), and a slot with its parameters. So a host that is added to a
//! record, or a secret put under another name, does not open even for who can forge the MAC.
//!
//! There is one way to write each vault: what would not be written the same again is not read.
//! Until the MAC is checked everything here may be an attacker's, so each size and each cost of
//! the passphrase has a bound that is checked before it is used.

use crate::{Error, Result};

pub(super) const NONCE: usize = 24;
pub(super) const MOST_SLOTS: usize = 8;
pub(super) const MOST_RECORDS: usize = 10_000;
pub(super) const MOST_HOSTS: usize = 32;
/// The longest secret.
pub(super) const MAX_SECRET: usize = 8 * 1024;
/// The longest name, host or placement.
pub(super) const MAX_TEXT: usize = 512;
pub(super) const MAX_FILE: usize = 32 * 1024 * 1024;

const MAGIC: &[u8; 8] = b"MCPSVLT\x01";
const MAC: usize = 32;
const WRAPPED: usize = 48;

/// A vault as it is on disk: nothing is open.
pub(super) struct Sealed {
    pub(super) id: [u8; 16],
    pub(super) generation: u64,
    pub(super) slots: Vec<Slot>,
    pub(super) records: Vec<Record>,
}

/// The master key, wrapped.
pub(super) struct Slot {
    pub(super) id: [u8; 8],
    /// `None`: the key was random.
    pub(super) stretch: Option<Stretch>,
    pub(super) nonce: [u8; NONCE],
    pub(super) wrapped: Vec<u8>,
}

/// How a passphrase becomes a key: Argon2id.
pub(super) struct Stretch {
    pub(super) salt: [u8; 16],
    /// In KiB.
    pub(super) memory: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl Stretch {
    /// 64 MiB and three passes (RFC 9106, section 4, the second choice, but on one lane).
    pub(super) fn new(salt: [u8; 16]) -> Self {
        Self {
            salt,
            memory: 64 * 1024,
            passes: 3,
            lanes: 1,
        }
    }

    /// A weaker one would be a gift to who copied the file, a larger one takes the machine down.
    fn is_sane(&self) -> bool {
        (19 * 1024..=512 * 1024).contains(&self.memory)
            && (2..=16).contains(&self.passes)
            && (1..=4).contains(&self.lanes)
    }
}

/// A credential, sealed.
pub(super) struct Record {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) placement: String,
    /// In seconds of Unix time.
    pub(super) created: u64,
    /// Sorted.
    pub(super) hosts: Vec<String>,
    pub(super) nonce: [u8; NONCE],
    pub(super) sealed: Vec<u8>,
}

impl Record {
    /// What is sealed with the secret.
    pub(super) fn aad(&self, vault: &[u8; 16]) -> Vec<u8> {
        let mut out = b"mcp-secure vault record v1\0".to_vec();
        out.extend(vault);
        self.about(&mut out);
        out
    }

    fn about(&self, out: &mut Vec<u8>) {
        text(out, &self.name);
        out.extend(self.version.to_be_bytes());
        text(out, &self.placement);
        out.extend(self.created.to_be_bytes());
        out.extend(short(self.hosts.len()).to_be_bytes());
        for host in &self.hosts {
            text(out, host);
        }
    }
}

impl Slot {
    pub(super) fn aad(&self, vault: &[u8; 16]) -> Vec<u8> {
        let mut out = b"mcp-secure vault slot v1\0".to_vec();
        out.extend(vault);
        self.about(&mut out);
        out
    }

    fn about(&self, out: &mut Vec<u8>) {
        out.extend(self.id);
        match &self.stretch {
            None => out.push(0),
            Some(stretch) => {
                out.push(1);
                out.extend(stretch.salt);
                for number in [stretch.memory, stretch.passes, stretch.lanes] {
                    out.extend(number.to_be_bytes());
                }
            }
        }
    }
}

impl Sealed {
    /// All but the MAC.
    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(self.id);
        out.extend(self.generation.to_be_bytes());
        out.push(u8::try_from(self.slots.len()).unwrap_or(u8::MAX));
        for slot in &self.slots {
            slot.about(&mut out);
            out.extend(slot.nonce);
            out.extend(&slot.wrapped);
        }
        out.extend(long(self.records.len()).to_be_bytes());
        for record in &self.records {
            record.about(&mut out);
            out.extend(record.nonce);
            out.extend(long(record.sealed.len()).to_be_bytes());
            out.extend(&record.sealed);
        }
        out
    }

    /// What the bytes say, the body of them, and the MAC. Nothing of it is true yet.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, &[u8], &[u8])> {
        if bytes.is_empty() {
            return Err(Error::new("is empty, which no vault is")
                .help("`mcp-secure vault restore` takes the generation before, if it is there"));
        }
        if bytes.len() > MAX_FILE {
            return Err(Error::new("is larger than any vault"));
        }
        let (body, mac) = bytes
            .len()
            .checked_sub(MAC)
            .and_then(|at| bytes.split_at_checked(at))
            .ok_or_else(torn)?;
        let sealed = Self::read(&mut Reader(body)).ok_or_else(|| match body.get(..8) {
            Some(head) if head != MAGIC && head.starts_with(&MAGIC[..7]) => {
                Error::new("is of a version that this program does not know")
            }
            Some(head) if head != MAGIC => Error::new("is no vault"),
            _ => torn(),
        })?;
        if sealed.body() != body {
            return Err(torn());
        }
        Ok((sealed, body, mac))
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        if &from.array::<8>()? != MAGIC {
            return None;
        }
        let id = from.array()?;
        let generation = u64::from_be_bytes(from.array()?);
        let count = usize::from(from.array::<1>()?[0]);
        if !(1..=MOST_SLOTS).contains(&count) {
            return None;
        }
        let mut slots = Vec::new();
        for _ in 0..count {
            slots.push(Slot {
                id: from.array()?,
                stretch: match from.array::<1>()?[0] {
                    0 => None,
                    1 => Some(from.stretch()?),
                    _ => return None,
                },
                nonce: from.array()?,
                wrapped: from.take(WRAPPED)?.to_vec(),
            });
        }
        let count = from.number()?;
        if count > MOST_RECORDS {
            return None;
        }
        let mut records: Vec<Record> = Vec::new();
        for _ in 0..count {
            let record = from.record()?;
            if records.last().is_some_and(|last| last.name >= record.name) {
                return None;
            }
            records.push(record);
        }
        from.0.is_empty().then_some(Self {
            id,
            generation,
            slots,
            records,
        })
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.array()?)).ok()
    }

    fn text(&mut self) -> Option<String> {
        let len = usize::from(u16::from_be_bytes(self.array()?));
        if len == 0 || len > MAX_TEXT {
            return None;
        }
        String::from_utf8(self.take(len)?.to_vec()).ok()
    }

    fn stretch(&mut self) -> Option<Stretch> {
        let stretch = Stretch {
            salt: self.array()?,
            memory: u32::from_be_bytes(self.array()?),
            passes: u32::from_be_bytes(self.array()?),
            lanes: u32::from_be_bytes(self.array()?),
        };
        stretch.is_sane().then_some(stretch)
    }

    fn record(&mut self) -> Option<Record> {
        let (name, version) = (self.text()?, u32::from_be_bytes(self.array()?));
        let (placement, created) = (self.text()?, u64::from_be_bytes(self.array()?));
        let count = usize::from(u16::from_be_bytes(self.array()?));
        if !(1..=MOST_HOSTS).contains(&count) {
            return None;
        }
        let mut hosts: Vec<String> = Vec::new();
        for _ in 0..count {
            let host = self.text()?;
            if hosts.last().is_some_and(|last| *last >= host) {
                return None;
            }
            hosts.push(host);
        }
        let nonce = self.array()?;
        let len = self.number()?;
        if len > MAX_SECRET + 16 {
            return None;
        }
        Some(Record {
            name,
            version,
            placement,
            created,
            hosts,
            nonce,
            sealed: self.take(len)?.to_vec(),
        })
    }
}

fn torn() -> Error {
    Error::new("is torn, or was changed").help(
        "`mcp-secure vault restore` takes the generation before; find out first who wrote to the file",
    )
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(short(text.len()).to_be_bytes());
    out.extend(text.as_bytes());
}

/// Lengths are bounded long before; one that is not does not read back.
fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

fn long(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
