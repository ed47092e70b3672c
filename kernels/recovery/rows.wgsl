import package::u256::u256::{U256, u256_reverse_bytes};

/// The rows of a chunk (transpiler/layout/recovery.ts).
struct RecoveryRows {
  /// R, a multiple of `lanes`.
  rows: u32,
  /// The signature of row 0.
  first: u32,
  /// Signatures in all, one or more.
  count: u32,
  /// Lanes that invert: lane l takes rows l, l + lanes, l + 2 lanes, ..
  lanes: u32,
}

@group(0) @binding(0) var<uniform> recovery_rows: RecoveryRows;

/// The signature of a row; rows past the last one repeat it, and write nothing that lasts.
fn recovery_signature(row: u32) -> u32 {
  return min(recovery_rows.first + row, recovery_rows.count - 1u);
}

fn recovery_is_padding(row: u32) -> bool {
  return recovery_rows.first + row >= recovery_rows.count;
}

/// A word of 32 bytes, most significant first, from their eight u32 in memory order.
fn recovery_word(a: vec4<u32>, b: vec4<u32>) -> U256 {
  return u256_reverse_bytes(U256(a, b));
}
