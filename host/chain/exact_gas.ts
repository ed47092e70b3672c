/** Gas of an execution at its full width. */
export interface ExactGas {
  /** As the transaction pays it. */
  readonly used: bigint
  /** Without the intrinsic part; undefined where it is not known. */
  readonly execution: bigint | undefined
}
