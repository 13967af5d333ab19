use super::*;

/// A pack of three members, each with one line, as bytes.
fn three() -> Vec<u8> {
    ["one\n", "two\n", "three\n"].iter().flat_map(|text| gzip(text.as_bytes())).collect()
}

fn stored(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("trials")).unwrap();
    let path = folder.path().join(FILE);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn a_pack_is_one_file_that_any_tool_unpacks() {
    let bytes = three();
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, "one\ntwo\nthree\n");
    let (_folder, path) = stored(&bytes);
    let all = members(&File::open(path).unwrap()).unwrap();
    assert_eq!((all.len(), all[2].1), (3, bytes.len() as u64), "{all:?}");
}

#[test]
fn a_torn_member_is_cut_wherever_it_was_torn_and_the_others_stay() {
    let bytes = three();
    let last = gzip(b"three\n").len();
    for cut in 1..=last {
        let (folder, path) = stored(&bytes[..bytes.len() - cut]);
        drop(Pack::open(folder.path()).unwrap());
        let left = std::fs::metadata(&path).unwrap().len();
        assert_eq!(left, (bytes.len() - last) as u64, "{cut} bytes were torn off");
    }
}

#[test]
fn a_run_without_a_pack_has_no_packed_trials() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Index::of(folder.path()).unwrap().get("trials/1-x-1").unwrap(), None);
}

#[test]
fn a_damaged_pack_says_from_where_it_does_not_read() {
    let head = |trial: &str| format!("{{\"trial\":\"{trial}\",\"plan\":\"\",\"bytes\":0}}\n");
    let bytes: Vec<u8> = ["a", "b"].iter().flat_map(|trial| gzip(head(trial).as_bytes())).collect();
    let (whole, _) = stored(&bytes);
    assert_eq!(Index::of(whole.path()).unwrap().torn(), None);
    let (damaged, _) = stored(&bytes[..bytes.len() - 1]);
    let index = Index::of(damaged.path()).unwrap();
    assert_eq!(index.torn(), Some(gzip(head("a").as_bytes()).len() as u64));
    assert!(index.places.contains_key("a") && index.get("b").unwrap().is_none());
}

#[test]
fn what_was_added_is_on_disk_before_a_journal_may_speak_of_it() {
    let (folder, _) = stored(&three());
    let pack = Pack::open(folder.path()).unwrap();
    assert!(pack.is_synced(), "nothing was added yet");
    pack.append(&gzip(b"four\n")).unwrap();
    assert!(!pack.is_synced());
    pack.sync().unwrap();
    assert!(pack.is_synced());
}
