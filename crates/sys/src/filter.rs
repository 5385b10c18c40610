//! A seccomp filter as a list of rules, assembled to classic BPF (seccomp(2), `struct seccomp_data`).

/// What the kernel does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The call goes on unseen.
    Allow,
    /// The listener is asked.
    Notify,
    /// The call returns this error number without being run; 0 pretends success.
    Errno(u16),
}

/// One rule: calls with this number, and, where given, with an argument that passes a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Every call with this number.
    Always(i64, Action),
    /// Calls where `argument & mask != 0` (lower 32 bits of the argument).
    AnyBit(i64, u8, u32, Action),
    /// Calls where the lower 32 bits of the argument are this value.
    Equals(i64, u8, u32, Action),
    /// Calls where the lower 32 bits of the argument are not this value.
    Differs(i64, u8, u32, Action),
    /// Calls where two arguments have these values (lower 32 bits).
    BothEqual(i64, (u8, u32), (u8, u32), Action),
}

/// A filter program.
#[derive(Debug, Clone)]
pub struct Filter {
    program: Vec<libc::sock_filter>,
}

const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const X32_BIT: u32 = 0x4000_0000;
const RET_ALLOW: u32 = 0x7fff_0000;
const RET_NOTIFY: u32 = 0x7fc0_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_EQ: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_SET: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const JUMP_GE: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;

fn code(action: Action) -> u32 {
    match action {
        Action::Allow => RET_ALLOW,
        Action::Notify => RET_NOTIFY,
        Action::Errno(number) => RET_ERRNO | u32::from(number),
    }
}

fn op(code: u16, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

fn argument(index: u8) -> u32 {
    16 + 8 * u32::from(index)
}

impl Filter {
    /// Assemble the rules; the first that matches decides, and what none matches is allowed. Calls of another
    /// architecture or of the x32 interface get ENOSYS: they would go round the numbers that the rules name.
    #[must_use]
    pub fn new(rules: &[Rule]) -> Self {
        let nosys = code(Action::Errno(libc::ENOSYS as u16));
        let mut program = vec![
            op(LOAD, OFFSET_ARCH, 0, 0),
            op(JUMP_EQ, AUDIT_ARCH_X86_64, 1, 0),
            op(RETURN, nosys, 0, 0),
            op(LOAD, OFFSET_NUMBER, 0, 0),
            op(JUMP_GE, X32_BIT, 0, 1),
            op(RETURN, nosys, 0, 0),
        ];
        for rule in rules {
            Self::assemble(&mut program, *rule);
        }
        program.push(op(RETURN, RET_ALLOW, 0, 0));
        Self { program }
    }

    fn assemble(program: &mut Vec<libc::sock_filter>, rule: Rule) {
        let reload = op(LOAD, OFFSET_NUMBER, 0, 0);
        match rule {
            Rule::Always(number, action) => {
                program.push(op(JUMP_EQ, number as u32, 0, 1));
                program.push(op(RETURN, code(action), 0, 0));
            }
            Rule::AnyBit(number, index, mask, action) => program.extend([
                op(JUMP_EQ, number as u32, 0, 4),
                op(LOAD, argument(index), 0, 0),
                op(JUMP_SET, mask, 0, 1),
                op(RETURN, code(action), 0, 0),
                reload,
            ]),
            Rule::Equals(number, index, value, action) => program.extend([
                op(JUMP_EQ, number as u32, 0, 4),
                op(LOAD, argument(index), 0, 0),
                op(JUMP_EQ, value, 0, 1),
                op(RETURN, code(action), 0, 0),
                reload,
            ]),
            Rule::Differs(number, index, value, action) => program.extend([
                op(JUMP_EQ, number as u32, 0, 4),
                op(LOAD, argument(index), 0, 0),
                op(JUMP_EQ, value, 1, 0),
                op(RETURN, code(action), 0, 0),
                reload,
            ]),
            Rule::BothEqual(number, (first, a), (second, b), action) => program.extend([
                op(JUMP_EQ, number as u32, 0, 6),
                op(LOAD, argument(first), 0, 0),
                op(JUMP_EQ, a, 0, 3),
                op(LOAD, argument(second), 0, 0),
                op(JUMP_EQ, b, 0, 1),
                op(RETURN, code(action), 0, 0),
                reload,
            ]),
        }
    }

    pub(crate) fn program(&self) -> &[libc::sock_filter] {
        &self.program
    }
}
