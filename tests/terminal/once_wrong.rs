//! What was once wrong on the terminal and in the files; each test failed before.
