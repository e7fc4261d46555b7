//! A second key's word for a checkpoint: C2SP `tlog-cosignature`, version 1. Who has the signing
//! key of a log alone cannot make a head that a reader takes who asks for this key as well.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::sha256::hash;

/// The second key, with its name.
pub(in crate::audit) struct CosigningKey {
    name: String,
    key: SigningKey,
}

/// What checks its word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audit) struct WitnessKey {
    name: String,
    key: VerifyingKey,
}

impl CosigningKey {
    /// `None`: the name cannot stand in a note.
    pub(in crate::audit) fn new(name: &str, seed: &[u8; 32]) -> Option<Self> {
        is_name(name).then(|| Self {
            name: name.to_owned(),
            key: SigningKey::from_bytes(seed),
        })
    }

    pub(in crate::audit) fn public(&self) -> WitnessKey {
        WitnessKey {
            name: self.name.clone(),
            key: self.key.verifying_key(),
        }
    }

    /// As Go's `sumdb/note` writes private keys.
    pub(in crate::audit) fn text(&self) -> Zeroizing<String> {
        let mut key = Zeroizing::new(vec![COSIGNATURE]);
        key.extend(self.key.as_bytes());
        let hash = crate::hex::hex(&self.public().hash());
        let key = Zeroizing::new(STANDARD.encode(&*key));
        Zeroizing::new(format!("{PRIVATE}{}+{hash}+{}", self.name, &*key))
    }

    pub(in crate::audit) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PRIVATE)?.splitn(3, '+');
        let (name, _, key) = (parts.next()?, parts.next()?, parts.next()?);
        let key = Zeroizing::new(STANDARD.decode(key).ok()?);
        let (kind, seed) = key.split_first()?;
        let parsed = Self::new(name, seed.try_into().ok()?)?;
        (*kind == COSIGNATURE && parsed.text().as_str() == text).then_some(parsed)
    }

    /// The note with one signature more: that it was seen at this second. `None`: it is no note.
    pub(in crate::audit) fn cosign(&self, note: &str, second: u64) -> Option<String> {
        let (body, _) = note.split_once("\n\n")?;
        let signature = self.key.sign(signed(body, second).as_bytes());
        let mut bytes = self.public().hash().to_vec();
        bytes.extend(second.to_be_bytes());
        bytes.extend(signature.to_bytes());
        let name = &self.name;
        Some(format!(
            "{note}\u{2014} {name} {}\n",
            STANDARD.encode(bytes)
        ))
    }
}

impl WitnessKey {
    /// `name+hash+key`, as C2SP writes it.
    pub(in crate::audit) fn text(&self) -> String {
        let hash = crate::hex::hex(&self.hash());
        let mut key = vec![COSIGNATURE];
        key.extend(self.key.as_bytes());
        format!("{}+{hash}+{}", self.name, STANDARD.encode(key))
    }

    pub(in crate::audit) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, '+');
        let (name, _, key) = (parts.next()?, parts.next()?, parts.next()?);
        let key = STANDARD.decode(key).ok()?;
        let (kind, key) = key.split_first()?;
        let parsed = Self {
            name: name.to_owned(),
            key: VerifyingKey::from_bytes(key.try_into().ok()?).ok()?,
        };
        let is_same = *kind == COSIGNATURE && parsed.text() == text.trim();
        (is_same && is_name(name)).then_some(parsed)
    }

    pub(in crate::audit) fn name(&self) -> &str {
        &self.name
    }

    /// When it saw the checkpoint, in seconds since 1970.
    pub(in crate::audit) fn check(&self, note: &str) -> Result<u64, &'static str> {
        let (body, signatures) = note.split_once("\n\n").ok_or("has no signature")?;
        let named = format!("\u{2014} {} ", self.name);
        let (second, signature) = signatures
            .split('\n')
            .filter_map(|line| line.strip_prefix(&named))
            .filter_map(|text| STANDARD.decode(text).ok())
            .find_map(|bytes| {
                let (hash, rest) = bytes.split_first_chunk::<4>()?;
                let (second, signature) = rest.split_first_chunk::<8>()?;
                let signature = Signature::from_slice(signature).ok()?;
                (hash == &self.hash()).then_some((u64::from_be_bytes(*second), signature))
            })
            .ok_or("has no cosignature of the witness")?;
        self.key
            .verify_strict(signed(body, second).as_bytes(), &signature)
            .map_err(|_| "has a wrong cosignature")?;
        Ok(second)
    }

    fn hash(&self) -> [u8; 4] {
        let named = [
            self.name.as_bytes(),
            &[b'\n', COSIGNATURE],
            self.key.as_bytes(),
        ];
        let [a, b, c, d, ..] = hash(&named.concat());
        [a, b, c, d]
    }
}

/// What a witness signs: never the note itself, so that no signature of the log is one of a
/// witness with the same key.
fn signed(body: &str, second: u64) -> String {
    format!("cosignature/v1\ntime {second}\n{body}\n")
}

/// C2SP `signed-note`: no spaces, no plus.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 256
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'+')
}

/// The kind of key: a timestamped Ed25519 cosignature.
const COSIGNATURE: u8 = 4;

const PRIVATE: &str = "PRIVATE+KEY+";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOTE: &str = "mcp-secure/audit/x\n5\nAAAA\n\n\u{2014} mcp-secure/audit/x AAAA\n";

    #[test]
    fn a_witness_says_one_thing_of_one_checkpoint_at_one_time() {
        let key = CosigningKey::new("witness.example/w1", &[7; 32]).unwrap();
        let note = key.cosign(NOTE, 1_767_225_600).unwrap();
        assert!(note.starts_with(NOTE));
        let public = WitnessKey::parse(&key.public().text()).unwrap();
        assert_eq!(public.check(&note), Ok(1_767_225_600));
        assert_eq!(public.check(NOTE), Err("has no cosignature of the witness"));
        let other = note.replacen("\n5\n", "\n4\n", 1);
        assert_eq!(public.check(&other), Err("has a wrong cosignature"));
        // The time is signed as well.
        let (head, line) = note.trim_end().rsplit_once(' ').unwrap();
        let mut bytes = STANDARD.decode(line).unwrap();
        bytes[11] ^= 1;
        let later = format!("{head} {}\n", STANDARD.encode(bytes));
        assert_eq!(public.check(&later), Err("has a wrong cosignature"));
        // A key of another, under the same name.
        let stranger = CosigningKey::new("witness.example/w1", &[8; 32]).unwrap();
        let note = stranger.cosign(NOTE, 1).unwrap();
        assert_eq!(
            public.check(&note),
            Err("has no cosignature of the witness")
        );
    }

    #[test]
    fn keys_are_read_as_they_are_written_and_in_no_other_way() {
        let key = CosigningKey::new("w", &[7; 32]).unwrap();
        assert_eq!(CosigningKey::parse(&key.text()).unwrap().text(), key.text());
        let public = key.public().text();
        assert_eq!(WitnessKey::parse(&public).unwrap(), key.public());
        for wrong in [
            public.replacen("w+", "v+", 1),
            key.text().to_string(),
            public.replacen('+', "", 1),
        ] {
            assert_eq!(WitnessKey::parse(&wrong), None, "{wrong}");
        }
        assert!(CosigningKey::parse(&public).is_none());
        assert!(CosigningKey::new("a b", &[7; 32]).is_none());
        assert!(CosigningKey::new("a+b", &[7; 32]).is_none());
        // The log's own key is none of a witness.
        let log = super::super::note::Signer::new("x", &[7; 32]);
        assert_eq!(WitnessKey::parse(&log.public().text()), None);
    }
}
