//! chinwag

pub mod chat;
pub mod limits;
pub mod net;
pub mod proto;
pub mod term;

#[cfg(test)]
mod testing {
    /// A moment to count from; tests move on from it by hand.
    #[expect(clippy::disallowed_methods, reason = "the one clock reading of a unit test")]
    pub(crate) fn start() -> std::time::Instant {
        std::time::Instant::now()
    }
}
