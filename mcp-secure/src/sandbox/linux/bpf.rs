//! A seccomp program, assembled by hand.
//!
//! `seccompiler` builds filters with one answer for everything that matches; here some calls
//! are refused (`EPERM`) and some do not exist (`ENOSYS`), and one filter costs half of two.
//! What is installed is still checked by the kernel.

use seccompiler::{BpfProgram, sock_filter};

/// What is done about one system call.
pub(super) enum Rule {
    /// Always this.
    Always(Answer),
    /// Refused (`EPERM`) if one of these holds.
    RefuseIf(Vec<Test>),
}

/// What the kernel answers.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// `EPERM`
    Refused,
    /// `ENOSYS`: the caller takes its other way.
    Missing,
}

/// A test of one argument, the first being 0. Where the kernel reads an `int`, only the lower
/// half is looked at, as it does: the upper one is the caller's to fill (CVE-2019-10063).
pub(super) enum Test {
    /// One of these bits is set.
    Any(u32, u32),
    /// None of these bits is set.
    None(u32, u32),
    /// It is one of these.
    In(u32, Vec<u32>),
    /// Under this mask, it is none of these.
    NotIn(u32, u32, Vec<u32>),
    /// It is not zero: a pointer, so both halves count.
    Set(u32),
}

/// Everything that no rule names is allowed. A kernel of 5.11 or later works that out once for
/// each call and then skips the program, so the order of the rules costs nothing there.
pub(super) fn assemble(arch: u32, rules: &[(i64, Rule)]) -> BpfProgram {
    let mut program = vec![
        load(ARCH),
        jump(JEQ, arch, 1, 0),
        answer(KILL_PROCESS),
        load(NUMBER),
        // The x32 calls: the same numbers with a bit more, and other rules would be needed.
        jump(JSET, X32, 0, 1),
        answer(errno(ENOSYS)),
    ];
    for (number, rule) in rules {
        let number = u32::try_from(*number).unwrap_or(u32::MAX);
        let body = match rule {
            Rule::Always(Answer::Refused) => vec![answer(errno(EPERM))],
            Rule::Always(Answer::Missing) => vec![answer(errno(ENOSYS))],
            Rule::RefuseIf(tests) => {
                let mut body: Vec<_> = tests.iter().flat_map(Test::assemble).collect();
                body.push(answer(ALLOW));
                body
            }
        };
        program.push(jump(JEQ, number, 0, short(body.len())));
        program.extend(body);
    }
    program.push(answer(ALLOW));
    program
}

impl Test {
    fn assemble(&self) -> Vec<sock_filter> {
        let refuse = answer(errno(EPERM));
        match self {
            Self::Any(argument, bits) => {
                vec![load(lower(*argument)), jump(JSET, *bits, 0, 1), refuse]
            }
            Self::None(argument, bits) => {
                vec![load(lower(*argument)), jump(JSET, *bits, 1, 0), refuse]
            }
            Self::In(argument, values) => {
                let mut body = vec![load(lower(*argument))];
                for value in values {
                    body.extend([jump(JEQ, *value, 0, 1), refuse.clone()]);
                }
                body
            }
            Self::NotIn(argument, mask, values) => {
                let mut body = vec![load(lower(*argument)), operate(AND, *mask)];
                for (index, value) in values.iter().enumerate() {
                    // Over the comparisons that are left, and the answer.
                    body.push(jump(JEQ, *value, short(values.len() - index), 0));
                }
                body.push(refuse);
                body
            }
            Self::Set(argument) => vec![
                load(lower(*argument)),
                jump(JEQ, 0, 0, 2),
                load(lower(*argument) + 4),
                jump(JEQ, 0, 1, 0),
                refuse,
            ],
        }
    }
}

/// The tables are short; one that is not would be caught by the kernel, which refuses a jump
/// out of the program.
fn short(distance: usize) -> u8 {
    u8::try_from(distance).unwrap_or(u8::MAX)
}

/// Both architectures that are supported are little-endian: the lower half comes first.
fn lower(argument: u32) -> u32 {
    ARGUMENTS + 8 * argument
}

fn load(offset: u32) -> sock_filter {
    operate(LOAD, offset)
}

fn answer(what: u32) -> sock_filter {
    operate(RETURN, what)
}

fn errno(number: u32) -> u32 {
    ERRNO | number
}

fn operate(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

// `linux/filter.h`, `linux/bpf_common.h`
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JEQ: u16 = 0x15;
const JSET: u16 = 0x45;
const RETURN: u16 = 0x06;

// `struct seccomp_data`
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

// `linux/seccomp.h`
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const ALLOW: u32 = 0x7fff_0000;

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
const X32: u32 = 0x4000_0000;

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    /// Runs a program as the kernel would.
    pub(in super::super) fn run(
        program: &[sock_filter],
        arch: u32,
        number: u32,
        arguments: [u64; 6],
    ) -> u32 {
        let (mut at, mut a) = (0, 0_u32);
        loop {
            let i = &program[at];
            at += 1;
            match i.code {
                LOAD => {
                    a = match i.k {
                        NUMBER => number,
                        ARCH => arch,
                        offset => {
                            let offset = offset - ARGUMENTS;
                            let value = arguments[(offset / 8) as usize];
                            (value >> (8 * (offset % 8))) as u32
                        }
                    }
                }
                AND => a &= i.k,
                JEQ => at += usize::from(if a == i.k { i.jt } else { i.jf }),
                JSET => at += usize::from(if a & i.k != 0 { i.jt } else { i.jf }),
                RETURN => return i.k,
                other => panic!("{other:#x}"),
            }
        }
    }

    const REFUSED: u32 = ERRNO | EPERM;

    fn with(rule: Rule, first: u64) -> u32 {
        let program = assemble(7, &[(1, Rule::Always(Answer::Missing)), (5, rule)]);
        assert_eq!(run(&program, 7, 1, [0; 6]), ERRNO | ENOSYS);
        assert_eq!(run(&program, 7, 6, [!0; 6]), ALLOW, "no rule names it");
        run(&program, 7, 5, [first, 0, 0, 0, 0, 0])
    }

    #[test]
    fn another_architecture_ends_the_process_and_x32_does_not_exist() {
        let program = assemble(7, &[]);
        assert_eq!(run(&program, 8, 1, [0; 6]), KILL_PROCESS);
        assert_eq!(run(&program, 7, X32 | 1, [0; 6]), ERRNO | ENOSYS);
    }

    #[test]
    fn each_test_looks_at_what_the_kernel_looks_at() {
        let high = 0xffff_ffff_0000_0000;
        let any = || Rule::RefuseIf(vec![Test::Any(0, 0x20)]);
        assert_eq!(with(any(), 0x20 | 1), REFUSED);
        assert_eq!(with(any(), high | 0x20), REFUSED);
        assert_eq!(with(any(), 0x1f), ALLOW);
        let none = || Rule::RefuseIf(vec![Test::None(0, 0x20)]);
        assert_eq!(with(none(), 0x20), ALLOW);
        assert_eq!(with(none(), high | 0x1f), REFUSED);
        let inside = || Rule::RefuseIf(vec![Test::In(0, vec![4, 9])]);
        for refused in [4, 9, high | 9] {
            assert_eq!(with(inside(), refused), REFUSED);
        }
        assert_eq!(with(inside(), 5), ALLOW);
        let outside = || Rule::RefuseIf(vec![Test::NotIn(0, 0xf, vec![1, 5])]);
        for allowed in [1, 5, 0x81, high | 5] {
            assert_eq!(with(outside(), allowed), ALLOW);
        }
        for refused in [0, 2, 3, 0x82] {
            assert_eq!(with(outside(), refused), REFUSED);
        }
        let set = || Rule::RefuseIf(vec![Test::Set(0)]);
        for refused in [1, high, high | 1] {
            assert_eq!(with(set(), refused), REFUSED);
        }
        assert_eq!(with(set(), 0), ALLOW);
    }

    #[test]
    fn of_several_tests_one_is_enough() {
        let rule = || Rule::RefuseIf(vec![Test::Any(0, 1), Test::In(0, vec![4])]);
        assert_eq!(with(rule(), 3), REFUSED);
        assert_eq!(with(rule(), 4), REFUSED);
        assert_eq!(with(rule(), 8), ALLOW);
    }
}
