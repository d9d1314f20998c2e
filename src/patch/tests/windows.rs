//! Folders of a set as Windows spells them: with backslashes, with the prefix of long paths, or with names of devices.

use super::*;

#[test]
fn the_folder_of_a_set_may_be_spelled_in_each_way_that_windows_knows() {
    let folder = Folder::new("spelled");
    let (old, _) = versions();
    let manifest = manifest(&old, &folder.0);
    let absolute = std::path::absolute(&folder.0).unwrap();
    let verbatim = format!(r"\\?\{}\verbatim", absolute.display());
    for root in [
        folder.0.join("slashes/below"),
        folder.0.join(r"back\slashes"),
        folder.0.join(r"both/of\them"),
        PathBuf::from(verbatim),
    ] {
        let report = World::new(&old).run(&manifest, &root).unwrap();
        assert!(visible(&root) == old, "{}", root.display());
        assert_eq!(report.downloaded, old.len());
        // The second run finds all of it.
        let report = World::new(&old).run(&manifest, &root).unwrap();
        assert_eq!(report.downloaded, 0, "{}", root.display());
    }
    assert!(
        folder
            .0
            .join("back")
            .join("slashes")
            .join("current.json")
            .is_file()
    );
    assert!(folder.0.join("verbatim").join("current.json").is_file());
}

#[test]
fn a_folder_that_means_something_else_is_refused() {
    let folder = Folder::new("reserved");
    let (old, _) = versions();
    let manifest = manifest(&old, &folder.0);
    for name in [
        "NUL",
        "con.sets",
        r"aux\game",
        "game:stream",
        "game.",
        "game ",
    ] {
        let root = folder.0.join(name);
        let error = World::new(&old).run(&manifest, &root).unwrap_err();
        assert_eq!(
            *error.kind(),
            ErrorKind::File(DiskFault::ReservedName),
            "{name}"
        );
        assert_eq!(error.path(), Some(&*root));
    }
    let names: Vec<_> = std::fs::read_dir(&folder.0).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "only the folder of the manifest: {names:?}");
}
