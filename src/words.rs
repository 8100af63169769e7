//! A word for each case, written only once: for the function that returns it, and for the list of all words, which the
//! schema of events has and with which tests check the documentation.

/// Makes `fn name(arguments) -> &'static str`, a match on `$of`, and a list of its words. After a semicolon come the
/// cases whose word comes from another such function; they are not in the list.
macro_rules! words {
    (
        $(#[$about:meta])*
        $visible:vis fn $name:ident($($argument:ident: $kind:ty),+), $all:ident of $of:expr;
        $($case:pat $(if $holds:expr)? => $word:literal,)+
        $(; $($other:pat => $given:expr,)+)?
    ) => {
        $(#[$about])*
        $visible fn $name($($argument: $kind),+) -> &'static str {
            match $of {
                $($case $(if $holds)? => $word,)+
                $($($other => $given,)+)?
            }
        }

        /// All words that are written in it.
        $visible const $all: &[&str] = &[$($word),+];
    };
}
