//! The policies of a server: the author's and the operator's, each of which must permit.

use super::{Decider, PolicyEngine, Question, Ruling, Surface, Verdict};
use crate::Result;

/// All engines of a server. Without one, everything is permitted here: scopes decide.
#[derive(Default)]
pub(crate) struct Policies(Vec<Box<dyn Decider>>);

/// What a start has to say of policies: a line for each engine, and doubts.
#[derive(Default)]
pub(crate) struct Warnings {
    pub(crate) rows: Vec<String>,
    pub(crate) doubts: Vec<String>,
}

impl Policies {
    /// # Errors
    ///
    /// When an engine cannot hold its policies against what is served.
    pub(crate) fn prepare<'a>(
        engines: impl Iterator<Item = &'a dyn PolicyEngine>,
        surface: impl FnOnce() -> Surface,
    ) -> Result<(Self, Warnings)> {
        let (mut policies, mut warnings) = (Self::default(), Warnings::default());
        let mut engines = engines.peekable();
        if engines.peek().is_none() {
            return Ok((policies, warnings));
        }
        let surface = surface();
        for engine in engines {
            let prepared = engine.prepare(&surface)?;
            policies.0.push(prepared.decider);
            warnings.rows.push(prepared.row);
            warnings.doubts.extend(prepared.warnings);
        }
        Ok((policies, warnings))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each must permit; the first that does not has the word.
    pub(crate) fn decide(&self, question: &Question<'_>) -> Ruling {
        let mut deciding = Vec::new();
        for decider in &self.0 {
            let ruling = decider.decide(question);
            match ruling.verdict {
                Verdict::Permit => deciding.extend(ruling.policies),
                Verdict::Deny | Verdict::Error => return ruling,
            }
        }
        Ruling::permit(deciding)
    }

    /// Why nothing can be permitted here whatever the arguments are, if so.
    pub(crate) fn foresee(&self, question: &Question<'_>) -> Option<Ruling> {
        self.0.iter().find_map(|decider| decider.foresee(question))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{auth::Principal, pipeline::Taint, policy::Kind};

    struct Says(Ruling);

    impl Decider for Says {
        fn decide(&self, _: &Question<'_>) -> Ruling {
            self.0.clone()
        }
    }

    fn asked(all: Vec<Ruling>) -> Ruling {
        let (principal, taint) = (Principal::local_user(), Taint::default());
        let all = all
            .into_iter()
            .map(|ruling| Box::new(Says(ruling)) as Box<dyn Decider>);
        Policies(all.collect()).decide(&Question {
            principal: &principal,
            kind: Kind::Tool,
            name: "a",
            completes: None,
            arguments: None,
            uri: None,
            taint: &taint,
            now: std::time::SystemTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn a_second_engine_can_only_take_away() {
        let permit = || Ruling::permit(vec!["yes".to_owned()]);
        let deny = || Ruling::deny(vec!["no".to_owned()], "no");
        let error = || Ruling::error(vec!["odd".to_owned()], "odd");
        assert!(asked(vec![permit(), permit()]).is_permit());
        for other in [deny(), error()] {
            assert_eq!(asked(vec![permit(), other.clone()]), other);
            assert_eq!(asked(vec![other.clone(), permit()]), other);
        }
    }
}
