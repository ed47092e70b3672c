const LINE_MS = 5000

/** What is told while the trie of a folder is made anew: how far it is at first, every five seconds, and at the end. */
export const repairProgress = (tell: (percent: number) => void): ((made: number, all: number) => void) => {
  let lastMs = Number.NEGATIVE_INFINITY
  return (made, all) => {
    const nowMs = performance.now()
    if (made < all && nowMs - lastMs < LINE_MS) return
    lastMs = nowMs
    tell(Math.floor((100 * made) / all))
  }
}

/** As lines. */
export const repairLines = (stream: Pick<NodeJS.WriteStream, 'write'>): ((made: number, all: number) => void) =>
  repairProgress((percent) => stream.write(`the trie of the state is made anew: ${percent} %\n`))
