use super::*;

#[test]
fn nothing_is_left_of_a_file_that_could_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.pem");
    write(&file, b"one").unwrap();
    write(&file, b"two").unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"two");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    // A folder is in the way: the rename fails.
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    write(&taken, b"three").unwrap_err();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

//= RFC 7468 section 2 type=test
//# A certificate in PEM: base64 in lines of 64 letters between its two marks.
#[test]
fn pem_is_read_back_as_it_was() {
    for length in [1, 47, 48, 49, 1_000] {
        let der: Vec<u8> = (0..length).map(|octet| octet as u8).collect();
        let text = pem(&der);
        let back = CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
        assert_eq!(back.as_ref(), der);
        assert!(text.lines().all(|line| line.len() <= 64));
    }
}

#[test]
fn what_is_no_regular_file_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, link) = (folder.path().join("socket"), folder.path().join("link"));
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::os::unix::fs::symlink(&socket, &link).unwrap();
    for there in [&socket, &link] {
        let kind = || std::fs::symlink_metadata(there).unwrap().file_type();
        let before = kind();
        let fault = write(there, b"PEM").unwrap_err();
        assert!(fault.to_string().contains("no regular file"), "{fault}");
        assert_eq!(kind(), before);
    }
}

/// By way of another folder and another link, as who keeps several generations of a file has it.
#[test]
fn file_behind_a_symbolic_link_is_replaced_and_the_link_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("kept")).unwrap();
    std::fs::write(path("kept/first.pem"), "before").unwrap();
    std::os::unix::fs::symlink("kept/first.pem", path("now.pem")).unwrap();
    std::os::unix::fs::symlink(path("now.pem"), path("server.pem")).unwrap();
    write(&path("server.pem"), b"PEM").unwrap();
    assert_eq!(std::fs::read(path("kept/first.pem")).unwrap(), b"PEM");
    for link in ["now.pem", "server.pem"] {
        assert!(std::fs::symlink_metadata(path(link)).unwrap().is_symlink());
    }
    assert_eq!(std::fs::read_dir(path("kept")).unwrap().count(), 1);
    // One that leads nowhere says so, and nothing is made of it.
    std::fs::remove_file(path("kept/first.pem")).unwrap();
    let fault = write(&path("server.pem"), b"PEM").unwrap_err();
    assert!(fault.to_string().contains("leads to no file"), "{fault}");
    assert_eq!(std::fs::read_dir(path("kept")).unwrap().count(), 0);
}
