use crate::View;
use std::ops::Range;
pub(crate) struct Reading {
    pub(crate) view: View,
    pub(crate) text: String,
}
impl Reading {
    pub(crate) fn span(&self, range: Range<usize>) -> Range<usize> {
        range
    }
}
pub(crate) fn fold(text: &str) -> Reading {
    Reading {
        view: View::Text,
        text: text.to_lowercase(),
    }
}
pub(crate) fn is_suspect(_: &str) -> bool {
    false
}
pub(crate) fn others(_: &str, _: &mut dyn FnMut(Reading)) {}
