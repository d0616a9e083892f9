use super::*;
use crate::base::clock::ManualClock;
use chrono::TimeDelta;
use std::net::IpAddr;

fn key(address: impl Into<IpAddr>) -> RateLimitKey {
    RateLimitKey::new(SocketAddr::new(address.into(), 1), &HeaderMap::new(), 0)
}

fn quotas(requests_per_minute: u32) -> (Quotas, ManualClock) {
    let clock = ManualClock::at("2026-03-02T09:00:00Z".parse().unwrap());
    let requests_per_minute = NonZeroU32::new(requests_per_minute).unwrap();
    (Quotas::new(requests_per_minute, &Clock::Manual(clock.clone())), clock)
}

/// How many requests pass until the first one is rejected.
fn use_up(quotas: &Quotas, key: RateLimitKey, class: RequestClass) -> u32 {
    (0..100_000).find(|_| quotas.check(key, class).is_err()).unwrap()
}

#[test]
fn a_quota_refills_over_a_minute() {
    let (quotas, clock) = quotas(60);
    let one = key([198, 51, 100, 7]);
    assert_eq!(use_up(&quotas, one, RequestClass::View), 60);
    let RateLimited { quota, retry_after } = quotas.check(one, RequestClass::View).unwrap_err();
    assert_eq!((quota, retry_after), ("requests", Duration::from_secs(1)));
    clock.advance(TimeDelta::seconds(10));
    assert_eq!(use_up(&quotas, one, RequestClass::View), 10);
    clock.advance(TimeDelta::minutes(10));
    assert_eq!(use_up(&quotas, one, RequestClass::View), 60);
}

#[test]
fn presses_resends_and_one_clicks_have_their_own_quotas() {
    let (quotas, clock) = quotas(120);
    let one = key([198, 51, 100, 7]);
    assert_eq!(use_up(&quotas, one, RequestClass::Press), 30);
    assert_eq!(quotas.check(one, RequestClass::View), Ok(()), "views still pass");
    assert_eq!(use_up(&quotas, one, RequestClass::Resend), 20);
    assert_eq!(use_up(&quotas, one, RequestClass::OneClick), 2400);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(use_up(&quotas, one, RequestClass::Press), 30);
    assert_eq!(use_up(&quotas, one, RequestClass::Resend), 0);
    clock.advance(TimeDelta::hours(1));
    assert_eq!(use_up(&quotas, one, RequestClass::Resend), 20);
}

#[test]
fn setting_the_wall_clock_changes_no_quota() {
    let (quotas, clock) = quotas(60);
    let one = key([198, 51, 100, 7]);
    assert_eq!(use_up(&quotas, one, RequestClass::View), 60);
    clock.set("2027-03-02T09:00:00Z".parse().unwrap());
    assert_eq!(use_up(&quotas, one, RequestClass::View), 0);
    clock.set("2026-03-02T09:00:00Z".parse().unwrap());
    clock.advance(TimeDelta::seconds(10));
    assert_eq!(use_up(&quotas, one, RequestClass::View), 10);
}

#[test]
fn one_client_uses_up_no_other_clients_quota() {
    let (quotas, _) = quotas(60);
    use_up(&quotas, key([198, 51, 100, 7]), RequestClass::Press);
    let unaffected = (0..=255).filter(|n| use_up(&quotas, key([203, 0, 113, *n]), RequestClass::Press) == 15);
    assert!(unaffected.count() > 200, "all but the few that share a bucket");
}

#[test]
fn memory_use_has_a_limit_for_any_number_of_addresses() {
    let (quotas, _) = quotas(60);
    for n in 0..300_000_u32 {
        let _ = quotas.check(key(n.to_be_bytes()), RequestClass::View);
    }
    assert!(quotas.requests.limiters.iter().all(|limiter| limiter.len() <= 1 << 16));
}

#[test]
fn many_small_networks_of_one_customer_share_a_wider_quota() {
    let view = |quotas: &Quotas, c: u16, d: u16, host: u16| {
        quotas.check(key([0x2001, 0xdb8, c, d, 0, 0, 0, host]), RequestClass::View)
    };
    let passed = |quotas: &Quotas, network: fn(u16) -> (u16, u16)| {
        (0..10_000).filter(|n| view(quotas, network(*n).0, network(*n).1, *n).is_ok()).count()
    };
    let (quotas, _) = quotas(60);
    assert_eq!(passed(&quotas, |_| (1, 1)), 60, "a /64");
    assert_eq!(passed(&quotas, |n| (2, n % 256)), 4 * 60, "a /56");
    assert_eq!(passed(&quotas, |n| (3, n)), 16 * 60, "a /48");
}
