import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/**
 * Collects all garbage now. Before a sample, so what building and verifying left behind is not collected inside
 * it; what the sample itself leaves is.
 */
export const collectGarbage = (): void => collect()
