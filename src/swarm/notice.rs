//! What the generator tells whoever drives it.

/// One thing that the driver is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The generator waits for the line `go`.
    Paused(Pause),
    /// How far the scenario is.
    Progress {
        /// Peers that are connected now.
        connected: u64,
        /// Steps done: peers while connecting, then messages, rounds or milliseconds.
        done: u64,
        /// Steps in all.
        total: u64,
    },
    /// The target is to send to everybody now.
    Trigger,
}

/// Before what the generator waits, so that the target can be looked at while nothing moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::enum_variant_names, reason = "a pause is known by what follows it")]
pub enum Pause {
    /// Every peer is connected, or has failed to; the scenario is next.
    BeforeStart,
    /// All that is to be written in this round is with the kernel; the next round is next.
    BeforeRound,
    /// The scenario is over; the farewells are next.
    BeforeEnd,
}
