/** Counts what batches wait for compilations: time that no stage contains. */
export class CompileWait {
  /** Wall milliseconds. */
  waitedMs = 0

  /** Awaits a compilation in the middle of a batch. */
  async until<T>(compilation: Promise<T>): Promise<T> {
    const startedMs = performance.now()
    try {
      return await compilation
    } finally {
      this.waitedMs += performance.now() - startedMs
    }
  }
}
