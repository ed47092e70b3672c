/** What an executor has measured of its own work: one record for all of its tiers. It changes no result. */
export class Measured {
  /** Wall milliseconds that batches waited for compilations: no stage contains them. */
  waitedMs = 0
  /** Mean wall milliseconds of one transaction on the CPU tier; a guess before the first. */
  cpuMs = 1

  /** Awaits a compilation in the middle of a batch. */
  async waitFor<T>(compilation: Promise<T>): Promise<T> {
    const startedMs = performance.now()
    try {
      return await compilation
    } finally {
      this.waitedMs += performance.now() - startedMs
    }
  }
}
