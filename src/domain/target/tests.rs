//! Every way to write an address that nothing may be sent to.

use std::collections::BTreeSet;

use super::*;

fn policy(mode: Mode, private: &[&str]) -> TargetPolicy {
    TargetPolicy {
        mode,
        private: private
            .iter()
            .map(|network| network.parse().expect("a network"))
            .collect(),
    }
}

/// One of each network that is not public, and its edges.
const NOT_PUBLIC_V4: [[u8; 4]; 40] = [
    [0, 0, 0, 0],
    [0, 255, 255, 255],
    [10, 0, 0, 0],
    [10, 255, 255, 255],
    [100, 64, 0, 0],
    [100, 100, 100, 200],
    [100, 127, 255, 255],
    [127, 0, 0, 1],
    [127, 255, 255, 255],
    [168, 63, 129, 16],
    [169, 254, 0, 0],
    [169, 254, 169, 254],
    [169, 254, 170, 2],
    [169, 254, 255, 255],
    [172, 16, 0, 0],
    [172, 17, 0, 1],
    [172, 31, 255, 255],
    [192, 0, 0, 0],
    [192, 0, 0, 192],
    [192, 0, 0, 255],
    [192, 0, 2, 0],
    [192, 0, 2, 255],
    [192, 88, 99, 0],
    [192, 88, 99, 1],
    [192, 88, 99, 255],
    [192, 168, 0, 0],
    [192, 168, 0, 1],
    [192, 168, 255, 255],
    [198, 18, 0, 0],
    [198, 19, 255, 255],
    [198, 51, 100, 0],
    [198, 51, 100, 255],
    [203, 0, 113, 0],
    [203, 0, 113, 255],
    [224, 0, 0, 1],
    [239, 255, 255, 250],
    [240, 0, 0, 0],
    [254, 1, 2, 3],
    [255, 255, 255, 254],
    [255, 255, 255, 255],
];
/// Beside them.
const PUBLIC_V4: [[u8; 4]; 18] = [
    [1, 0, 0, 0],
    [9, 255, 255, 255],
    [11, 0, 0, 0],
    [100, 63, 255, 255],
    [100, 128, 0, 0],
    [126, 255, 255, 255],
    [128, 0, 0, 0],
    [168, 63, 129, 15],
    [169, 253, 255, 255],
    [169, 255, 0, 0],
    [172, 15, 255, 255],
    [172, 32, 0, 0],
    [192, 0, 1, 0],
    [192, 167, 255, 255],
    [192, 169, 0, 0],
    [198, 17, 255, 255],
    [198, 20, 0, 0],
    [223, 255, 255, 255],
];
const NOT_PUBLIC_V6: [&str; 22] = [
    "::",
    "::1",
    "100::1",
    "64:ff9b:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff:ffff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "1fff::1",
];
const PUBLIC_V6: [&str; 5] = [
    "2001:200::1",
    "2001:4860:4860::8888",
    "2400:cb00::1",
    "2606:4700::1111",
    "3fff:1000::1",
];

/// The digits of an address, in each base that parsers of hosts know.
fn part_spellings(value: u32) -> [String; 6] {
    [
        format!("{value}"),
        format!("0x{value:x}"),
        format!("0X{value:X}"),
        format!("0x0000{value:x}"),
        format!("0{value:o}"),
        format!("0000{value:o}"),
    ]
}

/// An IPv4 address in one, two, three and four parts, each in several bases.
fn v4_spellings(octets: [u8; 4]) -> BTreeSet<String> {
    let [a, b, c, d] = octets.map(u32::from);
    let whole = u32::from_be_bytes(octets);
    let mut texts: BTreeSet<String> = part_spellings(whole).into();
    for (at, first) in part_spellings(a).iter().enumerate() {
        for rest in part_spellings(whole & 0x00ff_ffff) {
            texts.insert(format!("{first}.{rest}"));
        }
        for rest in part_spellings(whole & 0xffff) {
            texts.insert(format!("{first}.{}.{rest}", part_spellings(b)[at]));
        }
        for rest in part_spellings(d) {
            let (second, third) = (&part_spellings(b)[5 - at], &part_spellings(c)[at]);
            texts.insert(format!("{first}.{second}.{third}.{rest}"));
        }
    }
    let plain = format!("{a}.{b}.{c}.{d}");
    texts.insert(format!("{plain}."));
    // What browsers make the same: other digits and dots, percent-escapes, soft hyphens.
    let changed = |digit: fn(char) -> String| plain.chars().map(digit).collect::<String>();
    let full_width = |c: char| match c.to_digit(10) {
        Some(digit) => char::from_u32(0xff10 + digit)
            .map(String::from)
            .unwrap_or_default(),
        None => c.to_string(),
    };
    texts.insert(changed(full_width));
    texts.insert(changed(full_width).replace('.', "。"));
    texts.insert(changed(|c| match c.to_digit(10) {
        Some(digit) => char::from_u32(0x1d7d8 + digit)
            .map(String::from)
            .unwrap_or_default(),
        None => "．".to_owned(),
    }));
    texts.insert(changed(|c| format!("%{:02x}", c as u32)));
    texts.insert(plain.replace('.', "%2e"));
    texts.insert(plain.replace('.', "%2E"));
    texts.insert(plain.replace('.', "｡"));
    texts.insert(plain.replacen('.', "\u{ad}.", 1));
    texts
}

/// An IPv4 address inside IPv6.
fn v4_in_v6_spellings(octets: [u8; 4]) -> Vec<String> {
    let [a, b, c, d] = octets;
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let plain = format!("{a}.{b}.{c}.{d}");
    vec![
        format!("[::ffff:{plain}]"),
        format!("[::FFFF:{high:X}:{low:X}]"),
        format!("[0:0:0:0:0:ffff:{high:04x}:{low:04x}]"),
        format!("[0000:0000:0000:0000:0000:ffff:{plain}]"),
        format!("[::{plain}]"),
        format!("[64:ff9b::{plain}]"),
        format!("[64:ff9b::{high:x}:{low:x}]"),
        format!("[64:ff9b:1::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!("[2002:{high:x}:{low:x}:ffff::]"),
        format!("[2001:0:{high:x}:{low:x}::{:x}:{:x}]", !high, !low),
        format!("[::ffff:0:{plain}]"),
    ]
}

#[test]
fn no_spelling_of_an_address_that_is_not_public_is_taken() {
    let live = policy(Mode::Live, &[]);
    let mut hosts = BTreeSet::new();
    for octets in NOT_PUBLIC_V4 {
        hosts.extend(v4_spellings(octets));
        hosts.extend(v4_in_v6_spellings(octets));
    }
    hosts.extend(NOT_PUBLIC_V6.map(|ip| format!("[{ip}]")));
    hosts.extend(NOT_PUBLIC_V6.map(|ip| format!("[{}]", ip.to_uppercase())));
    for name in [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "loc%61lhost",
        "ｌｏｃａｌｈｏｓｔ",
        "shop",
        "postgres",
        "printer.local",
        "metadata.google.internal",
        "metadata.google.internal.",
        "shop.example.com.",
        "router.lan",
    ] {
        hosts.insert(name.to_owned());
    }
    let mut tried = 0;
    for host in &hosts {
        for url in [
            format!("https://{host}/"),
            format!("HTTPS://{host}:8443/hook?a=b#c"),
            format!("http://{host}"),
            format!("https:\\\\{host}\\hook"),
            format!(" https://\t{host}/\n"),
            format!("https://shop.example.com@{host}/"),
            format!("https:{host}"),
        ] {
            let read = live.parse(&url);
            assert!(read.is_err(), "{url:?} was taken: {read:?}");
            tried += 1;
        }
    }
    assert!(tried >= 10_000, "{tried} spellings");
}

/// The same spellings of public addresses are read, so that the ones above are refused for where they lead.
#[test]
fn public_addresses_are_taken_in_every_spelling() {
    let live = policy(Mode::Live, &[]);
    for octets in PUBLIC_V4 {
        for host in v4_spellings(octets) {
            let read = live
                .parse(&format!("https://{host}/hook"))
                .map(|url| url.host().map(|host| host.to_owned()));
            assert_eq!(read, Ok(Some(Host::Ipv4(octets.into()))), "{host}");
        }
        assert!(live.allows(true, Ipv4Addr::from(octets).to_ipv6_mapped().into()));
    }
    for ip in PUBLIC_V6 {
        assert!(live.parse(&format!("https://[{ip}]/")).is_ok(), "{ip}");
    }
    for url in [
        "https://shop.example.com/hook",
        "https://상점.example.com:8443/웹훅?a=b",
        "https://localhost.example.com/",
        "https://127.0.0.1.example.com/",
    ] {
        assert!(live.parse(url).is_ok(), "{url}");
    }
}

#[test]
fn what_a_name_stands_for_is_judged_as_if_it_were_written() {
    let live = policy(Mode::Live, &[]);
    for octets in NOT_PUBLIC_V4 {
        let ip = Ipv4Addr::from(octets);
        assert!(!live.allows(true, ip.into()), "{ip}");
        assert!(!live.allows(true, ip.to_ipv6_mapped().into()), "{ip}");
    }
    for ip in NOT_PUBLIC_V6 {
        assert!(!live.allows(true, ip.parse().expect("an address")), "{ip}");
    }
    for ip in PUBLIC_V6 {
        assert!(live.allows(true, ip.parse().expect("an address")), "{ip}");
    }
}

#[test]
fn only_http_without_credentials_is_an_address() {
    let live = policy(Mode::Live, &[]);
    for (url, refused) in [
        ("", TargetRefused::Malformed),
        ("shop.example.com/hook", TargetRefused::Malformed),
        ("/hook", TargetRefused::Malformed),
        ("ftp://shop.example.com/", TargetRefused::Malformed),
        ("file:///etc/passwd", TargetRefused::Malformed),
        ("gopher://shop.example.com/", TargetRefused::Malformed),
        ("unix:/run/docker.sock", TargetRefused::Malformed),
        ("javascript:alert(1)", TargetRefused::Malformed),
        ("https://", TargetRefused::Malformed),
        ("https://[::1", TargetRefused::Malformed),
        ("https://a b/", TargetRefused::Malformed),
        ("https://user@shop.example.com/", TargetRefused::Credentials),
        (
            "https://:pass@shop.example.com/",
            TargetRefused::Credentials,
        ),
        ("http://shop.example.com/hook", TargetRefused::Insecure),
        ("http://8.8.8.8/", TargetRefused::Insecure),
    ] {
        assert_eq!(live.parse(url), Err(refused), "{url:?}");
    }
    let host = "https://shop.example.com/";
    let longest = host.to_owned() + &"a".repeat(URL_BYTES_MAX - host.len());
    assert!(live.parse(&longest).is_ok());
    let long = longest + "a";
    assert_eq!(live.parse(&long), Err(TargetRefused::Malformed));
}

#[test]
fn with_test_money_this_machine_may_be_called() {
    let test = policy(Mode::Test, &[]);
    for url in [
        "http://127.0.0.1:4000/hook",
        "http://localhost:4000/hook",
        "http://[::1]:4000/",
        "https://127.0.0.1/",
        "http://shop.example.com/",
    ] {
        assert!(test.parse(url).is_ok(), "{url}");
    }
    for url in [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00::1]/",
        "http://0.0.0.0/",
        "http://shop:4000/",
    ] {
        assert_eq!(test.parse(url), Err(TargetRefused::NotPublic), "{url}");
    }
}

#[test]
fn a_private_network_may_be_called_when_a_setting_says_so() {
    let live = policy(Mode::Live, &["172.16.0.0/12", "fd00::/8"]);
    for url in [
        "http://172.18.0.3:8080/hook",
        "http://[::ffff:172.18.0.3]/hook",
        "https://[fd00::1]/",
        "http://shop:8080/hook",
        "https://shop.internal/",
    ] {
        assert!(live.parse(url).is_ok(), "{url}");
    }
    for url in [
        "http://127.0.0.1/",
        "http://localhost/",
        "https://10.0.0.1/",
    ] {
        assert_eq!(live.parse(url), Err(TargetRefused::NotPublic), "{url}");
    }
    assert_eq!(live.parse("http://8.8.8.8/"), Err(TargetRefused::Insecure));
    let loopback = policy(Mode::Live, &["127.0.0.0/8"]);
    assert!(loopback.parse("http://localhost:4000/").is_ok());
}
