import cliProgress from 'cli-progress'

/** Says what the benchmark is doing: a bar on a terminal, one line per step elsewhere. */
export interface Progress {
  /** Begins a workload of `steps` steps. */
  start(name: string, steps: number): void
  /** One more step is being done. */
  step(what: string): void
  /** The workload is over; nothing of the bar stays. */
  stop(): void
}

export const createProgress = (stream: NodeJS.WriteStream): Progress => {
  if (stream.isTTY !== true) {
    let current = ''
    return {
      start: (name) => {
        current = name
      },
      step: (what) => {
        stream.write(`${current}: ${what}\n`)
      },
      stop: () => {},
    }
  }
  let bar: cliProgress.SingleBar | undefined
  return {
    start: (name, steps) => {
      bar = new cliProgress.SingleBar(
        {
          format: `${name.padEnd(20)} {bar} {what}`,
          clearOnComplete: true,
          stream,
          barsize: 30,
          // A bar that listens for Ctrl-C keeps the process alive; one that does not must leave the cursor alone.
          gracefulExit: false,
          hideCursor: false,
        },
        cliProgress.Presets.shades_classic,
      )
      bar.start(steps, 0, { what: '' })
    },
    step: (what) => bar?.increment(1, { what }),
    stop: () => bar?.stop(),
  }
}

export const silentProgress: Progress = { start: () => {}, step: () => {}, stop: () => {} }
