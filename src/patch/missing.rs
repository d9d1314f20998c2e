//! The contents that are missing: which files have them, what is there of them, and where they are. Fetching
//! them is in `fetch`.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

use url::Url;

use super::check::{Checked, FileState};
use super::digest::Digest;
use super::manifest::ManifestFile;
use crate::error::{Error, Misuse};

/// All of them, and what is held already.
pub(super) struct MissingContents {
    pub(super) contents: Vec<Content>,
    pub(super) held_bytes: u64,
    pub(super) held_files: usize,
}

/// One content that is missing. Several files may have it.
pub(super) struct Content {
    /// The first file with it.
    pub(super) file: usize,
    /// How many files have it.
    pub(super) files: usize,
    pub(super) repair: Option<Repair>,
    pub(super) is_done: bool,
    /// Bytes of it that are on the disk.
    pub(super) done: u64,
    /// Bytes of an earlier run.
    pub(super) partial: u64,
    /// Bytes that came over the network, in earlier requests of this run and in the present one.
    pub(super) received_before: u64,
    pub(super) received: u64,
    pub(super) failures: u32,
}

pub(super) struct Repair {
    pub(super) from: PathBuf,
    pub(super) missing: VecDeque<usize>,
}

impl MissingContents {
    pub(super) fn of(checked: &Checked) -> Self {
        let mut contents: Vec<Content> = Vec::new();
        let mut known: HashMap<Digest, usize> = HashMap::new();
        let (mut held_bytes, mut held_files) = (0, 0);
        let files = checked.manifest.files();
        for (index, (file, state)) in files.iter().zip(&checked.states).enumerate() {
            if let Some(content) = known.get(file.sha256()) {
                if let Some(content) = contents.get_mut(*content) {
                    content.files += 1;
                }
                continue;
            }
            let (repair, partial) = match state {
                FileState::Held(_) => {
                    held_bytes += file.size();
                    held_files += 1;
                    continue;
                }
                FileState::Damaged { from, blocks } => {
                    let repair = Repair {
                        from: from.clone(),
                        missing: blocks.clone().into(),
                    };
                    (Some(repair), 0)
                }
                FileState::Missing { partial } => (None, *partial),
            };
            known.insert(*file.sha256(), contents.len());
            let mut content = Content {
                file: index,
                files: 1,
                repair,
                is_done: false,
                done: partial.min(file.size()),
                partial,
                received_before: 0,
                received: 0,
                failures: 0,
            };
            content.count_blocks(file);
            contents.push(content);
        }
        Self {
            contents,
            held_bytes,
            held_files,
        }
    }

    /// Their places, the most urgent first.
    pub(super) fn by_priority(&self, checked: &Checked) -> VecDeque<usize> {
        let files = checked.manifest.files();
        let mut order: Vec<usize> = (0..self.contents.len()).collect();
        order.sort_by_key(|content| files[self.contents[*content].file].priority());
        order.into()
    }
}

impl Content {
    /// These blocks, which are in order, are on the disk now. Only the first missing ones are looked at: there may be
    /// hundreds of thousands.
    pub(super) fn note_written(&mut self, file: &ManifestFile, written: &[usize]) {
        let (Some(repair), Some(blocks)) = (&mut self.repair, file.blocks()) else {
            return;
        };
        let mut still_missing = Vec::new();
        while let Some(block) = repair
            .missing
            .pop_front_if(|block| Some(&*block) <= written.last())
        {
            if written.binary_search(&block).is_ok() {
                let range = blocks.range(block, file.size());
                self.done += range.end - range.start;
            } else {
                still_missing.push(block);
            }
        }
        for block in still_missing.into_iter().rev() {
            repair.missing.push_front(block);
        }
    }

    /// Counts the bytes of the blocks that are on the disk.
    fn count_blocks(&mut self, file: &ManifestFile) {
        if let (Some(repair), Some(blocks)) = (&self.repair, file.blocks()) {
            let missing = repair.missing.iter().map(|block| {
                let range = blocks.range(*block, file.size());
                range.end - range.start
            });
            self.done = file.size().saturating_sub(missing.sum());
        }
    }

    pub(super) fn note_request_end(&mut self) {
        self.received_before += std::mem::take(&mut self.received);
    }
}

/// The URL of a file: its own, or its path below the base URL.
pub(super) fn url_of(base: Option<&Url>, file: &ManifestFile) -> Result<String, Error> {
    let invalid = || Error::from(Misuse::InvalidUrl);
    if let Some(url) = file.url() {
        return match base {
            Some(base) => base
                .join(url)
                .map(String::from)
                .map_err(|_| invalid().for_text(url)),
            None => Ok(url.to_owned()),
        };
    }
    let mut url = base.cloned().ok_or_else(invalid)?;
    url.path_segments_mut()
        .map_err(|()| invalid())?
        .pop_if_empty()
        .extend(file.path().split('/'));
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_blocks_are_counted_and_no_longer_missing() {
        let hashes = crate::patch::BlockHashes::new(1000, vec![[0; 32]; 8]);
        let file = ManifestFile::new("a", 7500, [0; 32]).with_blocks(hashes);
        let mut content = Content {
            file: 0,
            files: 1,
            repair: Some(Repair {
                from: PathBuf::from("a"),
                missing: [0, 2, 4, 6, 7].into(),
            }),
            is_done: false,
            done: 0,
            partial: 0,
            received_before: 0,
            received: 0,
            failures: 0,
        };
        content.count_blocks(&file);
        assert_eq!(content.done, 3000);
        let mut left = |written: &[usize]| {
            content.note_written(&file, written);
            let missing = content.repair.as_ref().map(|repair| repair.missing.clone());
            (missing.unwrap().into(), content.done)
        };
        assert_eq!(left(&[2, 4]), (vec![0, 6, 7], 5000));
        assert_eq!(left(&[]), (vec![0, 6, 7], 5000));
        assert_eq!(left(&[0, 7]), (vec![6], 6500));
        assert_eq!(left(&[6]), (vec![], 7500));
    }

    #[test]
    fn the_url_of_a_file_is_its_own_or_its_path() {
        let base = Url::parse("https://cdn.example/game/files/").unwrap();
        let of = |path: &str, url: Option<&str>| {
            let file = ManifestFile::new(path, 0, [0; 32]);
            let file = match url {
                Some(url) => file.with_url(url),
                None => file,
            };
            url_of(Some(&base), &file).unwrap()
        };
        for (path, url, expected) in [
            ("a/b.pak", None, "https://cdn.example/game/files/a/b.pak"),
            (
                "a b%2e?#.txt",
                None,
                "https://cdn.example/game/files/a%20b%252e%3F%23.txt",
            ),
            ("ü", None, "https://cdn.example/game/files/%C3%BC"),
            ("a", Some("b?v=2"), "https://cdn.example/game/files/b?v=2"),
            ("a", Some("/b"), "https://cdn.example/b"),
            (
                "a",
                Some("http://other.example/x"),
                "http://other.example/x",
            ),
        ] {
            assert_eq!(of(path, url), expected);
        }
        let file = ManifestFile::new("a", 0, [0; 32]);
        assert!(url_of(None, &file).unwrap_err().is_misuse());
    }
}
