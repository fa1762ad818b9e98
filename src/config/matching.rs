//! For whom a `[[match]]` table is: patterns of names and addresses, as sshd_config(5) has them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::file::Table;
use crate::identity::{self, Login};

/// What a table asks for; all that is given must hold.
#[derive(Debug, Default)]
pub(super) struct Criteria {
    pub(super) user: Option<Vec<Pattern>>,
    pub(super) group: Option<Vec<Pattern>>,
    pub(super) address: Option<Vec<Pattern>>,
}

impl Criteria {
    /// Those that are given, by their keys.
    pub(super) fn lists(&self) -> impl Iterator<Item = (&'static str, &[Pattern])> {
        let all = [
            ("user", &self.user),
            ("group", &self.group),
            ("address", &self.address),
        ];
        let all = all.into_iter();
        all.filter_map(|(key, list)| list.as_deref().map(|list| (key, list)))
    }
}

/// Who is logged in, and from where.
#[derive(Debug)]
pub struct Who<'l> {
    login: &'l Login,
    groups: OnceCell<Result<Vec<Vec<u8>>, &'static str>>,
    address: Option<IpAddr>,
}

impl<'l> Who<'l> {
    /// This user, as whom the process runs, from this address.
    #[must_use]
    pub fn new(login: &'l Login, address: Option<IpAddr>) -> Self {
        Self {
            login,
            groups: OnceCell::new(),
            address: address.map(folded),
        }
    }

    /// The user of this process, from where sshd says that the client is.
    #[must_use]
    pub fn of_session(login: &'l Login) -> Self {
        let first = |name| {
            let value = std::env::var(name).ok()?;
            Some(value.split(' ').next()?.to_owned())
        };
        let address = first("SSH_CONNECTION").or_else(|| first("SSH_CLIENT"));
        Self::new(login, address.and_then(|text| address_of(&text)))
    }

    /// Whether a table is for them.
    ///
    /// # Errors
    /// [`Unknown`].
    pub(super) fn is(&self, table: &Table) -> Result<bool, Unknown> {
        let Criteria {
            user,
            group,
            address,
        } = &table.criteria;
        if let Some(list) = address {
            let is = |address| any(list, |what: &What| what.is_address(address));
            if !self.address.is_some_and(is) {
                return Ok(false);
            }
        }
        let unknown = |key, list: &[Pattern], why| Unknown {
            key,
            line: list.first().map_or(0, |pattern| pattern.line),
            why,
        };
        if let Some(list) = user {
            if let Some(why) = self.login.unsure() {
                return Err(unknown("user", list, why));
            }
            if !any(list, |what| what.is_name(self.login.user())) {
                return Ok(false);
            }
        }
        // Asked last: the name service may be on another host.
        let Some(list) = group else {
            return Ok(true);
        };
        match self.groups.get_or_init(identity::groups) {
            Ok(groups) => Ok(any(list, |what| {
                groups.iter().any(|group| what.is_name(group))
            })),
            Err(why) => Err(unknown("group", list, *why)),
        }
    }
}

/// Nobody knows whether a table is for this user, since the name service failed.
#[derive(Debug)]
pub(super) struct Unknown {
    pub(super) key: &'static str,
    /// Of the file, from 1.
    pub(super) line: usize,
    /// In words.
    pub(super) why: &'static str,
}

/// Whether one of the patterns holds, and none that is negated.
fn any(patterns: &[Pattern], is: impl Fn(&What) -> bool) -> bool {
    let holding = || patterns.iter().filter(|pattern| is(&pattern.what));
    holding().next().is_some() && holding().all(|pattern| !pattern.negated)
}

/// Whether no list of these can hold, whoever is asked about.
pub(super) fn never(patterns: &[Pattern]) -> bool {
    patterns.iter().all(|pattern| pattern.negated)
}

/// One of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    negated: bool,
    what: What,
    /// Of the file, from 1.
    pub(super) line: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// `*` is anything, `?` one byte.
    Glob(Vec<u8>),
    /// Its first bits.
    Net(IpAddr, u32),
}

impl Pattern {
    /// A name of a user or group.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn of_name(text: &str, line: usize) -> Result<Self, &'static str> {
        let (negated, text) = negated(text)?;
        Ok(Self {
            negated,
            what: What::Glob(text.as_bytes().to_vec()),
            line,
        })
    }

    /// The name that it is, if it is no pattern of several, nor negated.
    pub(super) fn name(&self) -> Option<&[u8]> {
        match &self.what {
            What::Glob(name) if !self.negated => {
                let one = !name.iter().any(|byte| matches!(byte, b'*' | b'?'));
                one.then_some(name)
            }
            _ => None,
        }
    }

    /// An address, a network, or a pattern of addresses as they are written.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn of_address(text: &str, line: usize) -> Result<Self, Cow<'static, str>> {
        let (negated, text) = negated(text)?;
        let what = if text.contains(['*', '?']) {
            let known = |letter: char| letter.is_ascii_hexdigit() || "*?.:".contains(letter);
            if !text.chars().all(known) {
                return Err("an address is meant, and not a name of a host".into());
            }
            What::Glob(text.to_ascii_lowercase().into_bytes())
        } else {
            net(text)?
        };
        Ok(Self {
            negated,
            what,
            line,
        })
    }
}

fn negated(text: &str) -> Result<(bool, &str), &'static str> {
    let (negated, text) = match text.strip_prefix('!') {
        Some(text) => (true, text),
        None => (false, text),
    };
    match text.is_empty() {
        true => Err("an empty pattern"),
        false => Ok((negated, text)),
    }
}

fn net(text: &str) -> Result<What, Cow<'static, str>> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err("no address, no network (as in 192.0.2.0/24), and no pattern".into());
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let digits = |bits: &&str| bits.bytes().all(|digit| digit.is_ascii_digit());
    let bits = match bits {
        None => Some(most),
        Some(bits) => Some(bits)
            .filter(digits)
            .and_then(|bits| bits.parse().ok())
            .filter(|bits| *bits <= most),
    };
    let bits = bits.ok_or_else(|| {
        format!("the length of the network is a number from 0 to {most}, as in {address}/{most}")
    })?;
    let head = head(address, bits);
    if head != address {
        let meant = format!("bits are set behind the network's length; is {head}/{bits} meant?");
        return Err(meant.into());
    }
    Ok(match (address, folded(address)) {
        (IpAddr::V6(_), v4 @ IpAddr::V4(_)) if bits >= 96 => What::Net(v4, bits - 96),
        _ => What::Net(address, bits),
    })
}

impl What {
    fn is_name(&self, name: &[u8]) -> bool {
        match self {
            Self::Glob(pattern) => fits(pattern, name),
            Self::Net(..) => false,
        }
    }

    fn is_address(&self, address: IpAddr) -> bool {
        match self {
            Self::Glob(pattern) => fits(pattern, address.to_string().as_bytes()),
            Self::Net(net, bits) => {
                net.is_ipv4() == address.is_ipv4() && head(address, *bits) == *net
            }
        }
    }
}

/// The address with all but its first bits zero.
fn head(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            Ipv4Addr::from(u32::from(address) & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            Ipv6Addr::from(u128::from(address) & mask).into()
        }
    }
}

/// An address as it is written, perhaps with a zone.
pub(super) fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.split('%').next()?;
    text.parse().ok().map(folded)
}

/// What an IPv6 socket calls an IPv4 address is that address.
fn folded(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(long) => long.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Whether a pattern matches all of a text. In time of the product of their lengths.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    // Which beginnings of the text the pattern so far can match.
    let mut reached = vec![false; text.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for byte in pattern {
        let before = reached.clone();
        let mut any = false;
        for (end, now) in reached.iter_mut().enumerate() {
            any |= before.get(end) == Some(&true);
            let last = end.checked_sub(1);
            let shorter = last.and_then(|last| before.get(last)) == Some(&true);
            let same = last.and_then(|last| text.get(last));
            *now = match byte {
                b'*' => any,
                b'?' => shorter,
                byte => shorter && same == Some(byte),
            };
        }
    }
    reached.last() == Some(&true)
}
