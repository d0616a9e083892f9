use super::*;

/// Adds a key to the ring's file. The process has not noticed yet.
fn added(folder: &tempfile::TempDir) -> String {
    let path = folder.path().join("ring.keys");
    Keyring::open(&path).unwrap().add_key(None).unwrap()
}

fn ring() -> (tempfile::TempDir, Keyring) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring.keys");
    Keyring::generate(&path).unwrap();
    let keyring = Keyring::open(&path).unwrap();
    (folder, keyring)
}

#[test]
fn what_is_sealed_opens_in_its_own_place_and_nowhere_else() {
    let (_folder, keyring) = ring();
    let alice = MemberId::from("alice");
    let sealed = keyring.seal(&alice, SealedField::RefreshToken, "rt-alice").unwrap();
    assert!(!sealed.bytes.windows(8).any(|window| window == b"rt-alice"));
    let opened = keyring.open_sealed(&alice, SealedField::RefreshToken, &sealed).unwrap();
    assert_eq!(opened.as_str(), "rt-alice");
    assert!(keyring.open_sealed(&MemberId::from("bob"), SealedField::RefreshToken, &sealed).is_err());
    assert!(keyring.open_sealed(&alice, SealedField::AccessToken, &sealed).is_err());
    let mut altered = sealed.clone();
    altered.bytes[20] ^= 1;
    assert!(keyring.open_sealed(&alice, SealedField::RefreshToken, &altered).is_err());
}

#[test]
fn the_same_text_never_seals_to_the_same_bytes() {
    let (_folder, keyring) = ring();
    let alice = MemberId::from("alice");
    let seal = || keyring.seal(&alice, SealedField::RefreshToken, "rt-alice").unwrap();
    assert_ne!(seal(), seal());
}

#[test]
fn a_key_ring_is_never_overwritten_and_its_troubles_name_the_place() {
    let (folder, _vault) = ring();
    let path = folder.path().join("ring.keys");
    assert!(matches!(Keyring::generate(&path), Err(KeyringError::Exists(_))));
    let missing = Keyring::open(&folder.path().join("none")).unwrap_err().to_string();
    assert!(missing.contains("keys generate"), "{missing}");
    std::fs::write(&path, "# fine\nk1 short\n").unwrap();
    let line = Keyring::open(&path).unwrap_err().to_string();
    assert!(line.contains("ring.keys:2"), "{line}");
    std::fs::write(&path, "").unwrap();
    assert!(matches!(Keyring::open(&path), Err(KeyringError::Empty(_))));
}

#[test]
#[cfg(unix)]
fn a_key_ring_that_others_can_read_or_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, _vault) = ring();
    let path = folder.path().join("ring.keys");
    for mode in [0o644, 0o602, 0o622, 0o660] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let opened = Keyring::open(&path);
        assert!(matches!(opened, Err(KeyringError::InsecurePermissions(_))), "{mode:o}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    Keyring::open(&path).unwrap();
}

#[test]
fn a_new_key_opens_at_once_and_encrypts_when_it_is_told_to() {
    let (folder, keyring) = ring();
    let (alice, old) = (MemberId::from("alice"), keyring.newest_key_id());
    let new = added(&folder);
    let other = Keyring::open(&folder.path().join("ring.keys")).unwrap();
    let sealed = other.seal(&alice, SealedField::RefreshToken, "rt").unwrap();
    assert_eq!(sealed.key_id, new);
    assert!(keyring.can_open(&alice, SealedField::RefreshToken, &sealed), "an unknown key is looked for");
    assert_eq!((keyring.newest_key_id(), keyring.sealing_key_id()), (new.clone(), old));
    assert!(keyring.seal_with(&new) && !keyring.seal_with(&new) && !keyring.seal_with("unknown"));
    assert_eq!(keyring.seal(&alice, SealedField::RefreshToken, "rt").unwrap().key_id, new);
}

#[test]
fn a_ring_that_cannot_be_taken_over_leaves_the_old_one_in_use() {
    let (folder, keyring) = ring();
    let path = folder.path().join("ring.keys");
    let good = std::fs::read_to_string(&path).unwrap();
    let id = keyring.newest_key_id();
    let sealed = keyring.seal(&"alice".into(), SealedField::RefreshToken, "rt").unwrap();
    let foreign = ring();
    let other_key = std::fs::read_to_string(foreign.0.path().join("ring.keys")).unwrap();
    let impostor = other_key.replace(&foreign.1.newest_key_id(), &id);
    for text in ["", "k1 short", &other_key, &impostor] {
        std::fs::write(&path, text).unwrap();
        keyring.reread().unwrap_err();
        assert!(keyring.can_open(&"alice".into(), SealedField::RefreshToken, &sealed));
    }
    std::fs::write(&path, good).unwrap();
    assert!(!keyring.reread().unwrap());
}

#[test]
fn what_a_former_key_signed_stays_known_and_the_key_itself_goes() {
    let (folder, keyring) = ring();
    let (alice, old) = (MemberId::from("alice"), keyring.newest_key_id());
    let token = RefreshToken::new("rt");
    let before = keyring.new_credential(&alice, &token).unwrap();
    let subject = keyring.subject_fingerprint(&alice, "subject", None).unwrap();
    let pseudonym = keyring.pseudonym(&alice);
    let signature = keyring.sign(MacPurpose::FormKey, &[b"page"]).unwrap();
    let new = added(&folder);
    keyring.reread().unwrap();
    keyring.seal_with(&new);
    let derived = keyring.derived_keys(&old).unwrap();
    keyring.remove_keys(std::slice::from_ref(&old), None).unwrap();
    for has_pages in [true, false] {
        let next = Keyring::open(&folder.path().join("ring.keys")).unwrap();
        next.set_former(&[FormerKey { id: old.clone(), derived: derived.clone(), has_pages }]).unwrap();
        for ring in [&keyring, &next] {
            assert_eq!(ring.key_ids(), [new.as_str()]);
            let again = ring.new_credential(&alice, &token).unwrap();
            assert!(again.fingerprints.contains(&before.fingerprints[0]));
            assert_eq!(again.fingerprints.last().unwrap().key_id, new);
            let known = ring.subject_fingerprint(&alice, "subject", Some(&subject));
            assert_eq!(known.as_ref(), Some(&subject));
            assert_eq!(ring.pseudonym(&alice), pseudonym);
        }
        assert!(keyring.verify(MacPurpose::FormKey, &[b"page"], &signature));
        assert_eq!(next.verify(MacPurpose::FormKey, &[b"page"], &signature), has_pages);
        assert!(!next.can_open(&alice, SealedField::RefreshToken, &before.sealed));
    }
    // What was read before the key left the file is opened a little longer.
    keyring.forget_removed();
    assert!(keyring.can_open(&alice, SealedField::RefreshToken, &before.sealed));
    keyring.forget_removed();
    assert!(!keyring.can_open(&alice, SealedField::RefreshToken, &before.sealed));
}

#[test]
fn a_former_key_never_encrypts() {
    let (folder, keyring) = ring();
    let old = keyring.newest_key_id();
    let former = || {
        let derived = keyring.derived_keys(&old).unwrap();
        [FormerKey { id: old.clone(), derived, has_pages: true }]
    };
    assert!(matches!(keyring.set_former(&former()), Err(KeyringError::Retired(_))));
    let new = added(&folder);
    keyring.reread().unwrap();
    keyring.set_former(&former()).unwrap();
    assert_eq!(keyring.sealing_key_id(), new);
}

#[test]
fn the_next_ring_can_be_written_to_another_file() {
    let (folder, keyring) = ring();
    let (path, next) = (folder.path().join("ring.keys"), folder.path().join("next.keys"));
    let before = std::fs::read(&path).unwrap();
    let new = keyring.add_key(Some(&next)).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(Keyring::open(&next).unwrap().key_ids(), [new, keyring.newest_key_id()]);
    assert!(matches!(keyring.add_key(Some(&next)), Err(KeyringError::Exists(_))));
}
