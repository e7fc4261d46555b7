//! Credentials of callers that an endpoint has answered 401 to. Its person is asked for another
//! one, once for each that was refused: an endpoint that refuses everything, or one path of it that
//! does, would else have them type their key into a page for ever.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use super::Owner;

/// Of this process, in no file.
#[derive(Default)]
pub(crate) struct Doubts(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By caller and name: the version, and whether its person has been asked for another one.
    all: HashMap<Vec<u8>, (u32, bool)>,
    oldest: VecDeque<Vec<u8>>,
}

impl Doubts {
    /// This version was refused. Whether that is news.
    pub(crate) fn refuse(&self, owner: &Owner, name: &str, version: u32) -> bool {
        let key = key(owner, name);
        let mut known = self.known();
        match known.all.get_mut(&key) {
            // An old one that was on its way says nothing of what came since.
            Some((there, _)) if *there >= version => return false,
            Some(there) => *there = (version, false),
            None => {
                if known.all.len() >= MOST
                    && let Some(oldest) = known.oldest.pop_front()
                {
                    known.all.remove(&oldest);
                }
                known.oldest.push_back(key.clone());
                known.all.insert(key, (version, false));
            }
        }
        true
    }

    /// Whether another one is to be asked for in the place of this version: once.
    pub(crate) fn ask(&self, owner: &Owner, name: &str, version: u32) -> bool {
        match self.known().all.get_mut(&key(owner, name)) {
            Some((there, is_asked)) if *there == version => !std::mem::replace(is_asked, true),
            _ => false,
        }
    }

    /// Another one was entered; after a removal versions begin anew.
    pub(crate) fn forget(&self, owner: &Owner, name: &str) {
        let key = key(owner, name);
        let mut known = self.known();
        if known.all.remove(&key).is_some() {
            known.oldest.retain(|there| *there != key);
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(owner: &Owner, name: &str) -> Vec<u8> {
    let mut key = owner.words(b"refused");
    key.extend(name.as_bytes());
    key
}

/// Who is forgotten first is asked once more at most.
const MOST: usize = 4096;
