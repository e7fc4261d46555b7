//! Messages and descriptors between two processes of one server.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    cmsg_space,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{io::Interest, net::UnixDatagram};

/// One end of a socket that keeps messages apart (`SOCK_SEQPACKET`). A message is one JSON text
/// and at most eight descriptors.
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// Two ends. Neither survives an `exec`.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(a), Self(b)))
    }

    /// A socket that another process handed over.
    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// To hand it over.
    pub(crate) fn into_fd(self) -> OwnedFd {
        self.0
    }

    /// Sends one message. Blocks while the other end does not read.
    pub(crate) fn send(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        send(self.0.as_fd(), message, fds)
    }

    /// The next message; `None` when the other end is gone. Blocks.
    pub(crate) fn recv<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        recv(self.0.as_fd())
    }

    /// Asks: opens a conversation of its own with the other side, so that many can be under way
    /// and each ends when either side drops it. Needs a tokio runtime.
    pub(crate) fn ask(
        &self,
        message: &impl Serialize,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<Conversation> {
        let (near, far) = Self::pair()?;
        let mut all = vec![far.0.as_fd()];
        all.extend_from_slice(fds);
        self.send(message, &all)?;
        Conversation::new(near)
    }

    /// The helper's side of [`ask`](Self::ask): the question, the conversation, and the other
    /// descriptors. `None` when the server is gone. Blocks.
    pub(crate) fn answer<T: DeserializeOwned>(
        &self,
    ) -> io::Result<Option<(T, Self, Vec<OwnedFd>)>> {
        self.recv()?.map(question).transpose()
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// One end under a runtime: the asking side of one question, or a helper's way to its server.
/// Dropping it tells the other side that nobody waits.
///
/// tokio has no type for `SOCK_SEQPACKET`; its datagram socket waits for readiness, and what is
/// read and written is our own.
pub(crate) struct Conversation(UnixDatagram);

impl Conversation {
    /// Needs a tokio runtime.
    pub(crate) fn new(channel: Channel) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&channel.0, true)?;
        UnixDatagram::from_std(channel.0.into()).map(Self)
    }

    /// The next message; `None` when the other end is gone.
    pub(crate) async fn recv<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        self.0
            .async_io(Interest::READABLE, || recv(self.0.as_fd()))
            .await
    }

    /// As [`Channel::answer`], without blocking.
    pub(crate) async fn answer<T: DeserializeOwned>(
        &self,
    ) -> io::Result<Option<(T, Channel, Vec<OwnedFd>)>> {
        self.recv().await?.map(question).transpose()
    }

    /// Sends one message. Messages are small and few: a full socket is an error.
    pub(crate) fn send(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        send(self.0.as_fd(), message, fds)
    }
}

/// A message as a question: its first descriptor is the conversation.
fn question<T>((message, mut fds): (T, Vec<OwnedFd>)) -> io::Result<(T, Channel, Vec<OwnedFd>)> {
    if fds.is_empty() {
        return Err(malformed("a question without a conversation"));
    }
    let conversation = Channel(fds.remove(0));
    Ok((message, conversation, fds))
}

fn send(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MAX_MESSAGE || fds.len() > MAX_FDS {
        return Err(malformed("a message for a helper is too large"));
    }
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(malformed("too many descriptors for one message"));
    }
    loop {
        match rustix::net::sendmsg(
            socket,
            &[IoSlice::new(&bytes)],
            &mut control,
            SendFlags::NOSIGNAL,
        ) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn recv<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut bytes = vec![0_u8; MAX_MESSAGE];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        match rustix::net::recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Ok(got) => break got,
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    };
    let fds: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    if got.bytes == 0 {
        return Ok(None);
    }
    if got
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
    {
        return Err(malformed("a message of a helper was cut"));
    }
    let text = bytes.get(..got.bytes).unwrap_or_default();
    Ok(Some((serde_json::from_slice(text)?, fds)))
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The longest message. A policy with a thousand endpoints fits.
const MAX_MESSAGE: usize = 128 * 1024;

/// The most descriptors of one message: a conversation, three streams, a folder, and room.
const MAX_FDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_and_its_descriptors_arrive_and_the_answer_comes_back() {
        let (server, helper) = Channel::pair().unwrap();
        let (theirs, _ours) = Channel::pair().unwrap();
        let asked = server.ask(&"who?", &[theirs.as_fd()]).unwrap();
        let helping = std::thread::spawn(move || {
            let (question, conversation, fds): (String, _, _) = helper.answer().unwrap().unwrap();
            conversation
                .send(&(question, fds.len()), &[fds[0].as_fd()])
                .unwrap();
        });
        let ((question, count), fds): ((String, usize), _) = asked.recv().await.unwrap().unwrap();
        assert_eq!((question.as_str(), count, fds.len()), ("who?", 1, 1));
        // No program that is started meanwhile gets it.
        let flags = rustix::io::fcntl_getfd(&fds[0]).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        helping.join().unwrap();
        assert!(asked.recv::<String>().await.unwrap().is_none());
    }

    #[test]
    fn an_end_that_is_gone_is_no_error_for_who_reads() {
        let (a, b) = Channel::pair().unwrap();
        drop(b);
        assert!(a.recv::<String>().unwrap().is_none());
        assert!(a.send(&"too late", &[]).is_err());
    }

    /// What is left of it may say something else.
    #[test]
    fn a_message_that_was_cut_is_none() {
        let (a, b) = Channel::pair().unwrap();
        let send = |text: &str| {
            rustix::net::send(&a.0, text.as_bytes(), SendFlags::empty()).unwrap();
            b.recv::<String>().map(|got| got.unwrap().0)
        };
        let whole = format!("\"yes\"{}", " ".repeat(MAX_MESSAGE - 5));
        assert_eq!(send(&whole).unwrap(), "yes");
        let cut = send(&format!("{whole}, but not this"));
        assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_before_it_is_sent() {
        let (a, _b) = Channel::pair().unwrap();
        let long = "x".repeat(MAX_MESSAGE);
        assert_eq!(
            a.send(&long, &[]).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
