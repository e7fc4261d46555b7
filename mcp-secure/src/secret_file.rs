//! A secret that the operator keeps in a file.

use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A secret of the operator, without the line end. A file that every user of the machine can
/// read stops the start.
pub(crate) fn secret_file(path: &Path) -> Result<Zeroizing<String>> {
    use std::io::Read as _;

    let wrong = |what: String| Error::new(format!("the secret in `{}` {what}", path.display()));
    let mut file =
        std::fs::File::open(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let about = file
        .metadata()
        .map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if !about.is_file() {
        return Err(wrong("is not in a regular file".to_owned()).help("name a file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if about.permissions().mode() & 0o007 != 0 {
            return Err(wrong("can be read by every user".to_owned()).help(format!(
                "try `chmod 600 '{}'`, or `defaultMode: 0440` for a secret of Kubernetes",
                path.display()
            )));
        }
    }
    let mut text = Zeroizing::new(String::new());
    file.by_ref()
        .take(MAX_SECRET + 1)
        .read_to_string(&mut text)
        .map_err(|_| wrong("is not text".to_owned()))?;
    let len = text.trim_end_matches(['\r', '\n']).len();
    if text.len() as u64 > MAX_SECRET || len == 0 {
        return Err(wrong("is empty, or too long for one".to_owned()));
    }
    text.truncate(len);
    Ok(text)
}

const MAX_SECRET: u64 = 16 * 1024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_secret_that_everybody_can_read_is_none() {
        use std::{fs, os::unix::fs::PermissionsExt as _};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            secret_file(&path).map(|text| text.to_string())
        };
        assert_eq!(write("s3cret\n", 0o600).unwrap(), "s3cret");
        assert_eq!(write("s3cret\r\n", 0o440).unwrap(), "s3cret");
        assert_eq!(write(" s ", 0o600).unwrap(), " s ");
        for (text, mode) in [
            ("s3cret", 0o644),
            ("s3cret", 0o602),
            ("", 0o600),
            ("\n", 0o600),
        ] {
            let error = write(text, mode).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert!(write(&"x".repeat(16 * 1024 + 1), 0o600).is_err());
        assert!(secret_file(folder.path()).is_err());
    }
}
