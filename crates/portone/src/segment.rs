//! Ids of the merchant's that become one segment of an address.

/// Whether `id` has 1 to `chars_max` characters, none of them a control character or one of `/ \ ? # %`, and is not made of
/// dots alone: proxies and servers disagree on what an encoded slash or a path made of dots means.
pub(crate) fn is_safe(id: &str, chars_max: usize) -> bool {
    let forbidden = |c: char| c.is_control() || matches!(c, '/' | '\\' | '?' | '#' | '%');
    (1..=chars_max).contains(&id.chars().count())
        && !id.contains(forbidden)
        && !id.chars().all(|c| c == '.')
}

/// Whether `id` has 1 to `bytes_max` of `A-Z`, `a-z`, `0-9`, `_` and `-`, which is what PortOne's own ids are made of.
pub(crate) fn is_portones(id: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
