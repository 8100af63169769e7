//! What was once wrong for scripts that use the program; each test failed before.
