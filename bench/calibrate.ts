/** What a probe run says about a workload on this machine. */
export interface Probe {
  readonly size: number
  readonly buildMs: number
  /** One block whose kernels are compiled. */
  readonly blockMs: number
}

export const SMALLEST_SIZE = 512
export const LARGEST_SIZE = 65_536

/**
 * The block size, a power of two, whose `blocks` fit the time. Both costs are taken as proportional to the size, which
 * is true of the serial tier and too careful for a device: small blocks leave it idle. So the estimate of a block may
 * be divided by up to what the probe's fixed cost hides, the factor `headroom`.
 */
export const chooseSize = (probe: Probe, blocks: number, budgetMs: number, headroom: number): number => {
  const perTransaction = probe.buildMs / probe.size + (blocks * probe.blockMs) / probe.size / headroom
  let size = SMALLEST_SIZE
  while (2 * size <= LARGEST_SIZE && 2 * size * perTransaction <= budgetMs) size *= 2
  return size
}
