//! A word for each case, written down once: for the function that gives it, and for the list of all words that tests
//! hold the documentation against.

/// Makes `fn name(arguments) -> &'static str`, a match on `$of`, and a list of its words. Behind a semicolon come
/// the cases whose word another such function gives; the list does not have those.
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

        /// All words that are written down for it.
        #[cfg(test)]
        $visible const $all: &[&str] = &[$($word),+];
    };
}
