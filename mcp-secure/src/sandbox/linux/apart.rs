//! A network with nobody in it.
//!
//! A ring around a network that is there is made of ports: neither Landlock nor a filter reads
//! an address, so a process that may reach one port of ours reaches that port at any host. In a
//! namespace of its own there is no other host, no route and no name server; what was made in
//! it and handed out is the only way.

use rustix::{
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType},
    thread::UnshareFlags,
};

/// Moves this process there. Refused by many containers, and by systems that forbid user
/// namespaces to who is not root. Nothing is changed then.
pub(in super::super) fn apart() -> Result<(), String> {
    // Who may make one does not need other users for it, as whom files would be opened.
    if unshare(UnshareFlags::NEWNET).is_err() {
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET).map_err(|e| e.to_string())?;
        // By their own names. Without them the program sees `nobody`, and can do the same.
        for (file, line) in [
            ("uid_map", format!("{0} {0} 1", user.as_raw())),
            ("setgroups", "deny".to_owned()),
            ("gid_map", format!("{0} {0} 1", group.as_raw())),
        ] {
            let _ = std::fs::write(format!("/proc/self/{file}"), line);
        }
    }
    loopback().map_err(|error| format!("its loopback stays down: {error}"))
}

#[expect(
    deprecated,
    reason = "it can be unsound with `CLONE_FILES` only, which is not asked for"
)]
fn unshare(what: UnshareFlags) -> rustix::io::Result<()> {
    rustix::thread::unshare(what)
}

/// Brings it up, as `ip link set lo up` does; the kernel then gives it its addresses.
fn loopback() -> rustix::io::Result<()> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let mut message = Vec::with_capacity(32);
    // `struct nlmsghdr`: length, type, flags, sequence, sender.
    message.extend(32_u32.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    message.extend([0; 8]);
    // `struct ifinfomsg`: family, type, index, flags, mask of the flags.
    message.extend([0; 4]);
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    rustix::net::send(&socket, &message, SendFlags::empty())?;
    let mut answer = [0_u8; 256];
    let (_, got) = rustix::net::recv(&socket, answer.as_mut_slice(), RecvFlags::empty())?;
    // `struct nlmsgerr` behind the header: 0, or an error below it.
    let code = answer.get(16..20).and_then(|code| code.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) if got >= 20 => Ok(()),
        Some(code @ ..0) => Err(rustix::io::Errno::from_raw_os_error(-code)),
        _ => Err(rustix::io::Errno::PROTO),
    }
}

// `linux/rtnetlink.h`, `linux/netlink.h`, `linux/if.h`
const RTM_NEWLINK: u16 = 16;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const IFF_UP: u32 = 1;
/// The first interface of every namespace.
const LOOPBACK: i32 = 1;
