//! Memory functions over the runtime's syscalls, for toolchains that do not bring their own.

#![expect(
    unsafe_code,
    reason = "the symbols LLVM calls for copies and comparisons"
)]

unsafe extern "C" {
    fn sol_memcpy_(to: *mut u8, from: *const u8, bytes: u64);
    fn sol_memmove_(to: *mut u8, from: *const u8, bytes: u64);
    fn sol_memset_(to: *mut u8, byte: u8, bytes: u64);
    fn sol_memcmp_(a: *const u8, b: *const u8, bytes: u64, result: *mut i32);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    // SAFETY: memcpy's own contract, passed on.
    unsafe { sol_memcpy_(to, from, bytes as u64) };
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    // SAFETY: memmove's own contract, passed on.
    unsafe { sol_memmove_(to, from, bytes as u64) };
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, bytes: usize) -> *mut u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "C's contract"
    )]
    let byte = byte as u8;
    // SAFETY: memset's own contract, passed on.
    unsafe { sol_memset_(to, byte, bytes as u64) };
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, bytes: usize) -> i32 {
    let mut result = 0;
    // SAFETY: memcmp's own contract, passed on; `result` lives across the call.
    unsafe { sol_memcmp_(a, b, bytes as u64, &mut result) };
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, bytes: usize) -> i32 {
    // SAFETY: bcmp asks for less than memcmp gives.
    unsafe { memcmp(a, b, bytes) }
}
