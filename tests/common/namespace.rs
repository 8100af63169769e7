//! A separate network for one test: any address may be used in it, since it has no way out.

use std::any::type_name;
use std::env;
use std::process::Command;

/// Set in the process that runs inside.
const INSIDE: &str = "CHINWAG_TEST_INSIDE_NAMESPACE";

/// The exit code of a shell that could not set the network up.
const NO_NETWORK: i32 = 77;

/// Runs `body`, a closure of the calling test, in a network namespace whose loopback interface has `addresses`. For
/// this the test program runs itself again with only this test. If the system does not allow it, the test is skipped
/// with a message.
pub(crate) fn in_namespace<F: FnOnce()>(addresses: &[&str], body: F) {
    if env::var_os(INSIDE).is_some() {
        return body();
    }
    let setup: String = addresses.iter().map(|ip| format!(" && ip addr add {ip} dev lo")).collect();
    let script = format!("{{ ip link set lo up{setup}; }} || exit {NO_NETWORK}; exec \"$0\" \"$@\"");
    let Some(unshare) = ["-n", "-rn"].into_iter().find(|flags| is_allowed(flags)) else {
        return skip::<F>("network namespaces are not allowed here");
    };
    let output = Command::new("unshare")
        .args([unshare, "sh", "-c", &script])
        .arg(env::current_exe().expect("the test program"))
        .args(["--exact", name_of_test::<F>(), "--nocapture"])
        .env(INSIDE, "yes")
        .output()
        .expect("unshare runs: it did before");
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(NO_NETWORK) => skip::<F>("the addresses cannot be set up"),
        Some(0) if said.contains("1 passed") => {}
        _ => panic!("inside: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr)),
    }
}

fn is_allowed(flags: &str) -> bool {
    Command::new("unshare").args([flags, "true"]).output().is_ok_and(|output| output.status.success())
}

fn skip<F>(why: &str) {
    crate::common::skip(&format!("{}: {why}", name_of_test::<F>()));
}

/// `crate::topic::test::{{closure}}` is the closure of `topic::test`.
fn name_of_test<F>() -> &'static str {
    let name = type_name::<F>();
    let (_, name) = name.split_once("::").expect("a path");
    name.trim_end_matches("::{{closure}}")
}
