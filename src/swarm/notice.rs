//! What the generator reports to its driver.

/// One thing that is reported to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The generator waits for the line `go`.
    Paused(Pause),
    /// The progress of the scenario.
    Progress {
        /// Peers that are connected now.
        connected: u64,
        /// Steps done: peers while connecting, then messages, rounds or milliseconds.
        done: u64,
        /// Steps in all.
        total: u64,
    },
    /// The target must send to all peers now.
    Trigger,
}

/// What the generator is about to do when it pauses, so that the driver can look at the target while nothing moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::enum_variant_names, reason = "a pause is known by what follows it")]
pub enum Pause {
    /// Every peer is connected or has failed to connect; the scenario follows.
    BeforeStart,
    /// All that is to be written in this round is with the kernel; the next round follows.
    BeforeRound,
    /// The scenario is over; the farewells follow.
    BeforeEnd,
}
