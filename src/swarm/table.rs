//! stub
use super::report::Report;
use std::fmt;
/// stub
pub struct Table<'a>(pub &'a Report);
impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#?}", self.0)
    }
}
