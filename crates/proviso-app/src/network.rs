//! From which network and when a request comes, as far as policies may tell.

use std::net::IpAddr;

use proviso_core::org::{Environment, Network};
use proviso_core::time::At;

use crate::App;
use crate::access::Grounds;

/// A range of addresses, such as `10.20.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// Reads an address, or an address and the number of bits that count. Bits behind those must be
    /// zero: a range that says more than it means was mistyped.
    ///
    /// ```
    /// use proviso_app::network::AddressRange;
    /// assert!(AddressRange::parse("10.20.0.0/16").is_some());
    /// assert!(AddressRange::parse("fd00::/8").is_some());
    /// assert!(AddressRange::parse("10.20.0.1/16").is_none());
    /// assert!(AddressRange::parse("10.20.0.0/33").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse::<u8>().ok().filter(|bits| *bits <= width)?,
            None => width,
        };
        let range = Self { first: address, bits };
        (range.masked(address) == Some(address)).then_some(range)
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.masked(address) == Some(self.first)
    }

    /// An address with the bits that do not count as zero; `None` for one of another family.
    fn masked(&self, address: IpAddr) -> Option<IpAddr> {
        let bits = u32::from(self.bits);
        match (self.first, address) {
            (IpAddr::V4(_), IpAddr::V4(own)) => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                Some(IpAddr::V4((own.to_bits() & mask).into()))
            }
            (IpAddr::V6(_), IpAddr::V6(own)) => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                Some(IpAddr::V6((own.to_bits() & mask).into()))
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }
}

/// Which addresses are the organisation's own. Where nothing is named, no network is known, and a
/// policy that asks for one permits nothing.
///
/// TRUST: what counts is the address that the connection comes from. What a header says of other
/// addresses is not looked at, since whoever asks writes it. Behind a proxy every request comes from
/// the proxy; then its address must not be among these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks {
    /// Its own network.
    pub internal: Vec<AddressRange>,
    /// Its remote access.
    pub remote: Vec<AddressRange>,
}

impl Networks {
    /// This machine counts as the organisation's own network.
    pub fn loopback() -> Self {
        let internal = ["127.0.0.0/8", "::1"].into_iter().filter_map(AddressRange::parse).collect();
        Self { internal, remote: Vec::new() }
    }

    /// The network that an address belongs to.
    pub fn of(&self, address: IpAddr) -> Option<Network> {
        let address = address.to_canonical();
        let among = |ranges: &[AddressRange]| ranges.iter().any(|own| own.contains(address));
        if self.internal.is_empty() && self.remote.is_empty() {
            None
        } else if among(&self.internal) {
            Some(Network::Internal)
        } else if among(&self.remote) {
            Some(Network::Remote)
        } else {
            Some(Network::External)
        }
    }
}

impl App {
    /// The network of a peer's address as text.
    pub fn network_of(&self, address: Option<&str>) -> Option<Network> {
        self.settings.networks.of(address?.parse().ok()?)
    }
}

impl Grounds<'_> {
    /// From where and when something is asked. How strongly the person signed in and on which device
    /// is not known here, so a policy that asks for it permits nothing.
    pub(crate) fn environment(self, network: Option<Network>, at: At) -> Environment {
        let (hour, weekday) = self.filed.zone.hour_and_weekday(at).unzip();
        Environment { network, hour, weekday, ..Environment::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks() -> Networks {
        let range = |text: &str| AddressRange::parse(text).unwrap();
        Networks {
            internal: vec![range("10.20.0.0/16"), range("fd00:20::/32")],
            remote: vec![range("192.0.2.7")],
        }
    }

    #[test]
    fn an_address_belongs_to_the_first_range_that_has_it() {
        let cases = [
            ("10.20.0.0", Network::Internal),
            ("10.20.255.255", Network::Internal),
            ("10.19.255.255", Network::External),
            ("10.21.0.0", Network::External),
            ("::ffff:10.20.1.1", Network::Internal),
            ("fd00:20::1", Network::Internal),
            ("fd00:21::1", Network::External),
            ("192.0.2.7", Network::Remote),
            ("192.0.2.8", Network::External),
        ];
        for (address, network) in cases {
            assert_eq!(networks().of(address.parse().unwrap()), Some(network), "{address}");
        }
    }

    #[test]
    fn where_nothing_is_named_no_network_is_known() {
        assert_eq!(Networks::default().of("10.20.0.1".parse().unwrap()), None);
    }

    #[test]
    fn a_range_that_says_more_than_it_means_is_none() {
        for bad in ["", "10.20.0.0/", "10.20.0.1/16", "10.20.0.0/33", "::/129", "10.20/16", "x"] {
            assert_eq!(AddressRange::parse(bad), None, "{bad}");
        }
        let everything = AddressRange::parse("0.0.0.0/0").unwrap();
        assert!(everything.contains("203.0.113.9".parse().unwrap()));
        assert!(!everything.contains("::1".parse().unwrap()));
    }
}
