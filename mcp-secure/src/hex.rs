//! Bytes as hexadecimal digits.

/// Two lower-case digits a byte. Not by `write!`: digests are written for each request.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    text.extend(digits.filter_map(|half| char::from_digit(u32::from(half), 16)));
    text
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn each_byte_is_two_digits() {
        assert_eq!(hex(&[0, 1, 0x0f, 0x10, 0xab, 0xff]), "00010f10abff");
        assert_eq!(hex(&[]), "");
        let all: Vec<u8> = (0..=255).collect();
        let written: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex(&all), written);
    }
}
