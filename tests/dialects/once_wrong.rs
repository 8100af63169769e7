//! What was once wrong with the published programs on the other side; each test failed before.
