//! The directory that etcd used before: to whom it belongs, and what SELinux calls it.
//!
//! A restored directory that etcd may not read is found out only when etcd starts. So the owner, group and label of the old
//! directory are compared with those of the new files, and a difference is told beforehand. The old directory is the target itself, if
//! it exists; else the newest directory beside it whose name begins with the target's (`etcd.before-restore`) and that holds a
//! `member`; else the target's parent.

use std::{
    ffi::CStr,
    fs::{self, Metadata},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use crate::{owner::Owner, space, staging::MEMBER};

/// The extended attribute with SELinux's label.
const LABEL: &CStr = c"security.selinux";
/// Labels have at most this many bytes in practice; a longer one is not compared.
const LABEL_BYTES_MAX: usize = 1024;
const SET_GID: u32 = 0o2000;

/// The directory whose owner and label the new files should have.
#[derive(Debug)]
struct Model {
    path: PathBuf,
    metadata: Metadata,
}

/// The warnings about a target whose new files will have another owner, group or label than etcd's old ones.
pub(crate) fn warnings(target: &Path, given: Option<Owner>) -> Vec<String> {
    let Some(model) = model(target) else {
        return Vec::new();
    };
    [
        owner_warning(target, &model, given),
        label_warning(target, &model),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn model(target: &Path) -> Option<Model> {
    let of = |path: PathBuf| {
        let metadata = fs::metadata(&path).ok()?;
        Some(Model { path, metadata })
    };
    of(target.to_owned())
        .or_else(|| kept_beside(target))
        .or_else(|| of(space::nearest_existing(target).to_owned()))
}

/// The newest directory beside the target with the target's name and a suffix, and a `member` in it.
fn kept_beside(target: &Path) -> Option<Model> {
    let name = target.file_name()?.as_bytes();
    let parent = target
        .parent()
        .filter(|above| !above.as_os_str().is_empty());
    let entries = fs::read_dir(parent.unwrap_or(Path::new("."))).ok()?;
    let kept = entries.flatten().filter_map(|entry| {
        let suffix = entry
            .file_name()
            .as_bytes()
            .strip_prefix(name)?
            .first()
            .copied()?;
        let path = entry.path();
        let metadata = path
            .join(MEMBER)
            .metadata()
            .and_then(|_| path.metadata())
            .ok()?;
        (!suffix.is_ascii_alphanumeric()).then_some(Model { path, metadata })
    });
    kept.max_by_key(|model| (model.metadata.ctime(), model.metadata.ctime_nsec()))
}

fn owner_warning(target: &Path, model: &Model, given: Option<Owner>) -> Option<String> {
    let old = Owner {
        uid: model.metadata.uid(),
        gid: model.metadata.gid(),
    };
    let new = given.unwrap_or_else(|| own(target));
    if old == new {
        return None;
    }
    let path = model.path.display();
    let advice = match given {
        Some(new) if model.path == target => format!("chown {new} {path}"),
        Some(_) => return None,
        None => format!("if etcd runs as the former: --chown {old}"),
    };
    Some(format!(
        "{path} belongs to {old} (user:group), and what is restored will belong to {new}; {advice}"
    ))
}

/// The owner of files that this process creates there: a set-gid directory passes its group on.
fn own(target: &Path) -> Owner {
    let inherited = fs::metadata(space::nearest_existing(target))
        .ok()
        .filter(|parent| parent.mode() & SET_GID != 0);
    Owner {
        uid: rustix::process::geteuid().as_raw(),
        gid: inherited.map_or_else(
            || rustix::process::getegid().as_raw(),
            |parent| parent.gid(),
        ),
    }
}

/// Files get the label of the directory in which they are created.
fn label_warning(target: &Path, model: &Model) -> Option<String> {
    let above = space::nearest_existing(target);
    let (old, new) = (label(&model.path)?, label(above)?);
    let (kept, target) = (model.path.display(), target.display());
    (old != new).then(|| {
        format!(
            "{kept} has the SELinux label {old}, and what is restored will have that of {}, {new}; afterwards: chcon -R \
             --reference={kept} {target}, or restorecon -R {target}",
            above.display()
        )
    })
}

fn label(path: &Path) -> Option<String> {
    let mut bytes = [0; LABEL_BYTES_MAX];
    let len = rustix::fs::getxattr(path, LABEL, &mut bytes).ok()?;
    let text = String::from_utf8_lossy(bytes.get(..len)?);
    Some(text.trim_end_matches('\0').to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown};

    use rustix::fs::XattrFlags;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// A directory that etcd has used.
    fn used(path: &Path, uid: u32, gid: u32) -> std::io::Result<()> {
        fs::create_dir_all(path.join(MEMBER))?;
        chown(path, Some(uid), Some(gid))
    }

    fn only(mut warnings: Vec<String>) -> String {
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        warnings.remove(0)
    }

    /// The first step of the documentation moves the old directory away.
    #[test]
    fn the_old_directory_beside_the_target_says_whose_it_was() -> Outcome {
        let base = tempfile::tempdir()?;
        let target = base.path().join("etcd");
        assert_eq!(
            warnings(&target, None),
            Vec::<String>::new(),
            "the parent is ours"
        );
        used(&base.path().join("etcd2"), 5, 5)?;
        used(&base.path().join("etcd.older"), 6, 6)?;
        let (older, newer) = (
            base.path().join("etcd.older"),
            base.path().join("etcd.before-restore"),
        );
        used(&newer, 997, 996)?;
        let changed =
            |path: &Path| fs::metadata(path).map(|found| (found.ctime(), found.ctime_nsec()));
        while changed(&newer)? == changed(&older)? {
            chown(&newer, Some(997), Some(996))?;
        }
        fs::create_dir(base.path().join("etcd.empty"))?;
        let told = only(warnings(&target, None));
        assert!(
            told.contains("etcd.before-restore belongs to 997:996"),
            "{told}"
        );
        assert!(told.ends_with("--chown 997:996"), "{told}");
        let given = Owner { uid: 997, gid: 996 };
        assert_eq!(warnings(&target, Some(given)), Vec::<String>::new());
        // The group alone is a reason as well.
        let euid = rustix::process::geteuid().as_raw();
        chown(
            base.path().join("etcd.before-restore"),
            Some(euid),
            Some(996),
        )?;
        let told = only(warnings(&target, None));
        assert!(told.ends_with(&format!("--chown {euid}:996")), "{told}");
        Ok(())
    }

    #[test]
    fn without_an_old_directory_the_parent_counts_and_passes_its_group_on() -> Outcome {
        let base = tempfile::tempdir()?;
        let target = base.path().join("var/etcd");
        chown(base.path(), Some(1234), None)?;
        let told = only(warnings(&target, None));
        assert!(told.contains("belongs to 1234:"), "{told}");
        let euid = rustix::process::geteuid().as_raw();
        chown(base.path(), Some(euid), Some(77))?;
        only(warnings(&target, None));
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o2755))?;
        assert_eq!(warnings(&target, None), Vec::<String>::new(), "inherited");
        Ok(())
    }

    #[test]
    fn another_label_than_the_old_one_is_told() -> Outcome {
        let base = tempfile::tempdir()?;
        let kept = base.path().join("etcd.old");
        let euid = rustix::process::geteuid().as_raw();
        used(&kept, euid, rustix::process::getegid().as_raw())?;
        let set = |path: &Path, label: &[u8]| {
            rustix::fs::setxattr(path, LABEL, label, XattrFlags::empty())
        };
        set(base.path(), b"system_u:object_r:var_lib_t:s0\0")?;
        set(&kept, b"system_u:object_r:container_file_t:s0\0")?;
        let target = base.path().join("etcd");
        let told = only(warnings(&target, None));
        for word in [
            "container_file_t",
            "var_lib_t",
            "chcon -R --reference=",
            "restorecon -R",
        ] {
            assert!(told.contains(word), "{told}");
        }
        set(&kept, b"system_u:object_r:var_lib_t:s0\0")?;
        assert_eq!(warnings(&target, None), Vec::<String>::new());
        Ok(())
    }
}
