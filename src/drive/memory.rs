//! How much memory a run may take: what is free on this host, and what the limits of this process leave.

use super::host::file_field;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::path::Path;

/// The files in which one of the two versions of cgroups describes a group's memory and its limit.
struct Form {
    /// The directory of the groups.
    root: &'static str,
    limit: &'static str,
    used: &'static str,
    /// The part of the used memory that the kernel takes back when memory is needed: pages of files.
    reclaimable: &'static str,
}

const V1: Form = Form {
    root: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};

const V2: Form =
    Form { root: "sys/fs/cgroup", limit: "memory.max", used: "memory.current", reclaimable: "inactive_file" };

/// How many bytes are free, for us and for what the kernel keeps for us; `None` if the system does not say.
pub(super) fn available() -> Option<u64> {
    let host = file_field("/proc/meminfo", "MemAvailable").and_then(|amount| bytes(&amount));
    host.into_iter().chain(left_in_groups(Path::new("/"))).min()
}

/// How many bytes this process may still grow under the limits of `ulimit -v` and `-d`; `None` without such a
/// limit.
pub(super) fn room_to_grow() -> Option<u64> {
    let room = |(resource, field): (Resource, &str)| {
        let limit = getrlimit(resource).current?;
        let used = file_field("/proc/self/status", field).and_then(|amount| bytes(&amount));
        Some(limit.saturating_sub(used.unwrap_or_default()))
    };
    [(Resource::As, "VmSize"), (Resource::Data, "VmData")].into_iter().filter_map(room).min()
}

/// An amount such as `512 kB`.
fn bytes(amount: &str) -> Option<u64> {
    Some(amount.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// How many bytes the tightest limit leaves, of all groups that this process is in. `root` has the directories
/// `proc` and `sys`.
fn left_in_groups(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let left = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, group) = rest.split_once(':')?;
        let form = match controllers {
            "" => V2,
            _ if controllers.split(',').any(|controller| controller == "memory") => V1,
            _ => return None,
        };
        let groups = root.join(form.root);
        // In a container the path may be the host's, and only the beginning of it may exist.
        let group = groups.join(group.trim_start_matches('/'));
        group.ancestors().take_while(|group| group.starts_with(&groups)).filter_map(|it| form.left(it)).min()
    };
    groups.lines().filter_map(left).min()
}

impl Form {
    fn left(&self, group: &Path) -> Option<u64> {
        let number = |file: &str| fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok();
        let limit = number(self.limit)?;
        let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
        let of_line = |line: &str| line.strip_prefix(self.reclaimable)?.trim().parse::<u64>().ok();
        let reclaimable = stat.lines().find_map(of_line).unwrap_or_default();
        Some(limit.saturating_sub(number(self.used)?.saturating_sub(reclaimable)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let file = root.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn the_tightest_group_counts_without_the_files_that_it_can_give_up() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(left_in_groups(root), None, "no groups at all");
        write(root, "proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/c/d/e\n");
        assert_eq!(left_in_groups(root), None, "no limits");
        write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        write(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", "5000\n");
        assert_eq!(left_in_groups(root), Some(9_223_372_036_854_766_712));
        write(root, "sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4000\n");
        write(root, "sys/fs/cgroup/memory/a/memory.usage_in_bytes", "5000\n");
        write(root, "sys/fs/cgroup/memory/a/memory.stat", "inactive_file 1\ntotal_inactive_file 3000\n");
        assert_eq!(left_in_groups(root), Some(2000));
        write(root, "sys/fs/cgroup/c/d/e/memory.max", "max\n");
        write(root, "sys/fs/cgroup/c/d/memory.max", "1500\n");
        write(root, "sys/fs/cgroup/c/d/memory.current", "500\n");
        assert_eq!(left_in_groups(root), Some(1000));
        write(root, "sys/fs/cgroup/c/d/memory.current", "1501\n");
        assert_eq!(left_in_groups(root), Some(0));
    }
}
