import cliProgress from 'cli-progress'

/** How far a file is imported: a bar on a terminal, a line every five seconds elsewhere. */
export interface ImportProgress {
  /** The file is read up to a byte; `what` says which block that was. */
  reached(byte: number, what: string): void
  stop(): void
}

const LINE_MS = 5000

export const importProgress = (stream: NodeJS.WriteStream, totalBytes: number): ImportProgress => {
  if (stream.isTTY !== true) {
    let lastMs = performance.now()
    return {
      reached: (byte, what) => {
        if (performance.now() - lastMs < LINE_MS) return
        lastMs = performance.now()
        stream.write(`${Math.floor((100 * byte) / totalBytes)} % ${what}\n`)
      },
      stop: () => {},
    }
  }
  const bar = new cliProgress.SingleBar(
    {
      format: '{bar} {percentage} % {what}',
      clearOnComplete: true,
      stream,
      barsize: 30,
      // A bar that listens for Ctrl-C keeps the process alive; one that does not must leave the cursor alone.
      gracefulExit: false,
      hideCursor: false,
    },
    cliProgress.Presets.shades_classic,
  )
  bar.start(totalBytes, 0, { what: '' })
  return { reached: (byte, what) => bar.update(byte, { what }), stop: () => bar.stop() }
}
