//! What the macro refuses at compile time, refused again at start: a definition that was
//! made in another way gets no further.

use super::{Approval, Manifest};
use crate::{Error, Result};

impl Manifest {
    /// Holds the rules that the compiler holds against the table that will be served.
    ///
    /// # Errors
    ///
    /// When a right that needs a person has neither witness nor waiver, when private data
    /// meets an open sink without `allow_flow`, or when an access list is empty.
    pub fn validate(&self) -> Result<()> {
        for (kind, entry) in self.entries() {
            let name = &entry.name;
            if entry.approval == Approval::Missing {
                return Err(Error::new(format!(
                    "the {kind} `{name}` has a right that needs a person's agreement"
                ))
                .help("wrap the handle in `Approved<…>`, or say `unapproved = \"why\"`"));
            }
            let flows = entry.effects.private && entry.effects.open_sink;
            if flows
                && !entry
                    .allowances
                    .iter()
                    .any(|allowance| allowance.rule == "allow_flow")
            {
                return Err(Error::new(format!(
                    "the {kind} `{name}` reads private data and can send to an open sink"
                ))
                .help("split it in two, or say `allow_flow = \"why\"`"));
            }
            if entry.access == super::Access::Scopes(Vec::new()) {
                return Err(
                    Error::new(format!("the {kind} `{name}` has an empty list of scopes"))
                        .help("name a scope, or say `public`"),
                );
            }
        }
        Ok(())
    }
}
