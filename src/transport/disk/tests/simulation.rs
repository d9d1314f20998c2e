//! Downloads with random interruptions, faults and rivals: every finished file must be correct.

use std::io::ErrorKind;

use super::*;
use crate::transport::disk::worker::lock;

/// Random numbers from a seed, by the algorithm of this name.
struct SplitMix64(u64);

impl SplitMix64 {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

#[test]
fn the_file_is_correct_whatever_happened_before() {
    const STEPS: [DiskStep; 6] = [
        DiskStep::Open,
        DiskStep::Truncate,
        DiskStep::Write,
        DiskStep::WriteSidecar,
        DiskStep::Sync,
        DiskStep::Rename,
    ];
    let versions = [content(40_000), content(70_000)[30_000..].to_vec()];
    for seed in 0..50 {
        let mut random = SplitMix64(seed);
        let mut folder = Folder::new();
        let disk = if seed % 2 == 0 {
            Disk::inline()
        } else {
            threaded()
        };
        let mut current = random.below(2);
        for _ in 0..8 {
            // Now and then the server has a new version.
            if random.below(4) == 0 {
                current = 1 - current;
            }
            let bytes = &versions[current];
            let plan = kept(folder.join("file.bin"));
            let mut file = DownloadFile::open(&disk, plan);
            settle(&disk);
            let Some(Ok(resumable)) = file.poll_opened() else {
                panic!("seed {seed}");
            };
            let tag = version(&format!("\"{current}\""));
            let offset = if resumable.validator == tag && random.below(5) > 0 {
                resumable.offset
            } else {
                0
            };
            file.begin(offset, tag, Some(bytes.len() as u64));
            let mut from = offset as usize;
            while from < bytes.len() && random.below(8) > 0 {
                let to = (from + 1 + random.below(9000)).min(bytes.len());
                file.write(Bytes::copy_from_slice(&bytes[from..to]));
                from = to;
                if random.below(3) == 0 {
                    settle(&disk);
                }
                if random.below(20) == 0 {
                    let kind = [ErrorKind::TimedOut, ErrorKind::StorageFull][random.below(2)];
                    *lock(&disk.shared().failing) = Some((STEPS[random.below(6)], kind));
                }
            }
            match random.below(4) {
                // The process is killed: its files are copied to another folder.
                0 => {
                    settle(&disk);
                    let crashed = Folder::new();
                    for name in folder.names() {
                        fs::copy(folder.join(&name), crashed.join(&name)).unwrap();
                    }
                    drop(file);
                    settle(&disk);
                    folder = crashed;
                }
                1 => file.suspend(),
                2 => drop(file),
                _ => {
                    let outcome = commit(&disk, &mut file);
                    if outcome.is_ok() {
                        assert!(read(&folder.join("file.bin")) == *bytes, "seed {seed}");
                        assert_eq!(folder.names(), ["file.bin"], "seed {seed}");
                    }
                }
            }
            settle(&disk);
            *lock(&disk.shared().failing) = None;
            // An existing file is always a complete version.
            if let Ok(present) = fs::read(folder.join("file.bin")) {
                assert!(versions.contains(&present), "seed {seed}");
            }
        }
    }
}

#[test]
fn downloads_to_one_target_never_mix() {
    let folder = Folder::new();
    let target = folder.join("file.bin");
    let contents = [content(100_000), content(200_000)[90_000..].to_vec()];
    std::thread::scope(|scope| {
        for bytes in &contents {
            scope.spawn(|| {
                let disk = threaded();
                for n in 0..40 {
                    let plan = if n % 3 == 0 { plain } else { kept };
                    let plan = FilePlan {
                        keep_partial: false,
                        ..plan(target.clone())
                    };
                    match download(&disk, plan, bytes) {
                        Ok(committed) => assert_eq!(committed.bytes, bytes.len() as u64),
                        // On Windows the rival may be reading the target whenever it is to be replaced.
                        Err(DiskFault::TargetInUse) if cfg!(windows) => {}
                        Err(fault) => assert_eq!(fault, DiskFault::AlreadyInUse),
                    }
                    // The rival may have replaced the file, but never changed it.
                    if let Ok(present) = fs::read(&target) {
                        assert!(contents.contains(&present));
                    }
                }
                settle(&disk);
            });
        }
    });
    assert_eq!(folder.names(), ["file.bin"]);
}
