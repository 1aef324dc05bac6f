//! Files that are left alone.

use super::*;

const WHOLE: &str = r#"{"gatepass-store":1,"next":6,"records":{"a":{"version":5,"value":{"t":"s3cr3t"}}}}"#;

/// Every call on this store is refused, and the file stays as it is.
async fn refused(store: &FileStore) -> String {
    let errors = [
        store.load(&key()).await.unwrap_err(),
        swap(store, None, "{}").await.unwrap_err(),
        store.lease(&key(), None).await.unwrap_err(),
        store.remove(&key(), std::time::Duration::ZERO).await.unwrap_err(),
    ];
    for error in &errors {
        assert!(error.is_misconfigured(), "{error}");
        assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
        assert!(error.to_string().contains(&store.path().display().to_string()), "{error}");
    }
    errors[0].to_string()
}

async fn refused_text(text: &[u8]) -> String {
    let directory = Directory::new();
    let store = directory.store();
    write(store.path(), text);
    let message = refused(&store).await;
    assert_eq!(std::fs::read(store.path()).unwrap(), text);
    message.replace(&store.path().display().to_string(), "PATH")
}

#[tokio::test]
async fn a_damaged_file_is_left_alone() {
    let sign_in = "and was left alone: move it away and sign in again";
    assert_eq!(refused_text(b"").await, format!("`PATH` is empty, {sign_in}"));
    assert_eq!(refused_text(b" \n").await, format!("`PATH` is empty, {sign_in}"));
    assert_eq!(
        refused_text(&WHOLE.as_bytes()[..60]).await,
        format!("`PATH` ends too early, in line 1, column 60, {sign_in}")
    );
    assert_eq!(
        refused_text(&[0; 100]).await.split(':').next(),
        Some("`PATH` is no JSON from line 1, column 1 on, and was left alone")
    );
    assert_eq!(refused_text(b"\xff\xfes3cr3t").await, format!("`PATH` is no text, {sign_in}"));
    for (from, to) in [
        (r#""next":6"#, r#""next":"s3cr3t""#),
        (r#""next":6,"#, ""),
        (r#""version":5"#, r#""version":-5"#),
        (r#""value""#, r#""s3cr3t""#),
        (r#""next""#, r#""s3cr3t":1,"next""#),
    ] {
        let message = refused_text(WHOLE.replace(from, to).as_bytes()).await;
        assert!(message.starts_with("`PATH` is damaged at line 1, column "), "{message}");
    }
    let message = refused_text(WHOLE.replace(r#""value":{"t":"s3cr3t"}"#, r#""forget_at":null"#).as_bytes()).await;
    assert_eq!(message, format!("`PATH` has a record that makes no sense, {sign_in}"));
}

#[tokio::test]
async fn every_truncation_is_refused() {
    let directory = Directory::new();
    let store = directory.store();
    for end in 0..WHOLE.len() {
        write(store.path(), &WHOLE.as_bytes()[..end]);
        let error = store.load(&key()).await.unwrap_err();
        assert!(error.is_misconfigured() && !error.to_string().contains("s3cr3t"), "{end}: {error}");
    }
    write(store.path(), WHOLE.as_bytes());
    assert!(store.load(&Key::new(["a"])).await.unwrap().is_some());
}

#[tokio::test]
async fn the_file_of_another_program_is_left_alone() {
    for text in [
        "{}",
        r#"{"token":"s3cr3t"}"#,
        "[]",
        "3",
        "null",
        r#""s3cr3t""#,
        r#"{"gatepass-store":"s3cr3t"}"#,
        r#"{"gatepass-store":0}"#,
    ] {
        let message = refused_text(text.as_bytes()).await;
        assert_eq!(
            message, "`PATH` is not a gatepass store, and was left alone: name another path, or move it away",
            "{text}"
        );
    }
    assert!(refused_text(b"[s3cr3t]\ntoken = 1").await.contains("if it is not a gatepass store, name another path"));
}

#[tokio::test]
async fn the_file_of_a_newer_version_is_left_alone() {
    let message = refused_text(br#"{"gatepass-store":2,"other":["things","s3cr3t"]}"#).await;
    assert_eq!(message, "`PATH` was written by a newer gatepass, and was left alone: update this program");
}

#[tokio::test]
async fn a_directory_is_no_store() {
    let directory = Directory::new();
    std::fs::create_dir(directory.join("inner")).unwrap();
    assert!(refused(&FileStore::new(directory.join("inner"))).await.ends_with("is not a file: name a file"));
    for path in ["", "/", ".."] {
        let error = swap(&FileStore::new(path), None, "{}").await.unwrap_err();
        assert!(error.is_misconfigured(), "{error}");
    }
}

#[tokio::test]
async fn a_file_in_place_of_a_directory_is_said() {
    let directory = Directory::new();
    write(&directory.join("file"), b"");
    let store = FileStore::new(directory.join("file/store.json"));
    let error = swap(&store, None, "{}").await.unwrap_err();
    assert!(error.is_misconfigured(), "{error:?}");
}

#[tokio::test]
async fn a_huge_file_is_not_read() {
    let directory = Directory::new();
    let store = directory.store();
    write(store.path(), b"");
    std::fs::File::options().write(true).open(store.path()).unwrap().set_len(1 << 40).unwrap();
    assert!(refused(&store).await.contains("16 MiB"));
}

#[tokio::test]
async fn a_file_does_not_grow_beyond_what_is_read() {
    let directory = Directory::new();
    let store = directory.store();
    let version = keep(&store, "{}").await;
    let error = swap(&store, Some(version), &"x".repeat(17 << 20)).await.unwrap_err();
    assert!(error.is_misconfigured(), "{error}");
    assert_eq!(text(&store).await.as_deref(), Some("{}"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_can_read_is_refused() {
    let directory = Directory::new();
    let store = directory.store();
    write(store.path(), WHOLE.as_bytes());
    for mode in [0o640, 0o604, 0o660, 0o666, 0o610] {
        set_mode(store.path(), mode);
        let message = refused(&store).await;
        assert!(message.ends_with(&format!("run `chmod 600 {}`", store.path().display())), "{message}");
    }
    set_mode(store.path(), 0o600);
    assert_eq!(store.load(&key()).await.unwrap(), None);
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_of_another_user_is_refused() {
    let directory = Directory::new();
    let mut store = directory.store();
    write(store.path(), WHOLE.as_bytes());
    if std::os::unix::fs::chown(store.path(), Some(12345), None).is_err() {
        store = FileStore::new("/etc/passwd"); // only root can give files away
    }
    let message = store.load(&key()).await.unwrap_err().to_string();
    assert!(message.contains("belongs to the user with the id"), "{message}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_does_not_hang() {
    let directory = Directory::new();
    let store = directory.store();
    let made = std::process::Command::new("mkfifo").arg(store.path()).status().unwrap();
    assert!(made.success());
    assert!(refused(&store).await.ends_with("is not a file: name a file"));
}
