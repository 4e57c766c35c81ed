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
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let (behind, link) = (folder.path().join("behind"), folder.path().join("link"));
    std::fs::write(&behind, "before").unwrap();
    std::os::unix::fs::symlink(&behind, &link).unwrap();
    for there in [&socket, &link] {
        let kind = || std::fs::symlink_metadata(there).unwrap().file_type();
        let before = kind();
        let fault = write(there, b"PEM").unwrap_err();
        assert!(fault.to_string().contains("no regular file"), "{fault}");
        assert_eq!(kind(), before);
    }
    write(&behind, b"PEM").unwrap();
    assert_eq!(std::fs::read(&behind).unwrap(), b"PEM");
}
